//===- Choices.h - what was chosen, as it is kept in a module -------------===//

#ifndef MEZZO_PASSES_SELECT_CHOICES_H
#define MEZZO_PASSES_SELECT_CHOICES_H

#include "mlir/IR/BuiltinOps.h"

namespace mezzo {

/// An array with a dictionary for each product: `product` (its key), `weight`,
/// `strategy`, `config`, `reason`, and `candidates`, the cheapest ones with
/// their prices, all of them text. It changes nothing; `mezzo explain` reads
/// it.
inline llvm::StringRef choicesAttrName() { return "mezzo.choices"; }

inline void addChoice(mlir::ModuleOp module, mlir::DictionaryAttr choice) {
  llvm::SmallVector<mlir::Attribute> choices;
  if (auto before = module->getAttrOfType<mlir::ArrayAttr>(choicesAttrName()))
    llvm::append_range(choices, before);
  choices.push_back(choice);
  module->setAttr(choicesAttrName(),
                  mlir::ArrayAttr::get(module.getContext(), choices));
}

} // namespace mezzo

#endif // MEZZO_PASSES_SELECT_CHOICES_H
