//===- LayoutBench.cpp - How fast packing is ------------------------------===//
//
// Packs a matrix from the order of ONNX to the kernels' panels, one line per
// width, in GB/s of packed bytes. Optional arguments: rows, columns, group.
//
//===----------------------------------------------------------------------===//

#include "lib/Layout/Catalogue.h"
#include "lib/Layout/Relayout.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <ctime>

using namespace llvm;
using namespace mezzo;

// Of this process, so that a busy machine counts less.
static double seconds() { return double(std::clock()) / CLOCKS_PER_SEC; }

static Error measure(StringRef name, const Layout &source, const Layout &target,
                     unsigned bits, int64_t rows, int64_t columns,
                     int64_t group) {
  Expected<BoundLayout> from =
      source.bind({{'n', rows}, {'k', columns}, {'b', bits}});
  if (!from)
    return from.takeError();
  Expected<BoundLayout> to = target.bind({{'n', rows},
                                          {'g', (columns + group - 1) / group},
                                          {'k', group},
                                          {'b', bits}});
  if (!to)
    return to.takeError();
  std::vector<uint8_t> in(from->totalBytes()), out(to->totalBytes());
  for (size_t i = 0; i < in.size(); ++i)
    in[i] = uint8_t(i * 2654435761u >> 13);
  double best = 1e9;
  for (int repeat = 0; repeat < 9; ++repeat) {
    double start = seconds();
    if (Error e = relayout(*from, in, *to, out, 1u << (bits - 1)))
      return e;
    best = std::min(best, seconds() - start);
  }
  outs() << name << bits
         << " -> panel: " << format("%6.2f", in.size() / best / 1e9)
         << " GB/s\n";
  return Error::success();
}

int main(int argc, char **argv) {
  int64_t sizes[] = {4096, 4096, 32};
  for (int i = 1; i < argc && i <= 3; ++i)
    if (StringRef(argv[i]).getAsInteger(10, sizes[i - 1]) || sizes[i - 1] < 1) {
      errs() << "layout-bench: '" << argv[i] << "' is not a size\n";
      return 1;
    }
  ExitOnError exitOnError("layout-bench: ");
  for (unsigned bits = 1; bits <= 8; ++bits)
    exitOnError(measure("matmulnbits", matMulNBits(bits), panel(bits), bits,
                        sizes[0], sizes[1], sizes[2]));
  for (unsigned bits : {2, 3, 4, 8})
    exitOnError(measure("gptq", gptq(bits), panel(bits), bits, sizes[0],
                        sizes[1], sizes[2]));
  exitOnError(
      measure("q4_0, ", ggufQ4_0(), panel(4), 4, sizes[0], sizes[1], sizes[2]));
  return 0;
}
