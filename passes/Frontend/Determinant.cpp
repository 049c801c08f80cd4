//===- Determinant.cpp - Det ----------------------------------------------===//

#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Scalars.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// Gaussian elimination with the largest element of a column as its pivot.
//
//   for k in 0 .. n - 1:
//     p = the row from k on with the largest |a[p, k]|; det *= +-a[p, k]
//     swap rows k and p
//     for i in k + 1 .. n - 1: row i -= a[i, k] / a[k, k] * row k
class Elimination {
public:
  Elimination(Node &node, SizedTensor matrices)
      : node(node), zero(node.sizes.value(node.sizes.constant(0))),
        one(node.sizes.value(node.sizes.constant(1))),
        n(node.sizes.value(matrices.sizes[1])), matrices(matrices) {}

  SizedTensor run() {
    ImplicitLocOpBuilder &b = node.b;
    SizedTensor init =
        node.tensors.filled({matrices.sizes[0]}, b.getF32FloatAttr(1));
    // The matrices are overwritten on the way.
    auto loop = scf::ForOp::create(
        b, zero, node.sizes.value(matrices.sizes[0]), one,
        ValueRange{init.value, matrices.value},
        [&](OpBuilder &builder, Location loc, Value m, ValueRange state) {
          ImplicitLocOpBuilder b(loc, builder);
          Value start = arith::ConstantOp::create(b, b.getF32FloatAttr(1));
          auto columns = scf::ForOp::create(
              b, zero, n, one, ValueRange{start, state[1]},
              [&](OpBuilder &inner, Location at, Value k, ValueRange carried) {
                ImplicitLocOpBuilder b(at, inner);
                auto [det, a] = column(b, m, k, carried[0], carried[1]);
                scf::YieldOp::create(b, ValueRange{det, a});
              });
          Value dets = tensor::InsertOp::create(b, columns.getResult(0),
                                                state[0], ValueRange{m});
          scf::YieldOp::create(b, ValueRange{dets, columns.getResult(1)});
        });
    return {loop.getResult(0), {matrices.sizes[0]}};
  }

private:
  Value at(ImplicitLocOpBuilder &b, Value a, Value m, Value i, Value j) {
    return tensor::ExtractOp::create(b, a, ValueRange{m, i, j});
  }

  std::pair<Value, Value> column(ImplicitLocOpBuilder &b, Value m, Value k,
                                 Value det, Value a) {
    ScalarBuilder s(b, b.getF32Type(), ElementType::F32);
    auto search = scf::ForOp::create(
        b, k, n, one, ValueRange{k, s.abs(at(b, a, m, k, k))},
        [&](OpBuilder &inner, Location loc, Value i, ValueRange best) {
          ImplicitLocOpBuilder b(loc, inner);
          ScalarBuilder s(b, b.getF32Type(), ElementType::F32);
          Value size = s.abs(at(b, a, m, i, k));
          Value larger = s.less(best[1], size);
          scf::YieldOp::create(b, ValueRange{s.select(larger, i, best[0]),
                                             s.select(larger, size, best[1])});
        });
    Value p = search.getResult(0), pivot = at(b, a, m, p, k);
    Value moved = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, p, k);
    det = s.mul(det, s.select(moved, s.neg(pivot), pivot));
    auto swap = scf::ForOp::create(
        b, zero, n, one, ValueRange{a},
        [&](OpBuilder &inner, Location loc, Value j, ValueRange state) {
          ImplicitLocOpBuilder b(loc, inner);
          Value upper = at(b, state[0], m, k, j),
                lower = at(b, state[0], m, p, j);
          Value next =
              tensor::InsertOp::create(b, lower, state[0], ValueRange{m, k, j});
          next = tensor::InsertOp::create(b, upper, next, ValueRange{m, p, j});
          scf::YieldOp::create(b, next);
        });
    Value below = arith::AddIOp::create(b, k, one);
    auto rows = scf::ForOp::create(
        b, below, n, one, ValueRange{swap.getResult(0)},
        [&](OpBuilder &inner, Location loc, Value i, ValueRange state) {
          ImplicitLocOpBuilder b(loc, inner);
          ScalarBuilder s(b, b.getF32Type(), ElementType::F32);
          // Without a pivot the determinant is 0 already.
          Value isZero = s.equal(pivot, s.constant(0));
          Value factor = s.select(isZero, s.constant(0),
                                  s.div(at(b, state[0], m, i, k), pivot, ""));
          auto row = scf::ForOp::create(
              b, k, n, one, state,
              [&](OpBuilder &inner, Location loc, Value j, ValueRange state) {
                ImplicitLocOpBuilder b(loc, inner);
                ScalarBuilder s(b, b.getF32Type(), ElementType::F32);
                Value value = s.sub(at(b, state[0], m, i, j),
                                    s.mul(factor, at(b, state[0], m, k, j)));
                scf::YieldOp::create(
                    b, tensor::InsertOp::create(b, value, state[0],
                                                ValueRange{m, i, j})
                           .getResult());
              });
          scf::YieldOp::create(b, row.getResult(0));
        });
    return {det, rows.getResult(0)};
  }

  Node &node;
  Value zero, one, n;
  SizedTensor matrices;
};

LogicalResult importDet(Node &node) {
  ElementType type = node.type(0);
  if (!isFloat(type) || type == ElementType::F64 || node.rank(0) < 2)
    return node.error() << "an input of type " << name(type) << " and rank "
                        << node.rank(0)
                        << " is not supported: use matrices of f32, f16 or "
                           "bf16";
  SizedTensor x = node.f32(0);
  Size rows = x.sizes[x.rank() - 2], columns = x.sizes.back();
  if (node.sizes.equal(rows, columns) == std::optional<bool>(false))
    return node.error() << "its matrices have the shape "
                        << describe({rows, columns}) << ", but must be square";
  Size n = node.sizes.unify(rows, columns,
                            node.subject() + ": the matrices are not square; "
                                             "check the inputs of the model");
  Sizes outer(x.sizes.begin(), x.sizes.end() - 2), whole = outer;
  whole.append({n, n});
  x = node.tensors.reshape(node.tensors.fit(x, whole),
                           {node.sizes.product(outer), n, n});
  SizedTensor y = node.tensors.reshape(Elimination(node, x).run(), outer);
  return node.result(
      node.tensors.convertFloat(y, irType(node.b.getContext(), type)), type);
}

const OperatorRow rows[] = {
    {OnnxDomain, "Det", 11, 1, 1, importDet},
};

} // namespace

ArrayRef<OperatorRow> mezzo::determinantOperators() { return rows; }
