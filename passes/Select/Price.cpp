//===- Price.cpp - what a kernel takes, without running it ----------------===//

#include "passes/Select/Price.h"

#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/Format.h"

#include <array>

using namespace mlir;
using namespace mezzo;

namespace {

/// How much of the smaller of computing and reading is not hidden by the other.
constexpr double Exposed = 0.25;
/// Micro-operations that count and close a loop.
constexpr double LoopOverhead = 2;
/// Of an op that nobody has a record for: a few simple ones.
constexpr float UnknownOps = 4;

//===----------------------------------------------------------------------===//
// Pressure
//===----------------------------------------------------------------------===//

/// Micro-operations of a block by the unit that does them.
struct Pressure {
  double loads = 0, stores = 0, multiplies = 0, shuffles = 0, simple = 0;

  void add(const OpCost &cost, double registers) {
    loads += cost.loads * registers;
    stores += cost.stores * registers;
    multiplies += cost.multiplies * registers;
    shuffles += cost.shuffles * registers;
    simple += cost.simple * registers;
  }
};

/// What a block may wait for.
constexpr StringRef Reasons[] = {"loads",   "stores", "multiplies", "shuffles",
                                 "vectors", "issue",  "latency",    "spills"};
enum Reason { Loads, Stores, Multiplies, Shuffles, Vectors, Issue, Latency };

/// The cycles of a block, and what it waits for.
std::pair<double, unsigned> cyclesOf(const Pressure &p, const CoreCosts &core,
                                     double overhead, double chain) {
  double vectors = p.multiplies + p.shuffles + p.simple;
  std::array<double, Latency + 1> times = {
      p.loads / core.loads,
      p.stores / core.stores,
      p.multiplies / core.multiplies,
      p.shuffles / core.shuffles,
      vectors / core.vectors,
      (p.loads + p.stores + vectors + overhead) / core.issue,
      chain};
  const double *longest = std::max_element(times.begin(), times.end());
  return {*longest, longest - times.begin()};
}

//===----------------------------------------------------------------------===//
// The walk
//===----------------------------------------------------------------------===//

/// A loop that is walked: its rounds, and the loop around it.
struct Loop {
  double rounds;
  int parent; ///< index, or -1
  unsigned depth;
};

/// Loads and stores of one array in one block, whose addresses depend on the
/// same loops.
struct Access {
  int loop; ///< the innermost one; index, or -1
  /// The loops that the addresses depend on, by depth.
  uint64_t depends;
  Value array;
  double bytes;
};

class Pricer {
public:
  Pricer(const Target &target, int64_t streams)
      : target(target), core(target.costs), streams(streams) {}

  Price run(LaunchOp launch, func::FuncOp kernel);

private:
  struct BlockCost {
    double cycles = 0; ///< of one round, all that is inside included
    bool hasLoops = false;
  };

  BlockCost walk(Block &block, int loop);
  double walkLoop(scf::ForOp op, int parent);
  void walkOp(Operation &op, int loop);
  void evaluate(Operation &op);
  void recordAccess(Operation &op, int loop);
  double sizeOf(Value array) const;
  double spills(Block &block);
  void charge(double cycles, unsigned reason, int loop);
  void addMemory(Price &price);
  double bytesInside(const Access &access, int loop) const;
  double footprint(int loop) const;

  uint64_t dependsOn(Operation &op) {
    uint64_t depends = 0;
    for (Value operand : op.getOperands())
      depends |= dependencies.lookup(operand);
    return depends;
  }
  std::optional<int64_t> valueOf(Value value) {
    auto found = known.find(value);
    if (found == known.end())
      return std::nullopt;
    return found->second;
  }
  double registersOf(Type type) const {
    auto vector = dyn_cast<VectorType>(type);
    if (!vector)
      return 1;
    double bits =
        double(vector.getNumElements()) * vector.getElementTypeBitWidth();
    return std::max(1.0, bits / (8 * target.vectorBytes));
  }
  double roundsAround(int loop) const {
    double rounds = 1;
    for (; loop >= 0; loop = loops[loop].parent)
      rounds *= loops[loop].rounds;
    return rounds;
  }

  const Target &target;
  const CoreCosts &core;
  int64_t streams;

  /// Index values, loop variables as in their first round.
  DenseMap<Value, int64_t> known;
  /// The loops, by depth, that a value depends on.
  DenseMap<Value, uint64_t> dependencies;
  /// How long ago the innermost loop's carried values were ready; absent: they
  /// are not needed.
  DenseMap<Value, double> chains;
  DenseMap<Value, SmallVector<int64_t>> shapes; ///< of arguments
  Value weight;
  std::vector<Loop> loops;
  std::vector<Pressure> levels; ///< of the open blocks, by depth
  std::vector<Access> accesses;
  std::array<double, std::size(Reasons)> waits{};
};

/// The name that an op has a cost under.
SmallString<32> costName(Operation &op) {
  SmallString<32> name(op.getName().getStringRef());
  if (auto field = dyn_cast<tile::FieldOp>(op)) {
    if (field.getShift() == field.getTo())
      name += "/in_place";
  } else if (auto dot = dyn_cast<tile::DotOp>(op)) {
    int64_t largest = std::max<int64_t>(-dot.getLow(), dot.getHigh());
    if (2 * largest * int64_t(dot.getAmax()) > INT16_MAX)
      name += "/wide";
    else if (dot.getLow() < 0)
      name += "/signed";
  } else if (auto pairs = dyn_cast<tile::DotPairsOp>(op)) {
    if (pairs.getLow() < 0)
      name += "/signed";
  }
  return name;
}

OpCost costOf(Operation &op, const CoreCosts &core) {
  SmallString<32> name = costName(op);
  if (const OpCost *cost = core.find(name))
    return *cost;
  if (const OpCost *cost = core.find(op.getName().getStringRef()))
    return *cost;
  OpCost cost;
  cost.simple = op.getDialect() && op.getDialect()->getNamespace() == "tile"
                    ? UnknownOps
                    : 1;
  return cost;
}

/// Whether an op is left out: it becomes an addressing mode, a constant, or
/// nothing.
bool isFree(Operation &op) {
  if (op.hasTrait<OpTrait::ConstantLike>() ||
      op.hasTrait<OpTrait::IsTerminator>() ||
      isa<memref::DimOp, memref::AllocaOp, vector::BitCastOp>(op))
    return true;
  // Index arithmetic, and scalars in general: the scalar units are idle.
  bool touchesVectors =
      llvm::any_of(op.getOperandTypes(), llvm::IsaPred<VectorType>) ||
      llvm::any_of(op.getResultTypes(), llvm::IsaPred<VectorType>);
  if (!touchesVectors && isPure(&op))
    return llvm::all_of(op.getResultTypes(),
                        [](Type type) { return type.isIntOrIndex(); });
  if (auto broadcast = dyn_cast<vector::BroadcastOp>(op))
    if (auto load = broadcast.getSource().getDefiningOp<memref::LoadOp>())
      return load->hasOneUse();
  return false;
}

/// Trip counts need numbers only.
void Pricer::evaluate(Operation &op) {
  if (op.getNumResults() != 1)
    return;
  Value result = op.getResult(0);
  if (auto dim = dyn_cast<memref::DimOp>(op)) {
    auto shape = shapes.find(dim.getSource());
    auto index = dim.getConstantIndex();
    if (shape != shapes.end() && index)
      known[result] = shape->second[*index];
    return;
  }
  IntegerAttr constant;
  if (matchPattern(result, m_Constant(&constant))) {
    known[result] = constant.getValue().getSExtValue();
    return;
  }
  if (op.getNumOperands() != 2)
    return;
  auto left = valueOf(op.getOperand(0)), right = valueOf(op.getOperand(1));
  if (!left || !right)
    return;
  int64_t a = *left, b = *right;
  if (isa<arith::AddIOp>(op))
    known[result] = a + b;
  else if (isa<arith::SubIOp>(op))
    known[result] = a - b;
  else if (isa<arith::MulIOp>(op))
    known[result] = a * b;
  else if (isa<arith::DivUIOp, arith::DivSIOp>(op) && b != 0)
    known[result] = a / b;
  else if (isa<arith::CeilDivUIOp, arith::CeilDivSIOp>(op) && b != 0)
    known[result] = (a + b - 1) / b;
  else if (isa<arith::RemUIOp, arith::RemSIOp>(op) && b != 0)
    known[result] = a % b;
  else if (isa<arith::MinUIOp, arith::MinSIOp>(op))
    known[result] = std::min(a, b);
  else if (isa<arith::MaxUIOp, arith::MaxSIOp>(op))
    known[result] = std::max(a, b);
  else if (auto compare = dyn_cast<arith::CmpIOp>(op))
    known[result] = arith::applyCmpPredicate(
        compare.getPredicate(), APInt(64, a, true), APInt(64, b, true));
}

void Pricer::recordAccess(Operation &op, int loop) {
  auto effects = dyn_cast<MemoryEffectOpInterface>(op);
  if (!effects || isa<memref::PrefetchOp, memref::AllocaOp>(op))
    return;
  bool reads = effects.hasEffect<MemoryEffects::Read>(),
       writes = effects.hasEffect<MemoryEffects::Write>();
  if (!reads && !writes)
    return;
  Value memory;
  uint64_t depends = 0;
  double bytes = 0;
  for (Value operand : op.getOperands()) {
    if (isa<MemRefType>(operand.getType()))
      memory = operand;
    else if (operand.getType().isIndex())
      depends |= dependencies.lookup(operand);
    else if (writes)
      bytes = registersOf(operand.getType()) * target.vectorBytes;
  }
  if (!memory)
    return;
  auto element = cast<MemRefType>(memory.getType()).getElementType();
  auto bytesOf = [&](Type type) {
    auto vector = dyn_cast<VectorType>(type);
    unsigned bits =
        (vector ? vector.getElementType() : type).getIntOrFloatBitWidth();
    return double(vector ? vector.getNumElements() : 1) * bits / 8;
  };
  if (isa<tile::BroadcastGroupOp>(op))
    bytes = 4;
  else if (reads && op.getNumResults() == 1)
    bytes = bytesOf(op.getResult(0).getType());
  else
    bytes = std::max<double>(element.getIntOrFloatBitWidth() / 8, bytes);
  for (Access &access : llvm::reverse(accesses))
    if (access.loop == loop && access.array == memory &&
        access.depends == depends) {
      access.bytes += bytes;
      return;
    }
  accesses.push_back({loop, depends, memory, bytes});
}

/// Bytes of an array, where they are known.
double Pricer::sizeOf(Value array) const {
  auto type = cast<MemRefType>(array.getType());
  ArrayRef<int64_t> shape = type.getShape();
  if (auto found = shapes.find(array); found != shapes.end())
    shape = found->second;
  double bytes = type.getElementType().getIntOrFloatBitWidth() / 8.0;
  for (int64_t extent : shape) {
    if (ShapedType::isDynamic(extent))
      return std::numeric_limits<double>::infinity();
    bytes *= double(extent);
  }
  return bytes;
}

void Pricer::walkOp(Operation &op, int loop) {
  unsigned depth = loop < 0 ? 0 : loops[loop].depth + 1;
  evaluate(op);
  uint64_t depends = dependsOn(op);
  recordAccess(op, loop);
  bool pure = isPure(&op);
  // What is loaded may change from round to round.
  if (!pure && depth)
    depends |= uint64_t(1) << (depth - 1);
  for (Value result : op.getResults())
    dependencies[result] = depends;

  OpCost cost = isFree(op) ? OpCost{0, 0, 0, 0, 0, 0} : costOf(op, core);
  // The chain of carried values.
  double longest = -1;
  for (Value operand : op.getOperands())
    if (auto found = chains.find(operand); found != chains.end())
      longest = std::max(longest, found->second);
  if (longest >= 0)
    for (Value result : op.getResults())
      chains[result] = longest + cost.latency;
  if (isFree(op))
    return;
  double registers = 1;
  for (Type type : op.getResultTypes())
    registers = std::max(registers, registersOf(type));
  for (Type type : op.getOperandTypes())
    if (op.getNumResults() == 0)
      registers = std::max(registers, registersOf(type));
  // Loop-invariant code moves out.
  unsigned level = depth;
  if (pure)
    level = depends == 0 ? 0 : std::min(depth, llvm::Log2_64(depends) + 1);
  levels[level].add(cost, registers);
}

/// Registers that do not suffice, each stored and loaded again. A value is made
/// right before its first use (LLVM's scheduler and Common/Sink.h see to that)
/// and lives to its last one; constants and loop-invariant values can be read
/// from memory, where they are used; a result that carries a sum on takes the
/// place of the sum.
double Pricer::spills(Block &block) {
  double live = 0;
  for (Value argument : block.getArguments())
    if (isa<VectorType>(argument.getType()))
      live += registersOf(argument.getType());
  auto isTemporary = [&](Value value) {
    Operation *op = value.getDefiningOp();
    return op && op->getBlock() == &block && isa<VectorType>(value.getType()) &&
           !op->hasTrait<OpTrait::ConstantLike>();
  };
  DenseMap<Value, Operation *> lastUse;
  for (Operation &op : block)
    for (Value operand : op.getOperands())
      if (isTemporary(operand))
        lastUse[operand] = &op;
  double most = live;
  llvm::SmallDenseSet<Value> open;
  for (Operation &op : block) {
    double ending = 0;
    for (Value operand : op.getOperands())
      if (isTemporary(operand) && !chains.contains(operand)) {
        double registers = registersOf(operand.getType());
        if (open.insert(operand).second)
          live += registers;
        if (lastUse.lookup(operand) == &op)
          ending += registers;
      }
    most = std::max(most, live);
    live -= ending;
  }
  return std::max(0.0, most - double(target.vectorRegisters));
}

void Pricer::charge(double cycles, unsigned reason, int loop) {
  waits[reason] += cycles * roundsAround(loop);
}

double Pricer::walkLoop(scf::ForOp op, int parent) {
  auto begin = valueOf(op.getLowerBound()), end = valueOf(op.getUpperBound()),
       step = valueOf(op.getStep());
  double rounds = 1;
  if (begin && end && step && *step > 0)
    // The last round may be a part of one; the first is whole, unless it is the
    // only one, and then its body knows.
    rounds = *end <= *begin
                 ? 0.0
                 : std::max(1.0, double(*end - *begin) / double(*step));
  int index = loops.size();
  unsigned depth = parent < 0 ? 0 : loops[parent].depth + 1;
  loops.push_back({rounds, parent, depth});
  uint64_t outer = (uint64_t(1) << depth) - 1, own = uint64_t(1) << depth;
  if (begin)
    known[op.getInductionVar()] = *begin;
  // Where a loop ends does not move what it touches.
  dependencies[op.getInductionVar()] =
      dependencies.lookup(op.getLowerBound()) | own;
  for (Value carried : op.getRegionIterArgs())
    dependencies[carried] = outer | own;
  for (Value result : op.getResults())
    dependencies[result] = outer;
  if (rounds == 0)
    return 0;

  DenseMap<Value, double> outside;
  std::swap(outside, chains);
  for (Value carried : op.getRegionIterArgs())
    chains[carried] = 0;
  levels.emplace_back();
  BlockCost body = walk(*op.getBody(), index);
  double chain = 0;
  if (!body.hasLoops)
    for (Value yielded : op.getBody()->getTerminator()->getOperands())
      if (auto found = chains.find(yielded); found != chains.end())
        chain = std::max(chain, found->second);
  auto [cycles, reason] = cyclesOf(levels.back(), core, LoopOverhead, chain);
  double spilled = body.hasLoops ? 0 : spills(*op.getBody());
  // A spill is a store and a load, and in the way of everything else.
  double spillCycles =
      spilled * (1 / double(core.stores) + 1 / double(core.loads));
  levels.pop_back();
  charge(cycles, reason, index);
  charge(spillCycles, std::size(Reasons) - 1, index);
  std::swap(outside, chains);
  return rounds * (cycles + spillCycles + body.cycles);
}

/// The cycles of the loops inside; what the block's own ops press on is in
/// `levels`.
Pricer::BlockCost Pricer::walk(Block &block, int loop) {
  BlockCost cost;
  for (Operation &op : block) {
    if (auto inner = dyn_cast<scf::ForOp>(op)) {
      cost.cycles += walkLoop(inner, loop);
      cost.hasLoops = true;
      continue;
    }
    if (auto branch = dyn_cast<scf::IfOp>(op)) {
      bool taken = valueOf(branch.getCondition()).value_or(1);
      Block *chosen = taken ? branch.thenBlock() : branch.elseBlock();
      if (!chosen)
        continue;
      BlockCost inside = walk(*chosen, loop);
      cost.cycles += inside.cycles;
      cost.hasLoops |= inside.hasLoops;
      continue;
    }
    walkOp(op, loop);
  }
  return cost;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// Distinct bytes that an access touches in one round of `loop`.
double Pricer::bytesInside(const Access &access, int loop) const {
  double bytes = access.bytes;
  for (int at = access.loop; at != loop; at = loops[at].parent) {
    if (at < 0)
      return 0; // not inside of it
    if (access.depends >> loops[at].depth & 1)
      bytes *= loops[at].rounds;
  }
  return bytes;
}

/// All that one round of a loop touches.
double Pricer::footprint(int loop) const {
  llvm::SmallDenseMap<Value, double> arrays;
  for (const Access &access : accesses)
    arrays[access.array] += bytesInside(access, loop);
  double total = 0;
  for (auto [array, bytes] : arrays)
    total += std::min(bytes, sizeOf(array));
  return total;
}

void Pricer::addMemory(Price &price) {
  std::vector<double> footprints;
  for (size_t loop = 0; loop < loops.size(); ++loop)
    footprints.push_back(footprint(loop));
  for (const Access &access : accesses) {
    double bytes = access.bytes, size = sizeOf(access.array);
    for (int at = access.loop; at >= 0; at = loops[at].parent) {
      const Loop &loop = loops[at];
      if (loop.rounds == 0) {
        bytes = 0;
        break;
      }
      if (access.depends >> loop.depth & 1) {
        bytes = std::min(bytes * loop.rounds, size);
        continue;
      }
      double again = bytes * (loop.rounds - 1) * roundsAround(loop.parent);
      if (again <= 0 || footprints[at] <= double(core.l1Bytes))
        continue;
      if (footprints[at] <= double(core.l2Bytes))
        price.l2Bytes += again;
      else if (footprints[at] <= double(core.l3Bytes))
        price.l3Bytes += again;
      else
        price.memoryBytes += again;
    }
    if (access.array == weight)
      price.memoryBytes += bytes;
    else if (!access.array.getDefiningOp<memref::AllocaOp>())
      price.l2Bytes += bytes;
  }
  double memoryRate = core.memoryRate * (streams > 1 ? core.twoStreams : 1.0f);
  double cycles = price.l2Bytes / core.l2Rate + price.l3Bytes / core.l3Rate +
                  price.memoryBytes / memoryRate;
  price.memoryUs = cycles / (1e3 * core.gigahertz);
}

Price Pricer::run(LaunchOp launch, func::FuncOp kernel) {
  Block &entry = kernel.getBody().front();
  SmallVector<Value> operands(launch.getInputs());
  llvm::append_range(operands, launch.getOutputs());
  for (auto [argument, operand] : llvm::zip(entry.getArguments(), operands)) {
    if (auto shaped = dyn_cast<ShapedType>(operand.getType())) {
      shapes[argument] = llvm::to_vector(shaped.getShape());
      if (operand.getDefiningOp<LoadPackedOp>())
        weight = argument;
      continue;
    }
    IntegerAttr constant;
    if (matchPattern(operand, m_Constant(&constant)))
      known[argument] = constant.getValue().getSExtValue();
  }
  // [begin, end): all tasks.
  unsigned count = entry.getNumArguments();
  known[entry.getArgument(count - 2)] = 0;
  IntegerAttr tasks;
  if (matchPattern(launch.getCount(), m_Constant(&tasks)))
    known[entry.getArgument(count - 1)] = tasks.getValue().getSExtValue();
  else if (auto dim = launch.getCount().getDefiningOp<tensor::DimOp>())
    if (auto type = dyn_cast<RankedTensorType>(dim.getSource().getType()))
      if (auto index = dim.getConstantIndex())
        known[entry.getArgument(count - 1)] = type.getDimSize(*index);

  levels.emplace_back();
  BlockCost cost = walk(entry, -1);
  double cycles = cost.cycles + cyclesOf(levels.front(), core, 0, 0).first;
  Price price;
  price.computeUs = cycles / (1e3 * core.gigahertz);
  addMemory(price);
  price.microseconds = std::max(price.computeUs, price.memoryUs) +
                       Exposed * std::min(price.computeUs, price.memoryUs);
  price.bottleneck =
      Reasons[std::max_element(waits.begin(), waits.end()) - waits.begin()];
  return price;
}

} // namespace

Price &Price::operator+=(const Price &other) {
  if (other.computeUs > computeUs)
    bottleneck = other.bottleneck;
  microseconds += other.microseconds;
  computeUs += other.computeUs;
  memoryUs += other.memoryUs;
  l2Bytes += other.l2Bytes;
  l3Bytes += other.l3Bytes;
  memoryBytes += other.memoryBytes;
  return *this;
}

std::string Price::str() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::format("%.1f us: computing %.1f (", microseconds, computeUs)
     << bottleneck
     << llvm::format("), reading %.1f (%.2f MB from memory)", memoryUs,
                     memoryBytes / 1e6);
  return text;
}

Price mezzo::priceOf(LaunchOp launch, func::FuncOp kernel, const Target &target,
                     int64_t streams) {
  return Pricer(target, streams).run(launch, kernel);
}
