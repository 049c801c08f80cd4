//===- Windows.h - sixteen windows side by side ---------------------------===//

#ifndef MEZZO_PASSES_KERNEL_WINDOWS_H
#define MEZZO_PASSES_KERNEL_WINDOWS_H

#include "passes/Kernel/KernelBuilder.h"

#include <optional>

namespace mezzo {

/// The windows of a convolution or pool, sixteen neighbours along the last
/// dimension at a time: lane i is the window of output column `first` + i.
///
/// What a tap of these windows reads is one row of the image, from a column
/// that may lie outside of it:
///
///     columns of the image      0   1   2   3   4   5   6   7
///     stride 1, pad 1, tap 0: -1  0   1   2   3   4   5 ...      lane 0 is 0
///     stride 2, pad 0, tap 1:       1       3       5       7
///
/// Where all lanes lie inside, that is one load (stride 1), every second
/// element of one (stride 2), else a gather; where some lie outside, a load
/// under a mask, which touches nothing outside of the image.
class Windows {
public:
  static constexpr int64_t Lanes = 16;

  /// One dimension, in values of type `index`.
  struct Dim {
    mlir::Value size, output, kernel, pad, stride, dilation;
  };
  /// Where a tap of the sixteen windows reads.
  struct Tap {
    Values outer;       ///< indices along the other dimensions, inside
    mlir::Value column; ///< of lane 0, perhaps outside
    mlir::Value inRow;  ///< whether the other indices were inside
    mlir::Value whole;  ///< whether a load without a mask may be used
  };

  /// `lastStride`: the stride of the last dimension if it is one of those that
  /// have a fast load, 1 or 2; else 0.
  Windows(KernelBuilder &b, mlir::Value image, llvm::ArrayRef<Dim> dims,
          int64_t lastStride)
      : b(b), image(image), dims(dims), lastStride(lastStride) {}

  /// Rows of the output of one channel: the product of all dimensions but the
  /// last.
  mlir::Value outputRows();
  /// The indices of a row along all dimensions but the last.
  Values rowIndices(mlir::Value row);
  /// All taps of a window.
  mlir::Value taps();
  /// The indices of a tap along all dimensions.
  Values tapIndices(mlir::Value tap);
  /// Loops over all taps in order.
  Values forEachTap(Values carried,
                    llvm::function_ref<Values(llvm::ArrayRef<mlir::Value> tap,
                                              Values carried)>
                        body);

  Tap at(llvm::ArrayRef<mlir::Value> row, mlir::Value firstColumn,
         llvm::ArrayRef<mlir::Value> tap);

  /// The sixteen elements, all of them inside.
  mlir::Value load(mlir::Value batch, mlir::Value channel, const Tap &tap);
  /// Which lanes lie inside.
  mlir::Value mask(const Tap &tap);
  mlir::Value loadMasked(mlir::Value batch, mlir::Value channel, const Tap &tap,
                         mlir::Value mask, mlir::Value outside);
  /// Either of them, with `outside` in the lanes that do not lie in the image.
  mlir::Value loadAny(mlir::Value batch, mlir::Value channel, const Tap &tap,
                      mlir::Value outside);

  /// How often lane i reads an index of the last dimension in [-margin, size +
  /// end) at this tap, 0 or 1, as i1.
  mlir::Value counted(const Tap &tap, mlir::Value margin, mlir::Value end);

  /// Writes the lanes that are columns of the output.
  void store(mlir::Value value, mlir::Value output, Values indices,
             mlir::Value firstColumn);
  /// Reads them back; the others are 0.
  mlir::Value reload(mlir::Value output, Values indices,
                     mlir::Value firstColumn, mlir::Type element);

  llvm::ArrayRef<Dim> dimensions() const { return dims; }

private:
  Values indices(mlir::Value batch, mlir::Value channel, const Tap &tap);
  /// i32 lanes: i * stride of the last dimension.
  mlir::Value steps();
  mlir::Value laneNumbers();
  mlir::Value columnMask(mlir::Value firstColumn);

  KernelBuilder &b;
  mlir::Value image;
  llvm::SmallVector<Dim> dims;
  int64_t lastStride;
};

} // namespace mezzo

#endif // MEZZO_PASSES_KERNEL_WINDOWS_H
