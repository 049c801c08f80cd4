//===- Recurrent.cpp - RNN, GRU and LSTM ----------------------------------===//
//
// The inputs of all steps are multiplied by W at once. Then a loop over the
// steps carries the state: h, c of an LSTM, and the outputs so far. A product
// with a quantized weight in it is found by mezzo-form-matmul as anywhere else.
//
//===----------------------------------------------------------------------===//

#include "passes/Frontend/FoldedConstants.h"
#include "passes/Frontend/RecurrentActivations.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Scalars.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// What is given per kind of cell.
struct Kind {
  int64_t gates;
  unsigned activations; ///< per direction
  const char *defaults[3];
};

constexpr Kind Rnn{1, 1, {"tanh"}}, Gru{3, 2, {"sigmoid", "tanh"}},
    Lstm{4, 3, {"sigmoid", "tanh", "tanh"}};

class Recurrence {
public:
  Recurrence(Node &node, const Kind &kind)
      : node(node), kind(kind), b(node.b) {}
  LogicalResult import();

private:
  LogicalResult readAttributes();
  LogicalResult readShapes();
  FailureOr<SizedTensor> part(unsigned input, int64_t direction,
                              ArrayRef<int64_t> shape);
  SizedTensor state(unsigned input, int64_t direction);
  LogicalResult direction(int64_t index);

  /// One step: gates of x, states -> states.
  SmallVector<SizedTensor> step(SizedTensor gates,
                                ArrayRef<SizedTensor> states);
  SmallVector<SizedTensor> rnnStep(SizedTensor gates, SizedTensor h);
  SmallVector<SizedTensor> gruStep(SizedTensor gates, SizedTensor h);
  SmallVector<SizedTensor> lstmStep(SizedTensor gates, SizedTensor h,
                                    SizedTensor c);
  SizedTensor multiply(SizedTensor x, SizedTensor w);
  SizedTensor gate(SizedTensor gates, int64_t index);
  SizedTensor map(ArrayRef<SizedTensor> operands,
                  llvm::function_ref<Value(ScalarBuilder &, ValueRange)> body);
  Value clip(ScalarBuilder &f, Value x);
  Value activate(ScalarBuilder &f, unsigned which, Value x) {
    return activations[currentDirection * kind.activations + which].apply(f, x);
  }
  SizedTensor whereRunning(SizedTensor next, SizedTensor before, Value time);

  Node &node;
  const Kind &kind;
  ImplicitLocOpBuilder &b;

  int64_t hidden = 0, directions = 1, currentDirection = 0;
  bool reverse = false, batchFirst = false, inputForget = false,
       linearBeforeReset = false;
  float clipAt = 0;
  SmallVector<Activation> activations;
  Size steps, batch, inputs;
  SizedTensor x; ///< [steps, batch, inputs]

  // Of the direction at hand: [hidden, gates * hidden], [gates * hidden], ...
  SizedTensor recurrent, bias, recurrentBias, peepholes;
  std::optional<SizedTensor> lengths;
  SmallVector<SizedTensor> outputs; ///< per direction: [steps, batch, hidden]
  SmallVector<SmallVector<SizedTensor>> finals; ///< per direction: h, c
};

//===----------------------------------------------------------------------===//
// Reading the operator
//===----------------------------------------------------------------------===//

LogicalResult Recurrence::readAttributes() {
  ElementType type = node.type(0);
  if (!isFloat(type) || type == ElementType::F64)
    return node.error() << "it computes in type " << name(type)
                        << ", which is not supported: use f32, f16 or bf16";
  std::string way = node.text("direction", "forward");
  if (way != "forward" && way != "reverse" && way != "bidirectional")
    return node.error() << "its direction is " << quoted(way)
                        << ": use forward, reverse or bidirectional";
  directions = way == "bidirectional" ? 2 : 1;
  reverse = way == "reverse";
  batchFirst = node.integer("layout", 0) != 0;
  inputForget = node.integer("input_forget", 0) != 0;
  linearBeforeReset = node.integer("linear_before_reset", 0) != 0;
  clipAt = node.real("clip", 0);
  SmallVector<StringRef> defaults;
  for (int64_t direction = 0; direction < directions; ++direction)
    for (unsigned i = 0; i < kind.activations; ++i)
      defaults.push_back(kind.defaults[i]);
  FailureOr<SmallVector<Activation>> functions =
      readActivations(node, defaults);
  if (failed(functions))
    return failure();
  activations = *functions;
  return success();
}

LogicalResult Recurrence::readShapes() {
  x = node.f32(0);
  if (x.rank() != 3 || node.rank(1) != 3 || node.rank(2) != 3)
    return node.error() << "its input, W and R have ranks " << x.rank() << ", "
                        << node.rank(1) << " and " << node.rank(2)
                        << ": all must be 3";
  std::optional<int64_t> recurrences = getConstantIntValue(node.in(2).sizes[2]);
  hidden = node.integer("hidden_size", recurrences.value_or(0));
  if (hidden < 1 || (recurrences && *recurrences != hidden))
    return node.error() << "its hidden_size is " << hidden
                        << ", and R has the shape "
                        << describe(node.in(2).sizes)
                        << "; export the model again";
  if (batchFirst)
    x = node.tensors.transpose(x, {1, 0, 2});
  steps = x.sizes[0];
  batch = x.sizes[1];
  inputs =
      node.sizes.unify(x.sizes[2], node.in(1).sizes[2],
                       node.subject() + ": its input has not the columns of W");
  for (auto [input, size] :
       {std::pair(1, 0), std::pair(1, 1), std::pair(2, 1)}) {
    int64_t wanted = size == 0 ? directions : kind.gates * hidden;
    if (node.sizes.equal(node.in(input).sizes[size],
                         node.sizes.constant(wanted)) == false)
      return node.error() << "its input " << input << " has the shape "
                          << describe(node.in(input).sizes) << ", but size "
                          << wanted << " is needed in dimension " << size;
  }
  return success();
}

/// One direction of an input [directions, ...], whose other sizes are known.
FailureOr<SizedTensor> Recurrence::part(unsigned input, int64_t direction,
                                        ArrayRef<int64_t> shape) {
  SizedTensor whole = node.f32(input);
  Sizes wanted = node.sizes.constants({directions}), one = wanted;
  llvm::append_range(wanted, node.sizes.constants(shape));
  if (whole.rank() != int64_t(wanted.size()))
    return node.error() << "its input " << input << " has the shape "
                        << describe(whole.sizes) << ", but " << describe(wanted)
                        << " is needed";
  for (auto [have, want] : llvm::zip_equal(whole.sizes, wanted)) {
    if (node.sizes.equal(have, want) == false)
      return node.error() << "its input " << input << " has the shape "
                          << describe(whole.sizes) << ", but "
                          << describe(wanted) << " is needed";
    node.sizes.unify(want, have,
                     node.subject() + ": its input " + Twine(input) +
                         " has another shape");
  }
  whole = node.tensors.fit(whole, wanted);
  Sizes offsets(wanted.size(), node.sizes.constant(0));
  offsets[0] = node.sizes.constant(direction);
  Sizes slice = wanted;
  slice[0] = node.sizes.constant(1);
  return node.tensors.reshape(node.tensors.slice(whole, offsets, slice),
                              node.sizes.constants(shape));
}

/// An initial state [directions, batch, hidden], 0 where it is not given.
SizedTensor Recurrence::state(unsigned input, int64_t direction) {
  Sizes shape{batch, node.sizes.constant(hidden)};
  if (!node.has(input))
    return node.tensors.zeros(shape, b.getF32Type());
  SizedTensor whole = node.f32(input);
  if (batchFirst)
    whole = node.tensors.transpose(whole, {1, 0, 2});
  Size count = node.sizes.constant(directions);
  Sizes wanted{count, batch, shape[1]};
  for (auto [have, want] : llvm::zip_equal(whole.sizes, wanted))
    node.sizes.unify(want, have,
                     node.subject() + ": its initial state has "
                                      "another shape");
  whole = node.tensors.fit(whole, wanted);
  Size zero = node.sizes.constant(0);
  SizedTensor one =
      node.tensors.slice(whole, {node.sizes.constant(direction), zero, zero},
                         {node.sizes.constant(1), batch, shape[1]});
  return node.tensors.reshape(one, shape);
}

//===----------------------------------------------------------------------===//
// One step
//===----------------------------------------------------------------------===//

SizedTensor
Recurrence::map(ArrayRef<SizedTensor> operands,
                llvm::function_ref<Value(ScalarBuilder &, ValueRange)> body) {
  return node.tensors.elementwise(
      operands, b.getF32Type(), [&](ImplicitLocOpBuilder &inner, ValueRange v) {
        ScalarBuilder f(inner, inner.getF32Type(), ElementType::F32);
        return body(f, v);
      });
}

SizedTensor Recurrence::multiply(SizedTensor x, SizedTensor w) {
  SizedTensor init =
      node.tensors.zeros({x.sizes[0], w.sizes[1]}, b.getF32Type());
  Value y = linalg::MatmulOp::create(b, TypeRange{init.value.getType()},
                                     ValueRange{x.value, w.value},
                                     ValueRange{init.value})
                .getResult(0);
  return {y, init.sizes};
}

/// Columns of one gate.
SizedTensor Recurrence::gate(SizedTensor gates, int64_t index) {
  return node.tensors.slice(
      gates, {node.sizes.constant(0), node.sizes.constant(index * hidden)},
      {gates.sizes[0], node.sizes.constant(hidden)});
}

Value Recurrence::clip(ScalarBuilder &f, Value x) {
  if (clipAt <= 0)
    return x;
  return f.min(f.max(x, f.constant(-clipAt)), f.constant(clipAt));
}

SmallVector<SizedTensor> Recurrence::rnnStep(SizedTensor gates, SizedTensor h) {
  return {
      map({gates, multiply(h, recurrent)}, [&](ScalarBuilder &f, ValueRange v) {
        return activate(f, 0, clip(f, f.add(v[0], v[1])));
      })};
}

SmallVector<SizedTensor> Recurrence::gruStep(SizedTensor gates, SizedTensor h) {
  auto columns = [&](SizedTensor matrix, int64_t first, int64_t count) {
    return node.tensors.slice(
        matrix, {node.sizes.constant(0), node.sizes.constant(first * hidden)},
        {matrix.sizes[0], node.sizes.constant(count * hidden)});
  };
  auto sigma = [&](ScalarBuilder &f, ValueRange v) {
    return activate(f, 0, clip(f, f.add(v[0], v[1])));
  };
  SizedTensor z, r, candidate;
  if (linearBeforeReset) {
    SizedTensor all = multiply(h, recurrent);
    z = map({gate(gates, 0), gate(all, 0)}, sigma);
    r = map({gate(gates, 1), gate(all, 1)}, sigma);
    SizedTensor ofHidden =
        node.tensors.slice(recurrentBias, {node.sizes.constant(2 * hidden)},
                           {node.sizes.constant(hidden)});
    candidate = map({gate(gates, 2), r, gate(all, 2), ofHidden},
                    [&](ScalarBuilder &f, ValueRange v) {
                      Value reset = f.mul(v[1], f.add(v[2], v[3]));
                      return activate(f, 1, clip(f, f.add(v[0], reset)));
                    });
  } else {
    SizedTensor zr = multiply(h, columns(recurrent, 0, 2));
    z = map({gate(gates, 0), gate(zr, 0)}, sigma);
    r = map({gate(gates, 1), gate(zr, 1)}, sigma);
    SizedTensor reset = map({r, h}, [](ScalarBuilder &f, ValueRange v) {
      return f.mul(v[0], v[1]);
    });
    candidate = map({gate(gates, 2), multiply(reset, columns(recurrent, 2, 1))},
                    [&](ScalarBuilder &f, ValueRange v) {
                      return activate(f, 1, clip(f, f.add(v[0], v[1])));
                    });
  }
  return {map({z, candidate, h}, [](ScalarBuilder &f, ValueRange v) {
    Value keep = f.sub(f.constant(1), v[0]);
    return f.add(f.mul(keep, v[1]), f.mul(v[0], v[2]));
  })};
}

/// Gates in the order i, o, f, c; peepholes i, o, f.
SmallVector<SizedTensor> Recurrence::lstmStep(SizedTensor gates, SizedTensor h,
                                              SizedTensor c) {
  gates = map({gates, multiply(h, recurrent)},
              [](ScalarBuilder &f, ValueRange v) { return f.add(v[0], v[1]); });
  bool peeps = bool(peepholes.value);
  auto peep = [&](int64_t index) {
    return node.tensors.slice(peepholes, {node.sizes.constant(index * hidden)},
                              {node.sizes.constant(hidden)});
  };
  auto withPeep = [&](ScalarBuilder &f, Value gate, Value weight, Value cell) {
    return peeps ? f.add(gate, f.mul(weight, cell)) : gate;
  };
  SmallVector<SizedTensor> forCell{gate(gates, 0), gate(gates, 2),
                                   gate(gates, 3), c};
  if (peeps)
    forCell.append({peep(0), peep(2)});
  SizedTensor cell = map(forCell, [&](ScalarBuilder &f, ValueRange v) {
    Value i = activate(
        f, 0, clip(f, withPeep(f, v[0], peeps ? v[4] : Value(), v[3])));
    Value forget =
        inputForget ? f.sub(f.constant(1), i)
                    : activate(f, 0,
                               clip(f, withPeep(f, v[1], peeps ? v[5] : Value(),
                                                v[3])));
    Value next = activate(f, 1, clip(f, v[2]));
    return f.add(f.mul(forget, v[3]), f.mul(i, next));
  });
  SmallVector<SizedTensor> forHidden{gate(gates, 1), cell};
  if (peeps)
    forHidden.push_back(peep(1));
  SizedTensor hiddenState = map(forHidden, [&](ScalarBuilder &f, ValueRange v) {
    Value o = activate(
        f, 0, clip(f, withPeep(f, v[0], peeps ? v[2] : Value(), v[1])));
    return f.mul(o, activate(f, 2, v[1]));
  });
  return {hiddenState, cell};
}

SmallVector<SizedTensor> Recurrence::step(SizedTensor gates,
                                          ArrayRef<SizedTensor> states) {
  if (kind.gates == 1)
    return rnnStep(gates, states[0]);
  return kind.gates == 3 ? gruStep(gates, states[0])
                         : lstmStep(gates, states[0], states[1]);
}

/// Rows whose sequence has ended keep what they had.
SizedTensor Recurrence::whereRunning(SizedTensor next, SizedTensor before,
                                     Value time) {
  SizedTensor column =
      node.tensors.reshape(*lengths, {batch, node.sizes.constant(1)});
  return node.tensors.elementwise(
      {next, before, column}, b.getF32Type(),
      [&](ImplicitLocOpBuilder &inner, ValueRange v) -> Value {
        Value at = arith::IndexCastOp::create(inner, v[2].getType(), time);
        Value running =
            arith::CmpIOp::create(inner, arith::CmpIPredicate::slt, at, v[2]);
        return arith::SelectOp::create(inner, running, v[0], v[1]);
      });
}

//===----------------------------------------------------------------------===//
// All steps of a direction
//===----------------------------------------------------------------------===//

LogicalResult Recurrence::direction(int64_t index) {
  currentDirection = index;
  bool backwards = reverse || index == 1;
  int64_t gateRows = kind.gates * hidden;
  std::optional<int64_t> columns = getConstantIntValue(inputs);
  if (!columns)
    return node.error() << "its input has an unknown number of columns; fix it "
                           "with --dim or --shape";
  // Transposed once, at compile time where they are constants.
  auto transposed = [&](unsigned input,
                        int64_t width) -> FailureOr<SizedTensor> {
    FailureOr<SizedTensor> all = transposedF32(node, input, {0, 2, 1});
    if (failed(all))
      return failure();
    Size zero = node.sizes.constant(0);
    SizedTensor one =
        node.tensors.slice(*all, {node.sizes.constant(index), zero, zero},
                           node.sizes.constants({1, width, gateRows}));
    return node.tensors.reshape(one, node.sizes.constants({width, gateRows}));
  };
  FailureOr<SizedTensor> w = transposed(1, *columns);
  FailureOr<SizedTensor> r = transposed(2, hidden);
  if (failed(w) || failed(r))
    return failure();
  recurrent = *r;
  bias = recurrentBias =
      node.tensors.zeros({node.sizes.constant(gateRows)}, b.getF32Type());
  if (node.has(3)) {
    FailureOr<SizedTensor> both = part(3, index, {2 * gateRows});
    if (failed(both))
      return failure();
    Sizes half = node.sizes.constants({gateRows});
    bias = node.tensors.slice(*both, node.sizes.constants({0}), half);
    recurrentBias = node.tensors.slice(*both, half, half);
  }
  peepholes = {};
  if (kind.gates == 4 && node.has(7)) {
    FailureOr<SizedTensor> given = part(7, index, {3 * hidden});
    if (failed(given))
      return failure();
    peepholes = *given;
  }

  // x * W + bias for all steps. What is added to h * R is added here as well,
  // but for the candidate of a GRU that is reset after its product.
  Size rows = node.sizes.multiply(steps, batch);
  SizedTensor flat = node.tensors.reshape(x, {rows, inputs});
  SizedTensor projected =
      map({multiply(flat, *w), bias},
          [](ScalarBuilder &f, ValueRange v) { return f.add(v[0], v[1]); });
  SizedTensor added = recurrentBias;
  if (kind.gates == 3 && linearBeforeReset) {
    SizedTensor none =
        node.tensors.zeros(node.sizes.constants({hidden}), b.getF32Type());
    added = node.tensors.insert(none, recurrentBias,
                                node.sizes.constants({2 * hidden}));
  }
  projected = map({projected, added}, [](ScalarBuilder &f, ValueRange v) {
    return f.add(v[0], v[1]);
  });
  projected = node.tensors.reshape(
      projected, {steps, batch, node.sizes.constant(gateRows)});

  SmallVector<SizedTensor> initial{state(5, index)};
  if (kind.gates == 4)
    initial.push_back(state(6, index));
  Sizes stateSizes = initial[0].sizes;
  Sizes all{steps, batch, node.sizes.constant(hidden)};
  SizedTensor collected =
      lengths ? node.tensors.zeros(all, b.getF32Type())
              : SizedTensor{node.tensors.empty(all, b.getF32Type()), all};
  SmallVector<Value> carried{collected.value};
  for (const SizedTensor &one : initial)
    carried.push_back(one.value);

  Value zero = node.sizes.value(node.sizes.constant(0)),
        one = node.sizes.value(node.sizes.constant(1)),
        count = node.sizes.value(steps);
  node.sizes.value(batch); // what the body uses is made before it
  SizeArithmetic::Scope scope(node.sizes);
  auto loop = scf::ForOp::create(b, zero, count, one, carried);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value time = loop.getInductionVar();
    if (backwards) {
      Value last = arith::SubIOp::create(b, count, one);
      time = arith::SubIOp::create(b, last, time);
    }
    Size origin = node.sizes.constant(0);
    SizedTensor gates = node.tensors.reshape(
        node.tensors.slice(
            projected, {Size(time), origin, origin},
            {node.sizes.constant(1), batch, node.sizes.constant(gateRows)}),
        {batch, node.sizes.constant(gateRows)});
    SmallVector<SizedTensor> states;
    for (Value value : loop.getRegionIterArgs().drop_front())
      states.push_back({value, stateSizes});
    SmallVector<SizedTensor> next = step(gates, states);
    SizedTensor output = next[0];
    if (lengths) {
      for (auto [state, before] : llvm::zip_equal(next, states))
        state = whereRunning(state, before, time);
      output = whereRunning(
          output, node.tensors.zeros(stateSizes, b.getF32Type()), time);
    }
    SizedTensor row = node.tensors.reshape(
        output, {node.sizes.constant(1), batch, node.sizes.constant(hidden)});
    SizedTensor into{loop.getRegionIterArgs()[0], all};
    SmallVector<Value> yielded{
        node.tensors.insert(row, into, {Size(time), origin, origin}).value};
    // A loop carries buffers: the next state is written over the last one.
    for (auto [state, before] : llvm::zip_equal(next, states))
      yielded.push_back(
          linalg::CopyOp::create(b, state.value, before.value).getResult(0));
    scf::YieldOp::create(b, yielded);
  }
  outputs.push_back({loop.getResult(0), all});
  SmallVector<SizedTensor> &last = finals.emplace_back();
  for (Value value : loop.getResults().drop_front())
    last.push_back({value, stateSizes});
  return success();
}

LogicalResult Recurrence::import() {
  if (failed(readAttributes()) || failed(readShapes()))
    return failure();
  if (node.has(4)) {
    SizedTensor given = node.tensor(4);
    node.sizes.unify(batch, given.sizes[0],
                     node.subject() + ": its sequence_lens has not one entry "
                                      "per sequence");
    lengths = node.tensors.fit(given, {batch});
  }
  for (int64_t index = 0; index < directions; ++index)
    if (failed(direction(index)))
      return failure();

  Type element = irType(b.getContext(), node.type(0));
  auto put = [&](unsigned output, SizedTensor value) {
    return node.result(node.tensors.convertFloat(value, element), node.type(0),
                       output);
  };
  // The parts of all directions, along dimension `at` of the result.
  auto stack = [&](ArrayRef<SizedTensor> parts, size_t at) {
    Sizes part = parts[0].sizes;
    part.insert(part.begin() + at, node.sizes.constant(1));
    if (directions == 1)
      return node.tensors.reshape(parts[0], part);
    Sizes whole = part, offsets(part.size(), node.sizes.constant(0));
    whole[at] = node.sizes.constant(directions);
    SizedTensor result{node.tensors.empty(whole, b.getF32Type()), whole};
    for (auto [index, one] : llvm::enumerate(parts)) {
      offsets[at] = node.sizes.constant(index);
      result =
          node.tensors.insert(node.tensors.reshape(one, part), result, offsets);
    }
    return result;
  };
  if (node.wants(0)) { // [steps, directions, batch, hidden]
    SizedTensor y = stack(outputs, 1);
    if (batchFirst)
      y = node.tensors.transpose(y, {2, 0, 1, 3});
    if (failed(put(0, y)))
      return failure();
  }
  for (unsigned output = 1; output <= finals[0].size(); ++output) {
    if (!node.wants(output))
      continue;
    auto parts = llvm::map_to_vector(
        finals, [&](ArrayRef<SizedTensor> of) { return of[output - 1]; });
    SizedTensor y = stack(parts, 0); // [directions, batch, hidden]
    if (batchFirst)
      y = node.tensors.transpose(y, {1, 0, 2});
    if (failed(put(output, y)))
      return failure();
  }
  return success();
}

LogicalResult importRnn(Node &node) { return Recurrence(node, Rnn).import(); }
LogicalResult importGru(Node &node) { return Recurrence(node, Gru).import(); }
LogicalResult importLstm(Node &node) { return Recurrence(node, Lstm).import(); }

} // namespace

ArrayRef<OperatorRow> mezzo::recurrentOperators() {
  static const OperatorRow rows[] = {
      {OnnxDomain, "RNN", 7, 3, 6, importRnn},
      {OnnxDomain, "GRU", 7, 3, 6, importGru},
      {OnnxDomain, "LSTM", 7, 3, 8, importLstm},
  };
  return rows;
}
