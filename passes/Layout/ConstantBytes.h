//===- ConstantBytes.h - the raw bytes of a constant ----------------------===//

#ifndef MEZZO_PASSES_LAYOUT_CONSTANTBYTES_H
#define MEZZO_PASSES_LAYOUT_CONSTANTBYTES_H

#include "lib/Support/FileOpen.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include <vector>

namespace mezzo {

/// The raw bytes of a constant: a resource, or dense elements (which may be a
/// splat).
class ConstantBytes {
public:
  explicit ConstantBytes(mlir::ElementsAttr attr) {
    int64_t count = attr.getNumElements();
    if (auto resource = llvm::dyn_cast<mlir::DenseResourceElementsAttr>(attr)) {
      if (mlir::AsmResourceBlob *blob = resource.getRawHandle().getBlob())
        view = llvm::ArrayRef<uint8_t>(
            reinterpret_cast<const uint8_t *>(blob->getData().data()),
            blob->getData().size());
      return;
    }
    auto dense = llvm::cast<mlir::DenseElementsAttr>(attr);
    mlir::Type element = attr.getElementType();
    llvm::ArrayRef<char> raw = dense.getRawData();
    if (element.isInteger(1)) { // packed bits: one byte each
      for (bool value : dense.getValues<bool>())
        copy.push_back(value);
      view = copy;
      return;
    }
    if (!dense.isSplat()) {
      view = llvm::ArrayRef<uint8_t>(
          reinterpret_cast<const uint8_t *>(raw.data()), raw.size());
      return;
    }
    for (int64_t i = 0; i < count; ++i)
      copy.insert(copy.end(), raw.begin(), raw.end());
    view = copy;
  }
  llvm::ArrayRef<uint8_t> bytes() const { return view; }
  /// Pages of the model's file that have been packed are not kept.
  ~ConstantBytes() { forgetPages(view); }
  ConstantBytes(const ConstantBytes &) = delete;

private:
  llvm::ArrayRef<uint8_t> view;
  std::vector<uint8_t> copy;
};

} // namespace mezzo

#endif // MEZZO_PASSES_LAYOUT_CONSTANTBYTES_H
