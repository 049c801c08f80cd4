//===- Loops.cpp - Loop and Scan ------------------------------------------===//
//
// What only counts becomes an scf.for, what asks a condition an scf.while. Both
// carry states and scan outputs as buffers: a round writes its results over
// them.
//
//===----------------------------------------------------------------------===//

#include "passes/Frontend/ControlFlow.h"
#include "passes/Frontend/Importer.h"
#include "passes/Frontend/Registry.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// A tensor that a loop carries from round to round.
struct State {
  SizedTensor tensor;
  ElementType type;
};

/// A result that is collected, a row per round.
struct Collected {
  ElementType type;
  SizedTensor rows; ///< all of them, before the loop: [rounds, ...]
  bool backwards;   ///< the last round gives the first row
};

/// A loop around the rounds of a body. Which results it collects is known only
/// when the body has been imported; so that happens in an op for the time
/// being, whose region then becomes that of the loop.
class RoundLoop {
public:
  RoundLoop(Node &node, const onnx::GraphProto &body, ArrayRef<State> states)
      : node(node), b(node.b), body(body), states(states) {}

  /// The inputs of the body in a round, the states among them.
  using Inputs = llvm::function_ref<SmallVector<OnnxValue>(
      Value round, ArrayRef<OnnxValue> states)>;

  /// Rounds 0 .. trips - 1. With `asksCondition`, the body's first output says
  /// whether there is another round, and `first` whether there is one at all;
  /// `trips` may then be null.
  LogicalResult build(Size trips, bool asksCondition, Value first,
                      unsigned conditions, ArrayRef<int64_t> backwards,
                      Inputs inputs);

  SmallVector<SizedTensor> finalStates, collected;
  SmallVector<ElementType> collectedTypes;

private:
  LogicalResult importBody(Block *block, Operation *draft, Size trips,
                           unsigned conditions, ArrayRef<int64_t> backwards,
                           Inputs inputs);
  void makeFor(Region &region, Size trips);
  void makeWhile(Region &region, Size trips, Value first);

  Node &node;
  ImplicitLocOpBuilder &b;
  const onnx::GraphProto &body;
  ArrayRef<State> states;
  SmallVector<Collected> collections;
  Value keep;              ///< in the body: whether there is another round
  SmallVector<Value> next; ///< in the body: what is carried on
  Value rounds;            ///< of an scf.while: how many there were
};

/// The tensor, in a buffer of its own where it may be that of a state.
SizedTensor detached(Node &node, SizedTensor tensor) {
  Operation *maker = tensor.value.getDefiningOp();
  if (maker && !isa<tensor::TensorDialect>(maker->getDialect()) &&
      !isa<UnrealizedConversionCastOp>(maker))
    return tensor;
  Value init = node.tensors.empty(tensor.sizes, tensor.elementType());
  return {linalg::CopyOp::create(node.b, tensor.value, init).getResult(0),
          tensor.sizes};
}

LogicalResult RoundLoop::importBody(Block *block, Operation *draft, Size trips,
                                    unsigned conditions,
                                    ArrayRef<int64_t> backwards,
                                    Inputs inputs) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(block);
  SizeArithmetic::Scope scope(node.sizes);
  Value round = block->addArgument(b.getIndexType(), b.getLoc());
  SmallVector<OnnxValue> before;
  for (const State &state : states) {
    Value argument =
        block->addArgument(state.tensor.value.getType(), b.getLoc());
    before.push_back(tensorValue({argument, state.tensor.sizes}, state.type));
  }
  FailureOr<SmallVector<OnnxValue>> outputs =
      node.importer.importSubgraph(body, inputs(round, before));
  if (failed(outputs))
    return failure();
  if (conditions) {
    SizedTensor flag =
        node.tensors.reshape(declaredTensor(node, (*outputs)[0]), {});
    keep = tensor::ExtractOp::create(b, flag.value, ValueRange());
  }
  SmallVector<SizedTensor> after;
  for (auto [index, state] : llvm::enumerate(before)) {
    OnnxValue &output = (*outputs)[conditions + index];
    if (failed(checkCarried(node, state, output, "its state " + Twine(index))))
      return failure();
    after.push_back(detached(node, declaredTensor(node, output)));
  }
  SmallVector<Value> rows;
  for (size_t output = conditions + states.size(); output < outputs->size();
       ++output) {
    size_t number = output - conditions - states.size();
    SizedTensor row = declaredTensor(node, (*outputs)[output]);
    std::optional<Sizes> sizes = sizesOutside(row.sizes, draft);
    if (!sizes)
      return node.error()
             << "its scan output " << number
             << " has a shape that is computed in its body, which is not "
                "supported; fix it with --dim or --shape";
    if (!trips)
      return node.error() << "it has scan outputs, but no trip count that says "
                             "how many at most; give it one";
    bool reverse = number < backwards.size() && backwards[number];
    Sizes all{trips}, one{node.sizes.constant(1)}, offsets{round};
    llvm::append_range(all, *sizes);
    llvm::append_range(one, *sizes);
    if (reverse) {
      Value last = arith::SubIOp::create(
          b, node.sizes.value(trips),
          arith::ConstantIndexOp::create(b, 1).getResult());
      offsets[0] = arith::SubIOp::create(b, last, round).getResult();
    }
    offsets.append(sizes->size(), node.sizes.constant(0));
    Type type = node.tensors.typeOf(all, row.elementType());
    Value into = block->addArgument(type, b.getLoc());
    rows.push_back(
        node.tensors
            .insert(node.tensors.reshape(row, one), {into, all}, offsets)
            .value);
    collections.push_back({(*outputs)[output].type, {Value(), all}, reverse});
  }
  // Last, when nothing reads the states of before any more.
  for (auto [state, tensor] : llvm::zip_equal(before, after))
    next.push_back(writeOver(node, tensor, {state.tensor, state.sizes}));
  llvm::append_range(next, rows);
  return success();
}

LogicalResult RoundLoop::build(Size trips, bool asksCondition, Value first,
                               unsigned conditions, ArrayRef<int64_t> backwards,
                               Inputs inputs) {
  if (trips)
    node.sizes.value(trips); // made before the loop, where it is used as well
  auto draft = scf::ExecuteRegionOp::create(b, TypeRange());
  Block *block = &draft.getRegion().emplaceBlock();
  if (failed(importBody(block, draft, trips, conditions, backwards, inputs)))
    return failure();
  for (auto [index, collection] : llvm::enumerate(collections)) {
    Value argument = block->getArgument(1 + states.size() + index);
    Type element = cast<ShapedType>(argument.getType()).getElementType();
    collection.rows = node.tensors.zeros(collection.rows.sizes, element);
  }
  if (asksCondition)
    makeWhile(draft.getRegion(), trips, first);
  else
    makeFor(draft.getRegion(), trips);
  draft.erase();
  return success();
}

void RoundLoop::makeFor(Region &region, Size trips) {
  SmallVector<Value> initial;
  for (const State &state : states)
    initial.push_back(state.tensor.value);
  for (const Collected &collection : collections)
    initial.push_back(collection.rows.value);
  Value zero = arith::ConstantIndexOp::create(b, 0),
        one = arith::ConstantIndexOp::create(b, 1);
  auto loop =
      scf::ForOp::create(b, zero, node.sizes.value(trips), one, initial);
  loop.getRegion().takeBody(region);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(loop.getBody());
    scf::YieldOp::create(b, next);
  }
  for (auto [state, result] : llvm::zip(states, loop.getResults()))
    finalStates.push_back({result, state.tensor.sizes});
  for (auto [collection, result] : llvm::zip_equal(
           collections, loop.getResults().drop_front(states.size()))) {
    collected.push_back({result, collection.rows.sizes});
    collectedTypes.push_back(collection.type);
  }
}

/// Carried are the round, states, rows, and whether there is another round.
void RoundLoop::makeWhile(Region &region, Size trips, Value first) {
  Value zero = arith::ConstantIndexOp::create(b, 0),
        one = arith::ConstantIndexOp::create(b, 1);
  SmallVector<Value> initial{zero};
  for (const State &state : states)
    initial.push_back(state.tensor.value);
  for (const Collected &collection : collections)
    initial.push_back(collection.rows.value);
  SmallVector<Type> results(ValueRange(initial).getTypes());
  initial.push_back(first);
  Value limit = trips ? node.sizes.value(trips) : Value();
  auto loop = scf::WhileOp::create(b, results, initial);
  OpBuilder::InsertionGuard guard(b);
  Block *before = &loop.getBefore().emplaceBlock();
  for (Value value : initial)
    before->addArgument(value.getType(), b.getLoc());
  b.setInsertionPointToStart(before);
  Value another = before->getArguments().back();
  if (limit) {
    Value left = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                       before->getArgument(0), limit);
    another = arith::AndIOp::create(b, another, left);
  }
  SmallVector<Value> forwarded(before->getArguments().drop_back());
  scf::ConditionOp::create(b, another, forwarded);
  loop.getAfter().takeBody(region);
  Block *after = &loop.getAfter().front();
  b.setInsertionPointToEnd(after);
  SmallVector<Value> yielded{
      arith::AddIOp::create(b, after->getArgument(0), one).getResult()};
  llvm::append_range(yielded, next);
  yielded.push_back(keep);
  scf::YieldOp::create(b, yielded);
  b.setInsertionPointAfter(loop);
  Size count = loop.getResult(0);
  for (auto [state, result] : llvm::zip(states, loop.getResults().drop_front()))
    finalStates.push_back({result, state.tensor.sizes});
  for (auto [collection, result] : llvm::zip_equal(
           collections, loop.getResults().drop_front(1 + states.size()))) {
    Sizes rows = collection.rows.sizes,
          offsets(rows.size(), node.sizes.constant(0));
    rows[0] = count;
    SizedTensor all{result, collection.rows.sizes};
    collected.push_back(node.tensors.slice(all, offsets, rows));
    collectedTypes.push_back(collection.type);
  }
}

/// Results of a loop as those of its node, from `output` on.
LogicalResult finish(Node &node, ArrayRef<State> states,
                     const RoundLoop &loop) {
  unsigned output = 0;
  for (auto [state, last] : llvm::zip_equal(states, loop.finalStates))
    if (failed(node.result(last, state.type, output++)))
      return failure();
  for (auto [rows, type] : llvm::zip_equal(loop.collected, loop.collectedTypes))
    if (output < node.numOutputs() && failed(node.result(rows, type, output++)))
      return failure();
  return success();
}

/// The flag in a tensor of one element.
Value flagOf(Node &node, unsigned input) {
  SizedTensor flag = node.tensors.reshape(node.tensor(input), {});
  return tensor::ExtractOp::create(node.b, flag.value, ValueRange());
}

//===----------------------------------------------------------------------===//
// Loop
//===----------------------------------------------------------------------===//

/// Whether a body only hands its condition through, or says yes.
bool onlyCounts(const onnx::GraphProto &body) {
  std::string name = body.output(0).name();
  auto isTrue = [](const onnx::TensorProto &tensor) {
    return tensor.raw_data() == std::string(1, '\1') ||
           (tensor.int32_data_size() == 1 && tensor.int32_data(0) == 1);
  };
  for (int step = 0; step < body.node_size() + 1; ++step) {
    if (name == body.input(1).name())
      return true;
    for (const onnx::TensorProto &tensor : body.initializer())
      if (tensor.name() == name)
        return isTrue(tensor);
    const onnx::NodeProto *maker = nullptr;
    for (const onnx::NodeProto &node : body.node())
      if (llvm::is_contained(node.output(), name))
        maker = &node;
    if (!maker)
      return false;
    if (maker->op_type() == "Constant")
      return maker->attribute_size() == 1 && maker->attribute(0).has_t() &&
             isTrue(maker->attribute(0).t());
    if (maker->op_type() != "Identity")
      return false;
    name = maker->input(0);
  }
  return false;
}

/// How many rounds a Loop has at most; null where it does not say.
Size tripsOf(Node &node) {
  if (!node.has(0))
    return {};
  if (std::optional<SmallVector<int64_t>> known = node.knownIntegers(0);
      known && known->size() == 1)
    return node.sizes.constant(std::max<int64_t>(0, (*known)[0]));
  if (std::optional<Sizes> tracked = node.elements(0);
      tracked && tracked->size() == 1)
    return node.sizes.maximum((*tracked)[0], node.sizes.constant(0));
  SizedTensor count = node.tensors.reshape(node.tensor(0), {});
  Value trips = tensor::ExtractOp::create(node.b, count.value, ValueRange());
  trips = arith::IndexCastOp::create(node.b, node.b.getIndexType(), trips);
  Value zero = arith::ConstantIndexOp::create(node.b, 0);
  return arith::MaxSIOp::create(node.b, trips, zero).getResult();
}

} // namespace

LogicalResult mezzo::importLoop(Node &node) {
  int64_t carried = std::max<int64_t>(0, int64_t(node.numInputs()) - 2);
  FailureOr<const onnx::GraphProto *> body =
      bodyOf(node, "body", carried + 2, carried + 1);
  if (failed(body))
    return failure();
  SmallVector<State> states;
  for (unsigned input = 2; input < node.numInputs(); ++input)
    states.push_back({node.tensor(input), node.type(input)});
  Size trips = tripsOf(node);
  bool counts = onlyCounts(**body);
  Value first;
  if (node.has(1)) {
    std::optional<SmallVector<int64_t>> known = node.knownIntegers(1);
    if (known && known->size() == 1 && !(*known)[0])
      trips = node.sizes.constant(0);
    counts &= known.has_value();
    if (!known)
      first = flagOf(node, 1);
  }
  if (!first)
    first = arith::ConstantOp::create(node.b, node.b.getBoolAttr(true));
  if (counts && !trips)
    return node.error() << "it has neither a trip count nor a condition that "
                           "its body computes: it would not end";
  RoundLoop loop(node, **body, states);
  auto inputs = [&](Value round, ArrayRef<OnnxValue> states) {
    SmallVector<OnnxValue> all(2);
    all[0].type = ElementType::I64;
    all[0].elements = Sizes{Size(round)};
    all[1].type = ElementType::Bool; // else there would be no such round
    all[1].elements = Sizes{node.sizes.constant(1)};
    all.append(states.begin(), states.end());
    return all;
  };
  if (failed(loop.build(trips, !counts, first, /*conditions=*/1, {}, inputs)))
    return failure();
  return finish(node, states, loop);
}

//===----------------------------------------------------------------------===//
// Scan
//===----------------------------------------------------------------------===//

LogicalResult mezzo::importScan(Node &node) {
  int64_t scanned = node.integer("num_scan_inputs", 0),
          carried = int64_t(node.numInputs()) - scanned;
  if (scanned < 1 || carried < 0)
    return node.error() << "it has " << node.numInputs()
                        << " inputs, and num_scan_inputs is " << scanned
                        << "; export the model again";
  FailureOr<const onnx::GraphProto *> body =
      bodyOf(node, "body", node.numInputs(), carried);
  if (failed(body))
    return failure();
  int64_t outputs = (*body)->output_size() - carried;
  auto list = [&](StringRef name,
                  int64_t count) -> FailureOr<SmallVector<int64_t>> {
    SmallVector<int64_t> given =
        node.integerList(name).value_or(SmallVector<int64_t>(count, 0));
    if (int64_t(given.size()) != count)
      return node.error() << "its attribute '" << name << "' has "
                          << given.size() << " entries, but " << count
                          << " are needed; export the model again";
    return given;
  };
  auto inputAxes = list("scan_input_axes", scanned),
       inputDirections = list("scan_input_directions", scanned),
       outputAxes = list("scan_output_axes", outputs),
       outputDirections = list("scan_output_directions", outputs);
  if (failed(inputAxes) || failed(inputDirections) || failed(outputAxes) ||
      failed(outputDirections))
    return failure();
  SmallVector<State> states;
  for (int64_t input = 0; input < carried; ++input)
    states.push_back({node.tensor(input), node.type(input)});
  SmallVector<SizedTensor> sequences;
  Size trips;
  for (int64_t input = 0; input < scanned; ++input) {
    SizedTensor x = node.tensor(carried + input);
    FailureOr<int64_t> axis = node.axis((*inputAxes)[input], x.rank());
    if (failed(axis))
      return failure();
    (*inputAxes)[input] = *axis;
    Size length = x.sizes[*axis];
    trips = trips ? node.sizes.unify(trips, length,
                                     node.subject() + ": its inputs have "
                                                      "another number of "
                                                      "elements to scan")
                  : length;
    sequences.push_back(x);
  }
  Value count = node.sizes.value(trips);
  RoundLoop loop(node, **body, states);
  auto inputs = [&](Value round, ArrayRef<OnnxValue> states) {
    SmallVector<OnnxValue> all(states.begin(), states.end());
    for (auto [index, x] : llvm::enumerate(sequences)) {
      Value at = round;
      if ((*inputDirections)[index]) {
        Value one = arith::ConstantIndexOp::create(node.b, 1);
        Value last = arith::SubIOp::create(node.b, count, one);
        at = arith::SubIOp::create(node.b, last, round);
      }
      int64_t axis = (*inputAxes)[index];
      Sizes offsets(x.rank(), node.sizes.constant(0)), shape = x.sizes,
                                                       rest = x.sizes;
      offsets[axis] = at;
      shape[axis] = node.sizes.constant(1);
      rest.erase(rest.begin() + axis);
      SizedTensor element =
          node.tensors.reshape(node.tensors.slice(x, offsets, shape), rest);
      all.push_back(tensorValue(element, node.type(carried + index)));
    }
    return all;
  };
  if (failed(loop.build(trips, /*asksCondition=*/false, Value(),
                        /*conditions=*/0, *outputDirections, inputs)))
    return failure();
  for (auto [rows, wanted] : llvm::zip_equal(loop.collected, *outputAxes)) {
    FailureOr<int64_t> axis = node.axis(wanted, rows.rank());
    if (failed(axis))
      return failure();
    SmallVector<int64_t> permutation;
    for (int64_t dim = 1; dim < rows.rank(); ++dim)
      permutation.push_back(dim);
    permutation.insert(permutation.begin() + *axis, 0);
    rows = node.tensors.transpose(rows, permutation);
  }
  return finish(node, states, loop);
}
