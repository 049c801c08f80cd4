//===- Constants.cpp - initializers in IR, without copying them -----------===//

#include "passes/Frontend/Constants.h"

#include "passes/Frontend/Types.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace mezzo;

ElementsAttr ConstantPool::resource(StringRef name, RankedTensorType type,
                                    ArrayRef<uint8_t> bytes,
                                    std::shared_ptr<const void> owner) {
  // Files promise no alignment, and nobody reads these bytes but by memcpy.
  AsmResourceBlob blob = UnmanagedAsmResourceBlob::allocateWithAlign(
      ArrayRef<char>(reinterpret_cast<const char *>(bytes.data()),
                     bytes.size()),
      /*align=*/1, [owner = std::move(owner)](void *, size_t, size_t) mutable {
        owner.reset();
      });
  return DenseResourceElementsAttr::get(type, toIdentifier(name),
                                        std::move(blob));
}

ElementsAttr ConstantPool::inPlace(const TensorView &view,
                                   RankedTensorType type) {
  // The bytes live as long as their owner; those without one belong to whoever
  // made the model.
  auto owners = std::make_shared<
      std::pair<std::shared_ptr<void>, std::shared_ptr<const OnnxModel>>>(
      view.owner, model);
  return resource(view.name, type, view.bytes, owners);
}

ElementsAttr ConstantPool::computed(StringRef name, RankedTensorType type,
                                    std::vector<uint8_t> bytes) {
  auto owner = std::make_shared<std::vector<uint8_t>>(std::move(bytes));
  return resource(name, type, *owner, owner);
}

WeightOp ConstantPool::weight(StringRef name, RankedTensorType type,
                              ElementsAttr data) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(function);
  return WeightOp::create(b, names.get(name), type, data);
}

LoadWeightOp ConstantPool::load(WeightOp weight) {
  SmallVector<Type> types{weight.getTensorType()};
  for (auto part :
       {weight.getScales(), weight.getOffsets(), weight.getPermutation()})
    if (part)
      types.push_back(part->getType());
  return LoadWeightOp::create(b, types, weight.getSymName());
}

Value ConstantPool::tensor(const TensorView &view) {
  Type element = irType(b.getContext(), view.type);
  if (isa<QType>(element))
    return codes(view);
  auto type = RankedTensorType::get(view.dims, element);
  if (type.getNumElements() == 0)
    return arith::ConstantOp::create(
        b, DenseElementsAttr::get(type, ArrayRef<Attribute>()));
  if (view.bytes.size() <= SmallBytes) {
    if (view.type == ElementType::Bool) {
      auto flags = llvm::map_to_vector(view.bytes,
                                       [](uint8_t byte) { return byte != 0; });
      return arith::ConstantOp::create(
          b, DenseElementsAttr::get(type, ArrayRef<bool>(flags)));
    }
    ArrayRef<char> bytes(reinterpret_cast<const char *>(view.bytes.data()),
                         view.bytes.size());
    return arith::ConstantOp::create(
        b, DenseElementsAttr::getFromRawBuffer(type, bytes));
  }
  WeightOp &made = weights[{view.bytes.data(), type}];
  if (!made)
    made = weight(view.name, type, inPlace(view, type));
  return load(made).getResult(0);
}

Value ConstantPool::codes(const TensorView &view) {
  auto type =
      RankedTensorType::get(view.dims, codeType(b.getContext(), view.type));
  WeightOp &made = weights[{view.bytes.data(), type}];
  if (!made)
    made =
        weight(view.name, type,
               inPlace(view, RankedTensorType::get(int64_t(view.bytes.size()),
                                                   b.getI8Type())));
  return load(made).getResult(0);
}
