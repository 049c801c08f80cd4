//===- ModelHeader.h - the C header beside a compiled model ---------------===//

#ifndef MEZZO_TOOLS_DRIVER_MODELHEADER_H
#define MEZZO_TOOLS_DRIVER_MODELHEADER_H

#include "tools/driver/Signature.h"

namespace mezzo {

/// The text of `model.h`: the declaration of `<prefix>_api` and, where all
/// shapes are static, a typed entry
///
///     int <prefix>_run(mezzo_context *context, const float *x, float *y)
std::string modelHeader(const ModelSignature &signature,
                        llvm::StringRef prefix);

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_MODELHEADER_H
