//===- Fragments.cpp - Weights in the order in which lanes use them -------===//

#include "targets/Nvptx/Fragments.h"

#include "lib/Layout/BoundLayout.h"
#include "lib/Layout/Relayout.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <string>

using namespace mezzo;
using namespace mezzo::nvptx;

std::vector<CodePart> mezzo::nvptx::partsOfCode(unsigned bits) {
  std::vector<CodePart> pieces;
  unsigned low = 0;
  for (unsigned width = 8; width > 0; width /= 2)
    if (bits & width) {
      pieces.push_back({low, width, low});
      low += width;
    }
  return pieces;
}

namespace {

/// The binary digits that number the registers of a lane's chunk, the fastest
/// first.
std::vector<std::string> registerDigits(Arithmetic arithmetic) {
  if (arithmetic == Arithmetic::HalfFloat)
    return {"k@8:2", "n@8:2", "n@16:2", "n@32:2", "k@16:2", "k@32:2"};
  return {"k@16:2", "n@8:2", "n@16:2", "n@32:2", "k@32:2"};
}

/// Codes that one register holds: two halves, or four bytes.
unsigned codesOfRegister(Arithmetic arithmetic) {
  return arithmetic == Arithmetic::HalfFloat ? 2 : 4;
}

/// Fields of a piece side by side in the room of one code of a register.
unsigned slotsOf(Arithmetic arithmetic, unsigned pieceBits) {
  return 32 / codesOfRegister(arithmetic) / pieceBits;
}

/// "[a, b]" of digits [begin, end).
std::string digitList(llvm::ArrayRef<std::string> digits) {
  return "[" + llvm::join(digits, ", ") + "]";
}

} // namespace

FieldPlace mezzo::nvptx::fieldOf(Arithmetic arithmetic, unsigned pieceBits,
                                 unsigned step, unsigned column,
                                 unsigned half) {
  unsigned number = half + 2 * column + 16 * step;
  unsigned slots = slotsOf(arithmetic, pieceBits);
  return {number / slots, number % slots * pieceBits};
}

Layout mezzo::nvptx::fragmentLayout(Arithmetic arithmetic, unsigned bits) {
  bool half = arithmetic == Arithmetic::HalfFloat;
  std::vector<std::string> digits = registerDigits(arithmetic);
  std::string text;
  std::vector<CodePart> pieces = partsOfCode(bits);
  for (const CodePart &piece : pieces) {
    unsigned inSlots = llvm::Log2_32(slotsOf(arithmetic, piece.bits));
    llvm::ArrayRef<std::string> all = digits;
    // A word: the bits of a field, fields side by side, then the codes of the
    // register; four words are a vector.
    std::vector<std::string> bit = {"b:" + std::to_string(piece.bits)};
    llvm::append_range(bit, all.take_front(inSlots));
    bit.push_back(half ? "k:2" : "k:4");
    llvm::append_range(bit, all.slice(inSlots, 2));
    if (pieces.size() > 1) {
      std::string low = std::to_string(piece.low);
      std::string high = std::to_string(piece.low + piece.bits);
      text += piece.low == 0                   ? "b<" + high
              : piece.low + piece.bits == bits ? "b>=" + low
                                               : "b>=" + low + ", b<" + high;
      text += ": ";
    }
    text += "bit=" + digitList(bit);
    text += half ? ", lane=[k@2:4, n:8]" : ", lane=[k@4:4, n:8]";
    text += ", vector(" + std::to_string(bits) +
            ")=" + std::to_string(piece.vector) + "+" +
            digitList(all.drop_front(inSlots + 2));
    text += ", chunk=[k@64:*], tile=[n@64:*]; ";
  }
  return llvm::cantFail(Layout::parse(text));
}

/// What keeps a weight from being packed, or "".
static std::string complaint(const QuantizedMatrix &weight) {
  const Format &format = weight.spec.format;
  std::string name = format.str();
  if (!format.isInteger() || format.bits() > 8)
    return "codes of format " + name +
           " are no integers of up to 8 bits: requantize the weight to int or "
           "uint, or compile for a CPU";
  if (format.affine().scale != 1)
    return "format " + name +
           " steps by 2: use int or uint of the same width, whose scales hold "
           "the factor";
  if (!weight.floatZeros.empty() || !weight.minima.empty())
    return "offsets that are floats are not there yet on tensor cores: use "
           "integer zero points, or compile for a CPU";
  if (!weight.permutation.empty())
    return "a permutation of columns is not there yet on tensor cores: permute "
           "the activations in the model, or compile for a CPU";
  return "";
}

llvm::Expected<PackedWeight>
mezzo::nvptx::packWeight(const QuantizedMatrix &weight, Arithmetic arithmetic) {
  if (std::string why = complaint(weight); !why.empty())
    return llvm::createStringError(why);
  const Format &format = weight.spec.format;
  Format::Affine affine = format.affine();
  PackedWeight packed;
  // value = (raw ^ flip) + offset - zero: c = raw ^ flip, z = zero - offset.
  packed.zero = -affine.offset;
  packed.groups = weight.groups();
  packed.paddedRows = llvm::alignTo(weight.rows, columnsOfTile);
  std::vector<uint8_t> codes(weight.codes.size());
  uint32_t mask = format.numCodes() - 1;
  for (auto [code, raw] : llvm::zip(codes, weight.codes))
    code = uint8_t((raw ^ affine.flip) & mask);
  Layout layout = fragmentLayout(arithmetic, format.bits());
  auto bound = layout.bind(
      {{'n', weight.rows}, {'k', weight.cols}, {'b', format.bits()}});
  if (!bound)
    return bound.takeError();
  packed.codes.assign(bound->totalBytes(), 0);
  if (llvm::Error error = pack(*bound, codes, packed.codes))
    return std::move(error);

  int64_t size = packed.groups * packed.paddedRows;
  packed.scales.assign(size, 0.0f);
  bool differ = llvm::any_of(weight.zeros, [](int32_t z) { return z != 0; });
  if (differ)
    packed.zeros.assign(size, packed.zero);
  for (int64_t n = 0; n < weight.rows; ++n)
    for (int64_t g = 0; g < packed.groups; ++g) {
      int64_t at = g * packed.paddedRows + n, from = weight.groupIndex(n, g);
      packed.scales[at] = weight.scales[from];
      if (differ)
        packed.zeros[at] = weight.zeros[from] - affine.offset;
    }
  return packed;
}
