//===- Folder.h - a folder of sources, all of it or nothing ---------------===//

#ifndef MEZZO_TOOLS_DRIVER_FOLDER_H
#define MEZZO_TOOLS_DRIVER_FOLDER_H

#include "targets/Target.h"

namespace mezzo {

/// Writes files into a folder, which is made if it is not there. Files of the
/// same names are replaced, others are left alone; after an error, nothing has
/// changed. Errors: a folder with files that none of ours replaces (it is
/// somebody else's), and those of the file system.
llvm::Error writeFiles(llvm::StringRef folder,
                       llvm::ArrayRef<FolderResult::File> files);

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_FOLDER_H
