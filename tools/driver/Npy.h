//===- Npy.h - Tensors in NumPy's file format -----------------------------===//
//
//   \x93NUMPY  major minor  length  {'descr': '<f4', 'fortran_order': False,
//                                    'shape': (2, 3), }  padding  data
//
// The length of the header has two bytes in version 1 and four in versions 2
// and 3; data follow in row-major order. The format is described in
// numpy.lib.format.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_TOOLS_DRIVER_NPY_H
#define MEZZO_TOOLS_DRIVER_NPY_H

#include "tools/driver/LoadedModel.h"

namespace mezzo {

/// Reads an array of floats (f2, f4, f8), integers (i1 to i8, u1 to u8) or
/// bools. Errors name the file, what is in it and how to save it instead:
/// other types, big-endian numbers, Fortran order, and a shape that asks for
/// more or fewer bytes than there are.
llvm::Expected<HostTensor> readNpy(llvm::StringRef path);

/// The same from memory; `name` is for messages.
llvm::Expected<HostTensor> parseNpy(llvm::ArrayRef<uint8_t> bytes,
                                    llvm::StringRef name);

/// Writes version 1, little-endian, the data 64-byte aligned. NumPy has no
/// bfloat16: such a tensor is widened to f4, which is exact. Errors: types that
/// NumPy has no name for, and what goes wrong with the disk.
llvm::Error writeNpy(llvm::StringRef path, const HostTensor &tensor);

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_NPY_H
