//===- Engine.cpp - One tensor-core kernel for weights of any width -------===//

#include "targets/Nvptx/Engine.h"

#include "targets/Nvptx/Writer.h"

using namespace mlir;
using namespace mezzo;
using namespace mezzo::nvptx;

std::string EngineSpec::key() const {
  bool half = arithmetic == Arithmetic::HalfFloat;
  std::string key = half ? "matmul_float_mma" : "matmul_int";
  key += "_u" + std::to_string(bits);
  key += groupLength ? "_g" + std::to_string(groupLength) : "_ch";
  key += hasZeros ? "_zp" : "_z" + std::to_string(zero);
  if (hasBias)
    key += "_bias";
  return key + "_w" + std::to_string(warps) + "_r" + std::to_string(rowTiles) +
         "_s" + std::to_string(stages);
}

namespace {

/// Bytes of an activation, of a chunk's row and of the places in a stage.
struct StageMap {
  explicit StageMap(const EngineSpec &spec)
      : elementBytes(spec.arithmetic == Arithmetic::HalfFloat ? 2 : 1),
        rowBytes(depthOfChunk * elementBytes),
        activationBytes(spec.blockRows() * rowBytes),
        warpBytes(spec.bits * 32 * bytesOfVector),
        stageBytes(activationBytes + spec.warps * warpBytes) {}

  unsigned elementBytes, rowBytes, activationBytes, warpBytes, stageBytes;

  unsigned partsOfRow() const { return rowBytes / bytesOfVector; }
};

} // namespace

unsigned EngineSpec::sharedBytes() const {
  return stages * StageMap(*this).stageBytes;
}

llvm::Error EngineSpec::check() const {
  auto refuse = [](const llvm::Twine &why) {
    return llvm::createStringError(why);
  };
  unsigned depth = depthOfMma(arithmetic);
  if (bits < 1 || bits > 8)
    return refuse("codes of " + llvm::Twine(bits) + " bits: 1 to 8 are there");
  bool divides =
      groupLength == 0 ||
      (groupLength % depth == 0 &&
       (depthOfChunk % groupLength == 0 || groupLength % depthOfChunk == 0));
  if (!divides)
    return refuse("groups of " + llvm::Twine(groupLength) +
                  " columns: tensor cores want " + llvm::Twine(depth) +
                  ", 64 or a multiple of 64; requantize the weight, or compile "
                  "for a CPU");
  if (warps < 1 || warps > 8 || rowTiles < 1 || rowTiles > 2 || stages < 2 ||
      stages > 6)
    return refuse("a block has 1 to 8 warps, 1 or 2 row tiles and 2 to 6 "
                  "stages, not " +
                  llvm::Twine(warps) + ", " + llvm::Twine(rowTiles) + " and " +
                  llvm::Twine(stages));
  if (sharedBytes() > 96 * 1024)
    return refuse(llvm::Twine(sharedBytes()) +
                  " bytes of shared memory, of 98304 that all chips have: take "
                  "fewer stages or warps");
  return llvm::Error::success();
}

namespace {

/// Writes one kernel. Everything is i32 but pointers, activations and sums.
class EngineWriter {
public:
  EngineWriter(ModuleOp module, const EngineSpec &spec)
      : spec(spec), map(spec), w(module), module(module),
        half(spec.arithmetic == Arithmetic::HalfFloat),
        tiles(spec.rowTiles * columnGroups) {}

  void write();

private:
  /// Eight columns of y each: the width of an mma.
  static constexpr unsigned columnGroups = columnsOfTile / 8;
  static constexpr unsigned perFragment = 4; ///< Sums a lane has of an mma.

  const EngineSpec &spec;
  StageMap map;
  Writer w;
  ModuleOp module;
  bool half;
  unsigned tiles; ///< mma results of a warp: row tiles times column groups.

  // Arguments.
  Value a, weights, scales, zeros, rowScales, rowSums, bias, y;
  Value rows, columns, depth;
  // What is known of this thread.
  Value lane, warp, thread, quad, inQuad; ///< quad = lane / 4.
  Value shared, tile, firstRow, chunks, groups, paddedRows;

  bool accumulates() const { // Sums that outlive a chunk.
    return spec.groupLength == 0 || spec.groupLength > depthOfChunk;
  }
  Type sumType() { return half ? Type(w.getF32Type()) : w.getI32Type(); }

  void openKernel();
  void placeThread();
  void copyChunk(Value chunk);
  void copyActivations(Value chunk, Value stage);
  void copyWeights(Value chunk, Value stage);
  Values multiplyChunk(Value chunk, Values carried);
  Values scaleGroup(Value group, ArrayRef<Value> sums, Values results);
  Value loadActivations(Value stage, unsigned rowTile, unsigned step);
  std::array<Value, 2> widen(const std::vector<Values> &words, unsigned step,
                             unsigned column, Value zeroPair);
  Values loadZeros(Value group);
  Value subtractZero(Value pair, Value zeroPair);
  void storeResults(Values results);
};

void EngineWriter::write() {
  openKernel();
  placeThread();
  for (unsigned ahead = 0; ahead + 1 < spec.stages; ++ahead) {
    w.ifThen(w.less(w.i32(ahead), chunks), [&] { copyChunk(w.i32(ahead)); });
    w.commitGroup();
  }
  Values carried(tiles * perFragment, w.f32(0.0f));
  if (accumulates())
    carried.append(tiles * perFragment, w.zero(sumType()));
  carried = w.loop(w.i32(0), chunks, carried, [&](Value chunk, Values carried) {
    // All but the newest groups are here; and everybody has left the stage that
    // the next copy goes to.
    w.waitGroup(spec.stages - 2);
    w.barrier();
    Value next = w.add(chunk, w.i32(spec.stages - 1));
    w.ifThen(w.less(next, chunks), [&] { copyChunk(next); });
    w.commitGroup();
    return multiplyChunk(chunk, carried);
  });
  carried.resize(tiles * perFragment);
  storeResults(carried);
  w.ret();
}

void EngineWriter::openKernel() {
  Type global = w.pointer(Writer::Global), i32 = w.getI32Type();
  SmallVector<Type> types(8, global);
  types.append(3, i32);
  SmallVector<Value> arguments =
      w.kernel(module, spec.key(), types, spec.threads());
  Value *names[] = {&a,    &weights, &scales, &zeros,   &rowScales, &rowSums,
                    &bias, &y,       &rows,   &columns, &depth};
  for (auto [name, argument] : llvm::zip_equal(names, arguments))
    *name = argument;
}

void EngineWriter::placeThread() {
  thread = w.threadIndex();
  lane = w.bitAnd(thread, w.i32(31));
  warp = w.shiftRight(thread, 5);
  quad = w.shiftRight(lane, 2);
  inQuad = w.bitAnd(lane, w.i32(3));
  shared = w.sharedMemory(module);
  chunks = w.ceilDivide(depth, depthOfChunk);
  groups = spec.groupLength ? w.ceilDivide(depth, spec.groupLength) : w.i32(1);
  Value allTiles = w.ceilDivide(columns, columnsOfTile);
  paddedRows = w.mul(allTiles, w.i32(columnsOfTile));
  // Warps without a tile of their own do the last one again, and store nothing:
  // barriers need all of them.
  tile = w.add(w.mul(w.blockIndex('x'), w.i32(spec.warps)), warp);
  tile = w.min(tile, w.sub(allTiles, w.i32(1)));
  firstRow = w.mul(w.blockIndex('y'), w.i32(spec.blockRows()));
}

void EngineWriter::copyChunk(Value chunk) {
  Value stage = w.mul(w.remainder(chunk, spec.stages), w.i32(map.stageBytes));
  copyActivations(chunk, stage);
  copyWeights(chunk, stage);
}

/// A place in a row of activations: part p of row r lies at p ^ (r mod 8), so
/// that the eight rows that ldmatrix reads at once lie in different banks. A
/// row of 64 bytes shares its banks with its neighbour: there it is (r / 2)
/// mod 4.
static Value swizzled(Writer &w, const StageMap &map, Value row, Value part) {
  Value turn = map.partsOfRow() == 8 ? w.bitAnd(row, w.i32(7))
                                     : w.bitAnd(w.shiftRight(row, 1), w.i32(3));
  return w.add(w.mul(row, w.i32(map.rowBytes)),
               w.mul(w.bitXor(part, turn), w.i32(bytesOfVector)));
}

void EngineWriter::copyActivations(Value chunk, Value stage) {
  unsigned parts = map.partsOfRow(), all = spec.blockRows() * parts;
  Value rowLength = w.mul(chunks, w.i32(map.rowBytes));
  for (unsigned done = 0; done < all; done += spec.threads()) {
    Value index = w.add(thread, w.i32(done));
    auto copy = [&] {
      Value row = w.divide(index, parts), part = w.remainder(index, parts);
      Value to = w.at(shared, w.add(stage, swizzled(w, map, row, part)));
      // Rows that a does not have are zeros: nothing is read for them.
      Value from = w.add(firstRow, row);
      Value bytes =
          w.select(w.less(from, rows), w.i32(bytesOfVector), w.i32(0));
      from = w.min(from, w.sub(rows, w.i32(1)));
      Value offset = w.addWide(w.mulWide(from, rowLength),
                               w.add(w.mul(chunk, w.i32(map.rowBytes)),
                                     w.mul(part, w.i32(bytesOfVector))));
      w.copyAsync(to, w.atWide(a, offset), bytes);
    };
    if (done + spec.threads() <= all)
      copy();
    else
      w.ifThen(w.less(index, w.i32(all)), copy);
  }
}

/// Each lane copies what it will read itself.
void EngineWriter::copyWeights(Value chunk, Value stage) {
  Value to = w.add(w.add(stage, w.i32(map.activationBytes)),
                   w.add(w.mul(warp, w.i32(map.warpBytes)),
                         w.mul(lane, w.i32(bytesOfVector))));
  Value record = w.add(w.mul(tile, chunks), chunk);
  Value from = w.addWide(w.mulWide(record, w.i32(map.warpBytes)),
                         w.mul(lane, w.i32(bytesOfVector)));
  for (unsigned vector = 0; vector < spec.bits; ++vector) {
    Value step = w.i32(vector * 32 * bytesOfVector);
    w.copyAsync(w.at(shared, w.add(to, step)),
                w.atWide(weights, w.addWide(from, step)), Value());
  }
}

/// The fragment of A for one mma: 16 rows, 32 bytes of each.
Value EngineWriter::loadActivations(Value stage, unsigned rowTile,
                                    unsigned step) {
  // Lanes 0 to 15 name the rows' first halves, 16 to 31 the second.
  Value row = w.add(w.bitAnd(lane, w.i32(15)), w.i32(16 * rowTile));
  Value part = w.add(w.shiftRight(lane, 4), w.i32(2 * step));
  return w.loadMatrix(w.at(shared, w.add(stage, swizzled(w, map, row, part))));
}

/// The two registers of operand B from the words of all pieces.
std::array<Value, 2> EngineWriter::widen(const std::vector<Values> &words,
                                         unsigned step, unsigned column,
                                         Value zeroPair) {
  std::array<Value, 2> registers;
  std::vector<CodePart> pieces = partsOfCode(spec.bits);
  for (unsigned h = 0; h < 2; ++h) {
    // 0x6400 is 1024 as f16, and its low ten bits count from there.
    Value sum = half ? w.i32(0x64006400) : Value();
    for (auto [piece, fields] : llvm::zip(pieces, words)) {
      FieldPlace place = fieldOf(spec.arithmetic, piece.bits, step, column, h);
      unsigned one = (1u << piece.bits) - 1;
      uint32_t mask = half ? one * 0x00010001u : one * 0x01010101u;
      Value word = fields[place.word];
      // The field where the code wants it: to the right, or to the left.
      int shift = int(place.shift) - int(piece.low);
      word = shift > 0   ? w.shiftRight(word, shift)
             : shift < 0 ? w.shiftLeft(word, -shift)
                         : word;
      Value masked = w.i32(mask << piece.low);
      sum = sum ? w.andOr(word, masked, sum) : w.bitAnd(word, masked);
    }
    registers[h] = half ? subtractZero(sum, zeroPair) : sum;
  }
  return registers;
}

/// (1024 + c) - (1024 + z), exact.
Value EngineWriter::subtractZero(Value pair, Value zeroPair) {
  return w.bitcast(w.pairType(), w.sub16(w.bitcast(w.pairType(), pair),
                                         w.bitcast(w.pairType(), zeroPair)));
}

/// 1024 + z in both halves, for each of the eight columns that this lane has
/// codes of.
Values EngineWriter::loadZeros(Value group) {
  Values pairs;
  for (unsigned column = 0; column < columnGroups; ++column) {
    if (!half) {
      pairs.push_back(Value());
      continue;
    }
    if (!spec.hasZeros) {
      uint32_t code = 0x6400u + spec.zero;
      pairs.push_back(w.i32(int32_t(code << 16 | code)));
      continue;
    }
    Value at =
        w.add(w.mul(group, paddedRows), w.add(w.mul(tile, w.i32(columnsOfTile)),
                                              w.add(quad, w.i32(8 * column))));
    Value z = w.load(w.getI32Type(), w.at(zeros, w.mul(at, w.i32(4))));
    Value code = w.add(z, w.i32(0x6400));
    pairs.push_back(w.bitOr(w.shiftLeft(code, 16), code));
  }
  return pairs;
}

Values EngineWriter::multiplyChunk(Value chunk, Values carried) {
  unsigned depth = depthOfMma(spec.arithmetic), steps = depthOfChunk / depth;
  Values results(carried.begin(), carried.begin() + tiles * perFragment);
  Values sums = accumulates() ? Values(carried.begin() + tiles * perFragment,
                                       carried.end())
                              : Values(tiles * perFragment, w.zero(sumType()));
  Value stage = w.mul(w.remainder(chunk, spec.stages), w.i32(map.stageBytes));
  Value own = w.add(w.add(stage, w.i32(map.activationBytes)),
                    w.add(w.mul(warp, w.i32(map.warpBytes)),
                          w.mul(lane, w.i32(bytesOfVector))));
  std::vector<Values> words;
  for (const CodePart &piece : partsOfCode(spec.bits)) {
    Values &fields = words.emplace_back();
    for (unsigned v = 0; v < piece.bits; ++v)
      llvm::append_range(
          fields,
          w.loadVector(w.at(shared, w.add(own, w.i32((piece.vector + v) * 32 *
                                                     bytesOfVector)))));
  }
  int64_t length = spec.groupLength ? spec.groupLength : depthOfChunk;
  int64_t groupsOfChunk = std::max<int64_t>(1, depthOfChunk / length);
  unsigned stepsOfGroup = steps / groupsOfChunk;
  Value firstGroup = spec.groupLength == 0 ? w.i32(0)
                     : accumulates()
                         ? w.divide(chunk, spec.groupLength / depthOfChunk)
                         : w.mul(chunk, w.i32(groupsOfChunk));
  for (unsigned step = 0; step < steps; ++step) {
    Value group = w.add(firstGroup, w.i32(step / stepsOfGroup));
    // A group that K ends before has no zero points either.
    Values zeroPairs = loadZeros(w.min(group, w.sub(groups, w.i32(1))));
    SmallVector<Value, 2> as;
    for (unsigned r = 0; r < spec.rowTiles; ++r)
      as.push_back(loadActivations(stage, r, step));
    for (unsigned column = 0; column < columnGroups; ++column) {
      std::array<Value, 2> b = widen(words, step, column, zeroPairs[column]);
      for (unsigned r = 0; r < spec.rowTiles; ++r) {
        auto part = MutableArrayRef<Value>(sums).slice(
            (r * columnGroups + column) * perFragment, perFragment);
        w.multiply(half, as[r], b, part);
      }
    }
    if (accumulates() || (step + 1) % stepsOfGroup != 0)
      continue;
    Values scaled = w.ifElse(w.less(group, groups), results,
                             [&] { return scaleGroup(group, sums, results); });
    results = scaled;
    sums.assign(tiles * perFragment, w.zero(sumType()));
  }
  if (!accumulates())
    return results;
  // The group ends with this chunk if the next one begins another, or K ends.
  Value next = w.add(chunk, w.i32(1));
  Value ends = w.equal(next, chunks);
  if (spec.groupLength)
    ends = w.bitOr(
        ends,
        w.equal(w.remainder(next, spec.groupLength / depthOfChunk), w.i32(0)));
  Values both = results;
  llvm::append_range(both, sums);
  return w.ifElse(ends, both, [&] {
    Values after = scaleGroup(firstGroup, sums, results);
    after.append(tiles * perFragment, w.zero(sumType()));
    return after;
  });
}

/// y = fma(s, d, y); or, of integers, y = fma(fl(s * s_a), float(d - z A), y).
Values EngineWriter::scaleGroup(Value group, ArrayRef<Value> sums,
                                Values results) {
  // Of a fragment, a lane has two neighbouring columns of rows quad, quad + 8.
  SmallVector<Value> rowScale, rowSum;
  for (unsigned i = 0; !half && i < 2 * spec.rowTiles; ++i) {
    Value row = w.min(w.add(firstRow, w.add(quad, w.i32(8 * i))),
                      w.sub(rows, w.i32(1)));
    rowScale.push_back(
        w.load(w.getF32Type(), w.at(rowScales, w.mul(row, w.i32(4)))));
    Value at = w.add(w.mul(row, groups), group);
    rowSum.push_back(
        w.load(w.getI32Type(), w.at(rowSums, w.mul(at, w.i32(4)))));
  }
  for (unsigned column = 0; column < columnGroups; ++column) {
    Value at = w.add(w.mul(group, paddedRows),
                     w.add(w.mul(tile, w.i32(columnsOfTile)),
                           w.add(w.mul(inQuad, w.i32(2)), w.i32(8 * column))));
    Value bytes = w.mul(at, w.i32(4));
    std::array<Value, 2> scale =
        w.loadPair(w.getF32Type(), w.at(scales, bytes));
    std::array<Value, 2> zero = {w.i32(spec.zero), w.i32(spec.zero)};
    if (!half && spec.hasZeros)
      zero = w.loadPair(w.getI32Type(), w.at(zeros, bytes));
    for (unsigned r = 0; r < spec.rowTiles; ++r)
      for (unsigned i = 0; i < perFragment; ++i) {
        unsigned index = (r * columnGroups + column) * perFragment + i;
        Value factor = scale[i % 2], sum = sums[index];
        if (!half) {
          unsigned row = 2 * r + i / 2;
          factor = w.mulFloat(factor, rowScale[row]);
          sum = w.toFloat(w.sub(sum, w.mul(zero[i % 2], rowSum[row])));
        }
        results[index] = w.fma(factor, sum, results[index]);
      }
  }
  return results;
}

void EngineWriter::storeResults(Values results) {
  // The tile again, this time without the last one's repetitions.
  Value own = w.add(w.mul(w.blockIndex('x'), w.i32(spec.warps)), warp);
  for (unsigned r = 0; r < spec.rowTiles; ++r)
    for (unsigned column = 0; column < columnGroups; ++column)
      for (unsigned i = 0; i < perFragment; ++i) {
        Value row = w.add(firstRow, w.add(quad, w.i32(16 * r + 8 * (i / 2))));
        Value n =
            w.add(w.mul(own, w.i32(columnsOfTile)),
                  w.add(w.mul(inQuad, w.i32(2)), w.i32(8 * column + i % 2)));
        Value inside = w.bitAnd(w.less(row, rows), w.less(n, columns));
        Value value = results[(r * columnGroups + column) * perFragment + i];
        w.ifThen(inside, [&] {
          if (spec.hasBias)
            value = w.addFloat(
                value, w.load(w.getF32Type(), w.at(bias, w.mul(n, w.i32(4)))));
          Value at = w.addWide(w.mulWide(row, columns), n);
          w.store(value, w.atWide(y, w.shiftLeftWide(at, 2)));
        });
      }
}

} // namespace

void mezzo::nvptx::buildEngine(ModuleOp module, const EngineSpec &spec) {
  EngineWriter(module, spec).write();
}
