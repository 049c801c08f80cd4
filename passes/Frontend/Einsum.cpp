//===- Einsum.cpp - sums of products, by subscripts -----------------------===//

#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Scalars.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"

#include <map>

using namespace mlir;
using namespace mezzo;

namespace {

/// The subscripts of an operand, one per dimension. What "..." stands for are
/// '0', '1', ... of which the last dimension is always the same.
using Labels = SmallVector<char>;

struct Equation {
  SmallVector<Labels> operands;
  Labels result;
};

/// `text` without its dots, which become `dots` labels that end at '9'.
FailureOr<Labels> readLabels(Node &node, StringRef text, int64_t rank,
                             bool isResult) {
  Labels labels;
  size_t dots = text.find("...");
  int64_t letters = 0;
  for (char c : text)
    letters += llvm::isAlpha(c);
  int64_t hidden = rank - letters;
  for (size_t at = 0; at < text.size(); ++at) {
    if (at == dots) {
      for (int64_t i = hidden; i > 0; --i)
        labels.push_back(char('9' - i + 1));
      at += 2;
    } else if (llvm::isAlpha(text[at])) {
      labels.push_back(text[at]);
    } else {
      return node.error() << "its equation has the character "
                          << quoted(text.substr(at, 1))
                          << ": use letters, '...', ',' and '->'";
    }
  }
  if (hidden < 0 || hidden > 9 || (hidden > 0 && dots == StringRef::npos))
    return node.error() << "its equation gives " << quoted(text) << " to "
                        << (isResult ? "the result" : "an input") << " of rank "
                        << rank << "; export the model again";
  return labels;
}

FailureOr<Equation> readEquation(Node &node) {
  std::string text;
  for (char c : node.text("equation", ""))
    if (c != ' ')
      text.push_back(c);
  auto [left, right] = StringRef(text).split("->");
  SmallVector<StringRef> operands;
  left.split(operands, ',');
  if (operands.size() != node.numInputs())
    return node.error() << "its equation has " << operands.size()
                        << " operands for " << node.numInputs()
                        << " inputs; export the model again";
  Equation equation;
  int64_t hidden = 0;
  for (auto [input, operand] : llvm::enumerate(operands)) {
    FailureOr<Labels> labels =
        readLabels(node, operand, node.rank(input), false);
    if (failed(labels))
      return failure();
    hidden = std::max<int64_t>(hidden, llvm::count_if(*labels, [](char c) {
                                 return llvm::isDigit(c);
                               }));
    equation.operands.push_back(*labels);
  }
  if (StringRef(text).contains("->")) {
    int64_t letters = llvm::count_if(right, llvm::isAlpha);
    FailureOr<Labels> labels = readLabels(
        node, right, letters + (right.contains("...") ? hidden : 0), true);
    if (failed(labels))
      return failure();
    equation.result = *labels;
    return equation;
  }
  // Without a right side: what is hidden, then every letter that occurs once,
  // in the order of the alphabet.
  std::map<char, int> counts;
  for (const Labels &labels : equation.operands)
    for (char label : labels)
      ++counts[label];
  for (auto [label, count] : counts)
    if (llvm::isDigit(label) || count == 1)
      equation.result.push_back(label);
  return equation;
}

//   Einsum("bij,bjk->bik", x, y)
//   -->
//   z[b, i, k] = the fold over ascending j of fma(x[b, i, j], y[b, j, k], z)
//
// Loops run over the labels of the result, then over the others in the order in
// which they first appear.
LogicalResult importEinsum(Node &node) {
  FailureOr<Equation> equation = readEquation(node);
  if (failed(equation))
    return failure();
  ElementType type = node.type(0);
  if (!isFloat(type) && !isInteger(type))
    return node.error() << "elements of type " << name(type)
                        << " are not supported here: use a floating point or "
                           "integer type";
  SmallVector<SizedTensor> operands;
  llvm::MapVector<char, Size> extents;
  for (char label : equation->result)
    extents[label] = node.sizes.constant(1);
  if (extents.size() != equation->result.size())
    return node.error() << "its equation names a dimension of the result "
                           "twice; export the model again";
  for (unsigned input = 0; input < node.numInputs(); ++input) {
    if (node.type(input) != type)
      return node.error() << "its inputs are of types " << name(type) << " and "
                          << name(node.type(input))
                          << ", but must be of one type; insert a Cast";
    SizedTensor x = node.numbers(input);
    operands.push_back(
        node.tensors.convertFloat(x, computeType(x.elementType())));
    for (auto [label, size] :
         llvm::zip_equal(equation->operands[input], x.sizes)) {
      auto [entry, isNew] = extents.insert({label, size});
      if (isNew)
        continue;
      std::optional<Sizes> common =
          node.tensors.broadcastSizes({{entry->second}, {size}});
      if (!common)
        return node.error()
               << "its dimension '" << std::string(1, label) << "' has "
               << describe(entry->second) << " and " << describe(size)
               << " elements; check the shapes of its inputs";
      entry->second = (*common)[0];
    }
  }
  ImplicitLocOpBuilder &b = node.b;
  llvm::DenseMap<char, unsigned> loopOf;
  SmallVector<utils::IteratorType> loops;
  for (auto &[label, size] : extents) {
    loopOf[label] = loops.size();
    loops.push_back(llvm::is_contained(equation->result, label)
                        ? utils::IteratorType::parallel
                        : utils::IteratorType::reduction);
  }
  SmallVector<AffineMap> maps;
  SmallVector<Value> values;
  for (auto [operand, labels] : llvm::zip_equal(operands, equation->operands)) {
    SmallVector<AffineExpr> place;
    Sizes wanted;
    for (auto [label, size] : llvm::zip_equal(labels, operand.sizes)) {
      bool stretched = getConstantIntValue(size) == 1 &&
                       getConstantIntValue(extents[label]) != 1;
      place.push_back(stretched ? b.getAffineConstantExpr(0)
                                : b.getAffineDimExpr(loopOf[label]));
      wanted.push_back(stretched ? size : extents[label]);
    }
    maps.push_back(AffineMap::get(loops.size(), 0, place, b.getContext()));
    values.push_back(node.tensors.broadcastTo(operand, wanted).value);
  }
  Sizes shape;
  SmallVector<AffineExpr> place;
  for (char label : equation->result) {
    shape.push_back(extents[label]);
    place.push_back(b.getAffineDimExpr(loopOf[label]));
  }
  maps.push_back(AffineMap::get(loops.size(), 0, place, b.getContext()));
  Type element = operands[0].elementType();
  Type declared = irType(b.getContext(), type);
  SizedTensor init = node.tensors.zeros(shape, element);
  auto generic = linalg::GenericOp::create(
      b, init.type(), values, ValueRange{init.value}, maps, loops,
      [&](OpBuilder &builder, Location loc, ValueRange x) {
        ImplicitLocOpBuilder b(loc, builder);
        ScalarBuilder s(b, element, type);
        Value product = x[0], sum = x.back();
        ValueRange factors = x.drop_back().drop_front();
        for (Value factor : factors.empty() ? factors : factors.drop_back())
          product = s.mul(product, factor);
        Value next = factors.empty() ? s.add(sum, product)
                     : isa<FloatType>(element)
                         ? math::FmaOp::create(b, product, factors.back(), sum)
                               .getResult()
                         : s.add(sum, s.mul(product, factors.back()));
        linalg::YieldOp::create(b, next);
      });
  SizedTensor y{generic.getResult(0), shape};
  if (isa<FloatType>(declared))
    y = node.tensors.convertFloat(y, declared);
  return node.result(y, type);
}

const OperatorRow rows[] = {
    {OnnxDomain, "Einsum", 12, 1, OperatorRow::Variadic, importEinsum},
};

} // namespace

ArrayRef<OperatorRow> mezzo::einsumOperators() { return rows; }
