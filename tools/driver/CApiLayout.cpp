//===- CApiLayout.cpp - layouts in C --------------------------------------===//

#include "tools/driver/CApi.h"

#include "lib/Layout/BoundLayout.h"
#include "lib/Layout/Catalogue.h"
#include "lib/Layout/Picture.h"
#include "lib/Layout/Relayout.h"

#include "llvm/ADT/STLExtras.h"

using namespace mezzo;
using namespace mezzo::capi;
using llvm::Error;
using llvm::Expected;

namespace {

Expected<BoundLayout> bind(const mezzo_layout &layout,
                           const mezzo_extents &given) {
  if (Error error =
          checkPointers({{given.axes, "axes"}, {given.sizes, "sizes"}}))
    return std::move(error);
  unsigned bits = given.bits ? unsigned(given.bits) : layout.bits;
  if (bits < 1 || bits > 8)
    return llvm::createStringError(
        given.bits
            ? "codes of " + llvm::Twine(given.bits) + " bits: a code has 1 to 8"
            : llvm::Twine("the layout does not tell how many bits a "
                          "code has: say so (bits)"));
  llvm::StringRef axes = given.axes;
  if (axes != "nk" && axes != "ngk")
    return llvm::createStringError("a tensor with the axes '" + axes +
                                   "': use 'nk' or 'ngk'");
  for (auto [index, axis] : llvm::enumerate(axes))
    if (given.sizes[index] <= 0)
      return llvm::createStringError(
          "axis " + llvm::Twine(axis) + " has size " +
          llvm::Twine(given.sizes[index]) + ": sizes must be positive");
  bool grouped = axes.size() == 3;
  return layout.value.bind(matrixExtents(layout.value, given.sizes[0],
                                         grouped ? given.sizes[1] : 1,
                                         given.sizes[grouped ? 2 : 1], bits));
}

/// Binds, and checks that the two buffers have the sizes of the tensor. A
/// layout that puts two codes into one place is refused: it could not be
/// unpacked.
Expected<BoundLayout> bindBuffers(const mezzo_layout &layout,
                                  const mezzo_extents &extents, int64_t count,
                                  int64_t size) {
  Expected<BoundLayout> bound = bind(layout, extents);
  if (!bound)
    return bound;
  int64_t codes = 1; // binding has checked that this does not overflow
  for (auto [axis, extent] : bound->extents())
    if (axis != 'b')
      codes *= extent;
  if (count != codes)
    return usage(llvm::Twine(count) + " codes for a tensor of " +
                 llvm::Twine(codes));
  if (size != bound->totalBytes())
    return usage(llvm::Twine(size) + " bytes for a packed tensor of " +
                 llvm::Twine(bound->totalBytes()));
  std::string why;
  if (!bound->isBijective(&why))
    return llvm::createStringError("the layout does not fit the tensor: " +
                                   why);
  return bound;
}

} // namespace

int32_t mezzo_layout_parse(const char *nameOrText, mezzo_layout **layout) {
  return guarded([&]() -> Error {
    if (Error error =
            checkPointers({{nameOrText, "name_or_text"}, {layout, "layout"}}))
      return error;
    *layout = nullptr;
    Expected<Layout> parsed = layoutByName(nameOrText);
    if (!parsed)
      return parsed.takeError();
    unsigned bits = codeBits(*parsed);
    std::string text = parsed->str();
    *layout = new mezzo_layout{std::move(*parsed), std::move(text), bits};
    return Error::success();
  });
}

void mezzo_layout_destroy(mezzo_layout *layout) { delete layout; }

int32_t mezzo_layout_names(char **text) {
  return guarded([&]() -> Error {
    if (Error error = checkPointers({{text, "text"}}))
      return error;
    std::string names;
    for (const CatalogueEntry &entry : catalogue())
      names += (names.empty() ? "" : "\n") + entry.name;
    return giveText(names, text);
  });
}

int32_t mezzo_layout_text(const mezzo_layout *layout, int32_t canonical,
                          char **text) {
  return guarded([&]() -> Error {
    if (Error error = checkPointers({{layout, "layout"}, {text, "text"}}))
      return error;
    return giveText(canonical ? layout->value.canonical().str() : layout->text,
                    text);
  });
}

int32_t mezzo_layout_bits(const mezzo_layout *layout) {
  return layout ? int32_t(layout->bits) : 0;
}

int32_t mezzo_layout_bytes(const mezzo_layout *layout,
                           const mezzo_extents *extents, int64_t *bytes) {
  return guarded([&]() -> Error {
    if (Error error = checkPointers(
            {{layout, "layout"}, {extents, "extents"}, {bytes, "bytes"}}))
      return error;
    Expected<BoundLayout> bound = bind(*layout, *extents);
    if (!bound)
      return bound.takeError();
    *bytes = bound->totalBytes();
    return Error::success();
  });
}

int32_t mezzo_layout_pack(const mezzo_layout *layout,
                          const mezzo_extents *extents, const uint8_t *codes,
                          int64_t count, uint8_t *bytes, int64_t size) {
  return guarded([&]() -> Error {
    if (Error error = checkPointers({{layout, "layout"},
                                     {extents, "extents"},
                                     {codes, "codes"},
                                     {bytes, "bytes"}}))
      return error;
    Expected<BoundLayout> bound = bindBuffers(*layout, *extents, count, size);
    if (!bound)
      return bound.takeError();
    return pack(*bound, {codes, size_t(count)}, {bytes, size_t(size)});
  });
}

int32_t mezzo_layout_unpack(const mezzo_layout *layout,
                            const mezzo_extents *extents, const uint8_t *bytes,
                            int64_t size, uint8_t *codes, int64_t count) {
  return guarded([&]() -> Error {
    if (Error error = checkPointers({{layout, "layout"},
                                     {extents, "extents"},
                                     {codes, "codes"},
                                     {bytes, "bytes"}}))
      return error;
    Expected<BoundLayout> bound = bindBuffers(*layout, *extents, count, size);
    if (!bound)
      return bound.takeError();
    return unpack(*bound, {bytes, size_t(size)}, {codes, size_t(count)});
  });
}

int32_t mezzo_layout_picture(const mezzo_layout *layout,
                             const mezzo_extents *extents, int32_t firstBits,
                             char **text) {
  return guarded([&]() -> Error {
    if (Error error = checkPointers(
            {{layout, "layout"}, {extents, "extents"}, {text, "text"}}))
      return error;
    *text = nullptr;
    if (firstBits < 1 || firstBits > 65536)
      return llvm::createStringError("a picture of " + llvm::Twine(firstBits) +
                                     " bits: draw 1 to 65536");
    Expected<BoundLayout> bound = bind(*layout, *extents);
    if (!bound)
      return bound.takeError();
    return giveText(picture(*bound, unsigned(firstBits)), text);
  });
}
