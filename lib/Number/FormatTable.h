//===- FormatTable.h - the table behind a code book, private ----*- C++ -*-===//

#ifndef MEZZO_LIB_NUMBER_FORMATTABLE_H
#define MEZZO_LIB_NUMBER_FORMATTABLE_H

#include "lib/Number/Format.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>

namespace mezzo {

/// The entries of a code book, and the same sorted by value, for encode.
struct Format::Table {
  std::vector<float> entries;
  /// Fields by ascending value; of repeated values only the lowest field.
  std::vector<uint8_t> sorted;
  /// The name it prints as, if it has one.
  const char *name = nullptr;

  explicit Table(llvm::ArrayRef<float> values) : entries(values) {
    for (size_t raw = 0; raw < entries.size(); ++raw)
      sorted.push_back(static_cast<uint8_t>(raw));
    llvm::sort(sorted, [&](uint8_t a, uint8_t b) {
      return entries[a] != entries[b] ? entries[a] < entries[b] : a < b;
    });
    auto last =
        std::unique(sorted.begin(), sorted.end(), [&](uint8_t a, uint8_t b) {
          return entries[a] == entries[b];
        });
    sorted.erase(last, sorted.end());
  }
};

} // namespace mezzo

#endif // MEZZO_LIB_NUMBER_FORMATTABLE_H
