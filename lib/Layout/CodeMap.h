//===- CodeMap.h - Addresses as sums of tables ----------------------------===//

#ifndef MEZZO_LIB_LAYOUT_CODEMAP_H
#define MEZZO_LIB_LAYOUT_CODEMAP_H

#include "lib/Layout/BoundLayout.h"

namespace mezzo {

/// A layout of a matrix as tables: every digit is a function of one axis, so
///
///     address(n, column, b) = rows[n] + columns[column] + offset(b)
///
/// in every piece, where a column is k, or g * (extent of k) + k. Consecutive
/// bits of a code that lie beside each other are moved as one run. Swizzled and
/// positional layouts have no such form.
class CodeMap {
public:
  /// What the row or column of a piece that does not cover it holds.
  static constexpr int64_t Absent = -1;

  /// Code bits [codeBit, codeBit + width) lie at `offset` of the code.
  struct Run {
    unsigned codeBit, width;
    int64_t offset;
  };
  struct PieceMap {
    std::vector<int64_t> rows, columns;
    llvm::SmallVector<Run, 2> runs;
    llvm::SmallVector<int64_t, 1> replicas;
  };

  /// Nothing where the layout has no such form.
  static std::optional<CodeMap> build(const BoundLayout &bound);

  int64_t rows() const { return rowCount; }
  int64_t columns() const { return columnCount; }
  llvm::ArrayRef<PieceMap> pieces() const { return list; }

  /// Reads codes (row, [begin, end)) into `codes`, XORed with `flip`.
  void read(llvm::ArrayRef<uint8_t> in, int64_t row, int64_t begin, int64_t end,
            uint8_t flip, uint8_t *codes) const;

  /// ORs codes into `out`, where `origin` is the address of its first bit.
  /// What `out` held at these places must be zero.
  void write(llvm::MutableArrayRef<uint8_t> out, int64_t origin, int64_t row,
             int64_t begin, int64_t end, const uint8_t *codes) const;

private:
  void readByTables(llvm::ArrayRef<uint8_t> in, int64_t row, int64_t begin,
                    int64_t end, uint8_t *codes) const;
  void readDense(llvm::ArrayRef<uint8_t> in, int64_t row, int64_t begin,
                 int64_t end, uint8_t flip, uint8_t *codes) const;
  void findDense();

  unsigned bits = 0;
  int64_t rowCount = 0, columnCount = 0;
  std::vector<PieceMap> list;
  /// Whether the codes of columns 8j .. 8j+7 lie without gaps from a whole
  /// byte on, in every row; and whether such groups follow each other too.
  bool denseEights = false, denseRows = false;
};

} // namespace mezzo

#endif // MEZZO_LIB_LAYOUT_CODEMAP_H
