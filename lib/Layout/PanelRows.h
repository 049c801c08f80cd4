//===- PanelRows.h - What both kinds of panels have in common -------------===//

#ifndef MEZZO_LIB_LAYOUT_PANELROWS_H
#define MEZZO_LIB_LAYOUT_PANELROWS_H

#include "lib/Layout/BoundLayout.h"
#include "lib/Layout/Panel.h"

namespace mezzo::layout_detail {

/// The rows of a panel. Evaluating a few positions proves something about all
/// only if nothing else looks at the higher ones: no swizzles, no conditions
/// outside the panel, and one digit each that counts steps and panels.
/// Otherwise, and where the rows are no multiple of `multiple`, an error.
llvm::Expected<int64_t> panelRows(const Layout &layout, unsigned multiple);

/// Bit addresses in two steps of two panels, which show all there is to know.
class StepAddresses {
public:
  static llvm::Expected<StepAddresses> get(const Layout &layout, int64_t rows,
                                           unsigned bits);

  int64_t operator()(int64_t n, int64_t k, int64_t b) const {
    if (grouped)
      return bound->bitAddress({n, 0, k, b});
    return bound->bitAddress({n, k, b});
  }

private:
  StepAddresses() = default;
  std::optional<BoundLayout> bound;
  bool grouped = false;
};

} // namespace mezzo::layout_detail

#endif // MEZZO_LIB_LAYOUT_PANELROWS_H
