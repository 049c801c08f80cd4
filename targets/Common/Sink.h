//===- Sink.h - Decoding moved to where its result is used ----------------===//
//
// A kernel decodes all codes of a step, then multiplies. Where a vector takes
// two registers, sixteen of them are sums, and the decoded codes do not fit
// beside those; the packed codes do, since many codes come of one packed
// vector. Schedulers move the decoding down only where they happen to see it,
// so it is done before them: loads, bitwise operations, shifts and shuffles of
// vectors go right before their first use in the block.
//
//     c0 = field(p), c1 = field(p), ..., s0 += c0 * a, s1 += c1 * a, ...
//     -->
//     c0 = field(p), s0 += c0 * a, c1 = field(p), s1 += c1 * a, ...
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_TARGETS_COMMON_SINK_H
#define MEZZO_TARGETS_COMMON_SINK_H

namespace llvm {
class Module;
} // namespace llvm

namespace mezzo {

void sinkDecoding(llvm::Module &module);

} // namespace mezzo

#endif // MEZZO_TARGETS_COMMON_SINK_H
