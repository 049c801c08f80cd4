//===- Ports.cpp - do arrays have as many ports as accesses need? ---------===//

#include "targets/HlsC/Ports.h"

#include "targets/HlsC/CodeBuilder.h"

#include "llvm/ADT/TypeSwitch.h"

#include <map>
#include <set>

using namespace mlir;
using namespace mezzo;
using namespace mezzo::hlsc;
using llvm::Twine;

namespace {

constexpr int64_t Unknown = INT64_MIN;

/// One access of an iteration: an index per dimension, or Unknown.
struct Access {
  std::vector<int64_t> indices;
  bool isWrite;
};

class Checker {
public:
  llvm::Error check(emitc::FuncOp function);

private:
  using Values = llvm::DenseMap<Value, int64_t>;

  void walkOutside(Block &block);
  void walkInside(Block &block);
  void record(emitc::SubscriptOp subscript);
  void judge(int64_t interval);
  int64_t evaluate(Value value);
  /// The op that an array comes from, in the function where it is declared.
  Operation *rootOf(Value array);
  static int64_t tripCount(emitc::ForOp loop);

  emitc::FuncOp current;
  Values values;
  llvm::DenseMap<Value, Operation *> roots;
  llvm::MapVector<Operation *, std::vector<Access>> accesses;
  std::string problem;
};

} // namespace

int64_t Checker::tripCount(emitc::ForOp loop) {
  auto end = loop.getUpperBound().getDefiningOp<emitc::ConstantOp>();
  auto integer = end ? dyn_cast<IntegerAttr>(end.getValue()) : IntegerAttr();
  return integer ? integer.getInt() : 1;
}

int64_t Checker::evaluate(Value value) {
  auto found = values.find(value);
  if (found != values.end())
    return found->second;
  Operation *op = value.getDefiningOp();
  if (!op)
    return Unknown;
  if (auto constant = dyn_cast<emitc::ConstantOp>(op)) {
    auto integer = dyn_cast<IntegerAttr>(constant.getValue());
    return integer ? int64_t(integer.getValue().getZExtValue()) : Unknown;
  }
  if (auto cast = dyn_cast<emitc::CastOp>(op))
    return evaluate(cast.getOperand());
  if (op->getNumOperands() != 2)
    return Unknown;
  int64_t x = evaluate(op->getOperand(0)), y = evaluate(op->getOperand(1));
  if (x == Unknown || y == Unknown)
    return Unknown;
  return llvm::TypeSwitch<Operation *, int64_t>(op)
      .Case([&](emitc::AddOp) { return x + y; })
      .Case([&](emitc::SubOp) { return x - y; })
      .Case([&](emitc::MulOp) { return x * y; })
      .Case([&](emitc::RemOp) { return y ? x % y : Unknown; })
      .Case([&](emitc::DivOp) { return y ? x / y : Unknown; })
      .Default([](Operation *) { return Unknown; });
}

Operation *Checker::rootOf(Value array) {
  auto found = roots.find(array);
  if (found != roots.end())
    return found->second;
  Operation *op = array.getDefiningOp();
  if (auto get = dyn_cast_or_null<emitc::GetGlobalOp>(op))
    return SymbolTable::lookupNearestSymbolFrom(op, get.getNameAttr());
  return op; // null: a parameter, whose memory is outside
}

void Checker::record(emitc::SubscriptOp subscript) {
  if (!isa<emitc::ArrayType>(subscript.getValue().getType()))
    return;
  Operation *root = rootOf(subscript.getValue());
  if (!root || !root->hasAttr(partitionAttrName()))
    return;
  Access access;
  for (Value index : subscript.getIndices())
    access.indices.push_back(evaluate(index));
  for (Operation *user : subscript->getUsers()) {
    access.isWrite = isa<emitc::AssignOp>(user);
    accesses[root].push_back(access);
  }
}

/// Everything happens in one iteration: loops are unrolled, branches are both
/// taken, calls are entered.
void Checker::walkInside(Block &block) {
  for (Operation &op : block) {
    if (auto subscript = dyn_cast<emitc::SubscriptOp>(op)) {
      record(subscript);
    } else if (auto loop = dyn_cast<emitc::ForOp>(op)) {
      for (int64_t i = 0, end = tripCount(loop); i < end; ++i) {
        values[loop.getInductionVar()] = i;
        walkInside(*loop.getBody());
      }
    } else if (auto branch = dyn_cast<emitc::IfOp>(op)) {
      for (Region &region : branch->getRegions())
        for (Block &inner : region)
          walkInside(inner);
    } else if (auto call = dyn_cast<emitc::CallOp>(op)) {
      auto callee = SymbolTable::lookupNearestSymbolFrom<emitc::FuncOp>(
          call, call.getCalleeAttr());
      for (auto [argument, value] :
           llvm::zip(callee.getArguments(), call.getOperands())) {
        if (isa<emitc::ArrayType>(argument.getType()))
          roots[argument] = rootOf(value);
        else
          values[argument] = evaluate(value);
      }
      walkInside(callee.getBody().front());
    }
  }
}

void Checker::judge(int64_t interval) {
  for (auto &[root, list] : accesses) {
    auto pairs = root->getAttrOfType<DenseI64ArrayAttr>(partitionAttrName())
                     .asArrayRef();
    std::map<std::vector<int64_t>, std::set<std::vector<int64_t>>> banks;
    int64_t serial = 0;
    for (const Access &access : list) {
      std::vector<int64_t> bank, address = access.indices;
      for (size_t at = 0; at < pairs.size(); at += 2) {
        int64_t &index = address[pairs[at]], factor = pairs[at + 1];
        bool isComplete = factor == 0;
        bool anywhere =
            llvm::any_of(list, [&, dimension = pairs[at]](const Access &other) {
              return other.indices[dimension] == Unknown;
            });
        if (!anywhere)
          bank.push_back(isComplete ? index : index % factor);
        index = isComplete ? 0 : index == Unknown ? index : index / factor;
      }
      // Where nobody knows, it may be an address of its own.
      for (int64_t &index : address)
        if (index == Unknown)
          index = --serial;
      address.push_back(access.isWrite);
      banks[bank].insert(address);
    }
    for (auto &[bank, addresses] : banks) {
      if (int64_t(addresses.size()) <= PortsPerBank * interval ||
          !problem.empty())
        continue;
      std::string name;
      if (auto symbol = dyn_cast<emitc::GlobalOp>(root))
        name = symbol.getSymName();
      else if (auto named = dyn_cast<NameLoc>(root->getLoc()))
        name = named.getName().str();
      std::string where;
      for (int64_t part : bank)
        where += (where.empty() ? "bank " : ", ") + std::to_string(part);
      problem =
          ("function '" + current.getName() + "' accesses " + where +
           (where.empty() ? "" : " of ") + "array '" + name + "' at " +
           Twine(addresses.size()) + " addresses in an iteration; with " +
           Twine(PortsPerBank) + " ports and an initiation interval of " +
           Twine(interval) + " there can be " + Twine(PortsPerBank * interval))
              .str();
    }
  }
  accesses.clear();
}

void Checker::walkOutside(Block &block) {
  for (Operation &op : block) {
    if (auto branch = dyn_cast<emitc::IfOp>(op))
      for (Region &region : branch->getRegions())
        for (Block &inner : region)
          walkOutside(inner);
    auto loop = dyn_cast<emitc::ForOp>(op);
    if (!loop)
      continue;
    int64_t end = tripCount(loop);
    auto interval = loop->getAttrOfType<IntegerAttr>(pipelineAttrName());
    for (int64_t i :
         std::set<int64_t>{0, std::min<int64_t>(1, end - 1), end - 1}) {
      values[loop.getInductionVar()] = i;
      if (!interval) {
        walkOutside(*loop.getBody());
        continue;
      }
      walkInside(*loop.getBody());
      judge(interval.getInt());
    }
  }
}

llvm::Error Checker::check(emitc::FuncOp function) {
  current = function;
  walkOutside(function.getBody().front());
  if (problem.empty())
    return llvm::Error::success();
  return llvm::createStringError(problem);
}

llvm::Error mezzo::hlsc::checkPorts(ModuleOp module) {
  for (auto function : module.getOps<emitc::FuncOp>())
    if (llvm::Error error = Checker().check(function))
      return error;
  return llvm::Error::success();
}
