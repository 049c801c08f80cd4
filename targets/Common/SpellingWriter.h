//===- SpellingWriter.h - Words that spellings are written in -------------===//

#ifndef MEZZO_TARGETS_COMMON_SPELLINGWRITER_H
#define MEZZO_TARGETS_COMMON_SPELLINGWRITER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/PatternMatch.h"

namespace mezzo {

/// Writes ops at one place, so that a pattern reads like the instructions.
struct SpellingWriter {
  mlir::PatternRewriter &rewriter;
  mlir::Location loc;

  /// A vector of integers of `bits` each.
  mlir::VectorType type(int64_t elements, unsigned bits) {
    return mlir::VectorType::get(elements, rewriter.getIntegerType(bits));
  }
  mlir::Value splat(mlir::VectorType type, int64_t value) {
    auto element = mlir::cast<mlir::IntegerType>(type.getElementType());
    llvm::APInt bits(element.getWidth(), value, /*isSigned=*/false,
                     /*implicitTrunc=*/true);
    return mlir::arith::ConstantOp::create(
        rewriter, loc, mlir::DenseElementsAttr::get(type, bits));
  }
  mlir::Value as(mlir::VectorType type, mlir::Value value) {
    if (value.getType() == type)
      return value;
    return mlir::vector::BitCastOp::create(rewriter, loc, type, value);
  }
  mlir::Value call(llvm::StringRef intrinsic, mlir::VectorType type,
                   mlir::ValueRange operands) {
    return mlir::LLVM::CallIntrinsicOp::create(
               rewriter, loc, type, rewriter.getStringAttr(intrinsic), operands)
        .getResult(0);
  }
  mlir::Value and_(mlir::Value left, mlir::Value right) {
    return mlir::arith::AndIOp::create(rewriter, loc, left, right);
  }
  mlir::Value add(mlir::Value left, mlir::Value right) {
    return mlir::arith::AddIOp::create(rewriter, loc, left, right);
  }
  /// Every lane shifted by a constant.
  template <typename Op>
  mlir::Value shift(mlir::Value value, int64_t by) {
    auto type = mlir::cast<mlir::VectorType>(value.getType());
    return Op::create(rewriter, loc, value, splat(type, by));
  }
};

} // namespace mezzo

#endif // MEZZO_TARGETS_COMMON_SPELLINGWRITER_H
