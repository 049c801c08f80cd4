//===- FoldedConstants.cpp - constants in another order -------------------===//

#include "passes/Frontend/FoldedConstants.h"

#include <cstring>

using namespace mlir;
using namespace mezzo;

bool mezzo::isFloatConstant(Node &node, unsigned input) {
  OnnxValue &value = node.in(input);
  return value.constant && isFloat(value.type) && bitWidth(value.type) >= 16 &&
         value.type != ElementType::F64;
}

SizedTensor mezzo::constantF32(Node &node, StringRef name,
                               ArrayRef<int64_t> shape,
                               ArrayRef<float> numbers) {
  auto type = RankedTensorType::get(shape, node.b.getF32Type());
  size_t bytes = numbers.size() * sizeof(float);
  Sizes sizes = node.sizes.constants(shape);
  if (bytes <= ConstantPool::SmallBytes)
    return {arith::ConstantOp::create(node.b,
                                      DenseElementsAttr::get(type, numbers)),
            sizes};
  std::vector<uint8_t> copy(bytes);
  std::memcpy(copy.data(), numbers.data(), bytes);
  ElementsAttr data = node.constants.computed(name, type, std::move(copy));
  WeightOp weight = node.constants.weight(name, type, data);
  return {node.constants.load(weight).getResult(0), sizes};
}

FailureOr<SizedTensor> mezzo::gatherConstant(Node &node, unsigned input,
                                             ArrayRef<int64_t> shape,
                                             ArrayRef<int64_t> places) {
  const TensorView &view = *node.in(input).constant;
  std::vector<float> numbers(places.size());
  auto fill = [&](auto number) {
    for (size_t i = 0; i < places.size(); ++i)
      numbers[i] = places[i] < 0 ? 0.0f : number(places[i]);
  };
  if (view.type == ElementType::F32) {
    fill([&](int64_t place) {
      float number;
      std::memcpy(&number, view.bytes.data() + place * sizeof(float),
                  sizeof(float));
      return number;
    });
  } else {
    llvm::Expected<SmallVector<float>> floats = view.toFloats();
    if (!floats)
      return node.error(floats.takeError());
    fill([&](int64_t place) { return (*floats)[place]; });
  }
  return constantF32(node, view.name, shape, numbers);
}

std::vector<int64_t> mezzo::transposedPlaces(ArrayRef<int64_t> shape,
                                             ArrayRef<int64_t> permutation) {
  size_t rank = shape.size();
  SmallVector<int64_t> strides(rank, 1), index(rank, 0);
  for (size_t dim = rank; dim-- > 1;)
    strides[dim - 1] = strides[dim] * shape[dim];
  int64_t count = rank ? strides[0] * shape[0] : 1;
  std::vector<int64_t> places(count);
  for (int64_t &place : places) {
    place = 0;
    for (size_t dim = 0; dim < rank; ++dim)
      place += index[dim] * strides[permutation[dim]];
    for (size_t dim = rank; dim-- > 0;) {
      if (++index[dim] < shape[permutation[dim]])
        break;
      index[dim] = 0;
    }
  }
  return places;
}

FailureOr<SizedTensor> mezzo::transposedF32(Node &node, unsigned input,
                                            ArrayRef<int64_t> permutation) {
  if (!isFloatConstant(node, input))
    return node.tensors.transpose(node.f32(input), permutation);
  ArrayRef<int64_t> shape = node.in(input).constant->dims;
  SmallVector<int64_t> transposed;
  for (int64_t dim : permutation)
    transposed.push_back(shape[dim]);
  return gatherConstant(node, input, transposed,
                        transposedPlaces(shape, permutation));
}
