//===- Matrix.cpp - ldmatrix and mma --------------------------------------===//
//
// Which lane holds which element follows one rule for all of mma's types. With
// e elements to a register (2 of f16, 4 of s8, 8 of s4, 32 of b1), g = lane / 4
// and t = lane mod 4:
//
//     A: register r, element i is row g + 8 * (r mod 2),
//                                 column t * e + i + 4 * e * (r / 2)
//     B: register r, element i is row t * e + i + 4 * e * r, column g
//     C: element i is row g + 8 * (i / 2), column 2 * t + i mod 2
//
// as the figures of the PTX manual say, one for each type.
//
//===----------------------------------------------------------------------===//

#include "lib/Ptx/Address.h"
#include "lib/Ptx/FloatMath.h"

#include "lib/Number/Half.h"

#include <cmath>
#include <numeric>

using namespace mezzo::ptx;
using mezzo::bitsOf;
using mezzo::floatOf;

namespace {

constexpr Type word32{Type::Bits, 32, 1};

/// ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {r...}, [p]: lanes 8i to
/// 8i + 7 give the rows of matrix i; lane l receives elements 2 * (l mod 4) and
/// the next of row l / 4, or of column l / 4 with `.trans`.
Action decodeLdmatrix(Decoder &d) {
  if (!d.take("sync") || !d.take("aligned") || !d.take("m8n8"))
    return d.complain("'ldmatrix' is known as '.sync.aligned.m8n8'");
  d.gatherAll();
  int power = d.takeOneOf({"x1", "x2", "x4"});
  if (power < 0)
    return d.complain("'ldmatrix' needs '.x1', '.x2' or '.x4'");
  bool transposed = d.take("trans");
  Space space = takeSpace(d).value_or(Space::Generic);
  d.take("b16");
  d.expectOperands(2);
  llvm::SmallVector<int32_t, 8> dst = d.destinations(0);
  Reader address = d.address(1);
  if (dst.size() != 1u << power)
    return d.complain("'ldmatrix' loads one register per matrix");
  return [=](Warp &warp, uint32_t active) {
    if (active != allLanes)
      return warp.fail(0, "ldmatrix by a warp that is not whole");
    for (size_t matrix = 0; matrix < dst.size(); ++matrix) {
      uint16_t rows[8][8];
      llvm::SmallVector<Place, 8> places;
      for (unsigned row = 0; row < 8; ++row) {
        unsigned lane = matrix * 8 + row;
        Place place = findPlace(warp, lane, space, address(warp, lane), 16, 16);
        if (!place || !loadBytes(warp, lane, place, rows[row], 16))
          return;
        places.push_back(place);
      }
      countAccess(warp, places, 16);
      forEachLane(active, [&](unsigned lane) {
        unsigned row = lane / 4, column = lane % 4 * 2;
        uint64_t low = transposed ? rows[column][row] : rows[row][column];
        uint64_t high =
            transposed ? rows[column + 1][row] : rows[row][column + 1];
        warp.set(dst[matrix], lane, low | high << 16);
      });
    }
  };
}

/// The operand types of an mma.
struct Element {
  Type::Kind kind;
  unsigned bits;
};

std::optional<Element> takeElement(Decoder &d) {
  // Types of fewer than 8 bits exist nowhere else in PTX.
  int small = d.takeOneOf({"s4", "u4", "b1"});
  if (small >= 0)
    return Element{small == 0   ? Type::Signed
                   : small == 1 ? Type::Unsigned
                                : Type::Bits,
                   small == 2 ? 1u : 4u};
  if (std::optional<Type> type = d.takeType())
    return Element{type->kind, type->bits};
  return std::nullopt;
}

/// Sums of products, one rounding at the end; or f32 sums in a random order,
/// each rounded toward zero.
float sumProducts(llvm::ArrayRef<double> products, float start, Grid &grid) {
  if (!grid.options.roughMma) {
    // Products of 16-bit floats are exact; the rest may need long double.
    long double sum = start;
    for (double product : products)
      sum += product;
    return float(sum);
  }
  llvm::SmallVector<unsigned, 32> order(products.size());
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), grid.random);
  float sum = start;
  for (unsigned i : order) {
    double exact = double(sum) + products[i];
    float rounded = float(exact);
    if (std::fabs(double(rounded)) > std::fabs(exact))
      rounded = floatOf(bitsOf(rounded) - 1);
    sum = rounded;
  }
  return sum;
}

struct Mma {
  unsigned k = 0;
  Element a, b;
  Type c, d;
  bool saturate = false, exclusive = false;
  llvm::SmallVector<int32_t, 8> dst;
  llvm::SmallVector<Reader, 8> as, bs, cs;

  unsigned perRegister() const { return 32 / a.bits; }

  void run(Warp &warp) const;
  void gather(const Warp &warp, std::vector<uint32_t> &aBits,
              std::vector<uint32_t> &bBits) const;
  uint64_t element(llvm::ArrayRef<uint32_t> aRow, llvm::ArrayRef<uint32_t> bCol,
                   uint64_t start, Grid &grid) const;
  double valueOf(uint32_t bits, Element e) const {
    if (e.kind == Type::Float || e.kind == Type::BFloat)
      return toDouble(bits, {e.kind, 16, 1});
    return e.kind == Type::Signed ? double(signExtend(bits, e.bits))
                                  : double(bits);
  }
};

/// A as [row][k] and B as [column][k], from all lanes' registers.
void Mma::gather(const Warp &warp, std::vector<uint32_t> &aBits,
                 std::vector<uint32_t> &bBits) const {
  unsigned per = perRegister();
  uint32_t mask = uint32_t(maskOf(a.bits));
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    unsigned group = lane / 4, t = lane % 4;
    for (auto [r, read] : llvm::enumerate(as)) {
      uint64_t bits = read(warp, lane);
      for (unsigned i = 0; i < per; ++i) {
        unsigned row = group + 8 * (r % 2);
        unsigned column = t * per + i + 4 * per * (r / 2);
        aBits[row * k + column] = bits >> (i * a.bits) & mask;
      }
    }
    for (auto [r, read] : llvm::enumerate(bs)) {
      uint64_t bits = read(warp, lane);
      for (unsigned i = 0; i < per; ++i)
        bBits[group * k + t * per + i + 4 * per * r] =
            bits >> (i * a.bits) & mask;
    }
  }
}

uint64_t Mma::element(llvm::ArrayRef<uint32_t> aRow,
                      llvm::ArrayRef<uint32_t> bCol, uint64_t start,
                      Grid &grid) const {
  if (d.isFloat()) {
    llvm::SmallVector<double, 32> products;
    for (auto [x, y] : llvm::zip(aRow, bCol))
      products.push_back(valueOf(x, a) * valueOf(y, b));
    return fromDouble(sumProducts(products, float(toDouble(start, c)), grid),
                      d);
  }
  int64_t sum = signExtend(start, 32);
  for (auto [x, y] : llvm::zip(aRow, bCol)) {
    if (a.bits == 1)
      sum += exclusive ? x ^ y : x & y;
    else
      sum += int64_t(valueOf(x, a) * valueOf(y, b));
  }
  if (saturate)
    sum = std::clamp<int64_t>(sum, INT32_MIN, INT32_MAX);
  return uint32_t(sum);
}

void Mma::run(Warp &warp) const {
  std::vector<uint32_t> aBits(16 * k), bBits(8 * k);
  gather(warp, aBits, bBits);
  // All is read before anything is written: d and c may be the same registers.
  uint64_t results[warpSize][4];
  for (unsigned lane = 0; lane < warpSize; ++lane)
    for (unsigned i = 0; i < 4; ++i) {
      unsigned row = lane / 4 + 8 * (i / 2), column = lane % 4 * 2 + i % 2;
      uint64_t start = c.bits == 16
                           ? cs[i / 2](warp, lane) >> (i % 2 * 16) & 0xffff
                           : cs[i](warp, lane);
      results[lane][i] = element(llvm::ArrayRef(aBits).slice(row * k, k),
                                 llvm::ArrayRef(bBits).slice(column * k, k),
                                 start, warp.grid());
    }
  for (unsigned lane = 0; lane < warpSize; ++lane)
    for (auto [r, reg] : llvm::enumerate(dst))
      warp.set(reg, lane,
               d.bits == 16
                   ? results[lane][2 * r] | results[lane][2 * r + 1] << 16
                   : results[lane][r]);
}

/// mma.sync.aligned.m16n8kK.row.col.D.A.B.C d, a, b, c.
Action decodeMma(Decoder &d) {
  if (!d.take("sync") || !d.take("aligned"))
    return d.complain("'mma' needs '.sync.aligned'");
  d.gatherAll();
  Mma mma;
  llvm::StringRef shape = d.word();
  if (!shape.consume_front("m16n8k") || shape.getAsInteger(10, mma.k))
    return d.complain("only shapes m16n8k... of 'mma' are known");
  if (!d.take("row") || !d.take("col"))
    return d.complain("'mma' needs '.row.col'");
  mma.saturate = d.take("satfinite");
  mma.d = d.type();
  std::optional<Element> a = takeElement(d), b = takeElement(d);
  mma.c = d.type();
  if (!a || !b || a->bits != b->bits || a->bits > 16)
    return d.complain("unknown operand types of 'mma'");
  mma.a = *a;
  mma.b = *b;
  bool isFloat = a->kind == Type::Float || a->kind == Type::BFloat;
  if (isFloat != mma.d.isFloat() || isFloat != mma.c.isFloat() ||
      (isFloat && a->kind != b->kind))
    return d.complain("operand and result types of 'mma' do not go together");
  if (a->bits == 1) {
    mma.exclusive = d.take("xor");
    if ((!mma.exclusive && !d.take("and")) || !d.take("popc"))
      return d.complain("'mma' of b1 needs '.xor.popc' or '.and.popc'");
  }
  d.expectOperands(4);
  mma.dst = d.destinations(0);
  mma.as = d.sources(1, word32);
  mma.bs = d.sources(2, word32);
  mma.cs = d.sources(3, word32);
  unsigned perRow = mma.perRegister() * 4; // Columns of A per register.
  unsigned steps = mma.k / perRow;
  auto accumulators = [](Type type) { return type.bits == 16 ? 2u : 4u; };
  if ((steps != 1 && steps != 2) || mma.k % perRow != 0 ||
      mma.as.size() != 2 * steps || mma.bs.size() != steps ||
      mma.cs.size() != accumulators(mma.c) ||
      mma.dst.size() != accumulators(mma.d))
    return d.complain("operands of 'mma' that do not fit its shape");
  return [mma](Warp &warp, uint32_t active) {
    if (active != allLanes)
      return warp.fail(0, "mma by a warp that is not whole");
    mma.run(warp);
  };
}

} // namespace

void mezzo::ptx::addMatrix(OpcodeTable &table) {
  table["ldmatrix"] = decodeLdmatrix;
  table["mma"] = decodeMma;
}
