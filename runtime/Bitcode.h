//===- Bitcode.h - The runtime as bytes inside the compiler ---------------===//
//
// The compiler links this bitcode with the code it emits, so that making a
// shared object needs neither a C compiler nor the runtime's sources.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_RUNTIME_BITCODE_H
#define MEZZO_RUNTIME_BITCODE_H

#ifdef __cplusplus
extern "C" {
#endif

/// LLVM bitcode of the whole runtime for Linux on one architecture (baseline
/// CPU, position independent, all symbols hidden): the bytes from the first
/// symbol up to, not including, the second.
extern const char mezzo_runtime_bitcode_x86_64[];
extern const char mezzo_runtime_bitcode_x86_64_end[];
extern const char mezzo_runtime_bitcode_aarch64[];
extern const char mezzo_runtime_bitcode_aarch64_end[];

#ifdef __cplusplus
} // extern "C"
#endif

#endif // MEZZO_RUNTIME_BITCODE_H
