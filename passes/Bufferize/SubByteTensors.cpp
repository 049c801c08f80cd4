//===- SubByteTensors.cpp - packed outside, a byte each inside ------------===//

#include "passes/Bufferize/SubByteTensors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace mezzo;

std::optional<PackedType> PackedType::of(StringRef dtype) {
  return llvm::StringSwitch<std::optional<PackedType>>(dtype)
      .Case("u2", PackedType{2, false})
      .Case("i2", PackedType{2, true})
      .Case("u4", PackedType{4, false})
      .Case("i4", PackedType{4, true})
      .Case("f4e2m1", PackedType{4, false})
      .Default(std::nullopt);
}

namespace {

Value constant(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

/// How many elements a buffer has.
Value countElements(ImplicitLocOpBuilder &b, Value buffer) {
  Value count = constant(b, 1);
  for (OpFoldResult size : memref::getMixedSizes(b, b.getLoc(), buffer))
    count = arith::MulIOp::create(
        b, count, getValueOrCreateConstantIndexOp(b, b.getLoc(), size));
  return count;
}

/// The bytes of a packed buffer, and their number.
std::pair<Value, Value> bytesOf(ImplicitLocOpBuilder &b, Value buffer,
                                Value count, int64_t perByte) {
  Value bytes = arith::DivUIOp::create(
      b, arith::AddIOp::create(b, count, constant(b, perByte - 1)),
      constant(b, perByte));
  auto type = MemRefType::get({ShapedType::kDynamic}, b.getI8Type());
  Value flat = memref::ReinterpretCastOp::create(
      b, type, buffer, b.getIndexAttr(0), ArrayRef<OpFoldResult>{bytes},
      ArrayRef<OpFoldResult>{b.getIndexAttr(1)});
  return {flat, bytes};
}

Value shiftOf(ImplicitLocOpBuilder &b, Value place, PackedType packed) {
  Value bits =
      arith::MulIOp::create(b, place, constant(b, int64_t(packed.bits)));
  return arith::IndexCastOp::create(b, b.getI8Type(), bits);
}

} // namespace

//   %x : memref<3x5xi8>, of which 8 bytes exist
//   -->
//   x[i, j] = bytes[(5 i + j) / 2] >> (5 i + j) % 2 * 4, its low bits extended
Value mezzo::unpack(OpBuilder &builder, Location loc, Value buffer,
                    PackedType packed) {
  ImplicitLocOpBuilder b(loc, builder);
  int64_t perByte = 8 / packed.bits;
  auto [flat, bytes] = bytesOf(b, buffer, countElements(b, buffer), perByte);
  Value source = bufferization::ToTensorOp::create(
      b, RankedTensorType::get({ShapedType::kDynamic}, b.getI8Type()), flat,
      /*restrict=*/true, /*writable=*/false);
  SmallVector<OpFoldResult> sizes = memref::getMixedSizes(b, loc, buffer);
  int64_t rank = sizes.size();
  Value init = tensor::EmptyOp::create(b, sizes, b.getI8Type());
  auto generic = linalg::GenericOp::create(
      b, init.getType(), ValueRange{}, ValueRange{init},
      ArrayRef<AffineMap>{b.getMultiDimIdentityMap(rank)},
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
      [&](OpBuilder &inner, Location at, ValueRange) {
        ImplicitLocOpBuilder b(at, inner);
        Value place = constant(b, 0);
        for (int64_t dim = 0; dim < rank; ++dim) {
          Value size = getValueOrCreateConstantIndexOp(b, at, sizes[dim]);
          place =
              arith::AddIOp::create(b, arith::MulIOp::create(b, place, size),
                                    linalg::IndexOp::create(b, dim));
        }
        Value per = constant(b, perByte);
        Value byte = tensor::ExtractOp::create(
            b, source, ValueRange{arith::DivUIOp::create(b, place, per)});
        Value shift = shiftOf(b, arith::RemUIOp::create(b, place, per), packed);
        Value code = arith::ShRUIOp::create(b, byte, shift);
        Value rest = arith::ConstantIntOp::create(b, b.getI8Type(),
                                                  8 - int64_t(packed.bits));
        code = arith::ShLIOp::create(b, code, rest);
        code = packed.isSigned
                   ? arith::ShRSIOp::create(b, code, rest).getResult()
                   : arith::ShRUIOp::create(b, code, rest).getResult();
        linalg::YieldOp::create(b, code);
      });
  return generic.getResult(0);
}

void mezzo::pack(OpBuilder &builder, Location loc, Value tensor, Value buffer,
                 PackedType packed) {
  ImplicitLocOpBuilder b(loc, builder);
  int64_t perByte = 8 / packed.bits;
  Value count = countElements(b, buffer);
  auto [flat, bytes] = bytesOf(b, buffer, count, perByte);
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<OpFoldResult> sizes = memref::getMixedSizes(b, loc, buffer);
  Value init =
      tensor::EmptyOp::create(b, ArrayRef<OpFoldResult>{bytes}, b.getI8Type());
  auto generic = linalg::GenericOp::create(
      b, init.getType(), ValueRange{}, ValueRange{init},
      ArrayRef<AffineMap>{b.getMultiDimIdentityMap(1)},
      ArrayRef<utils::IteratorType>{utils::IteratorType::parallel},
      [&](OpBuilder &inner, Location at, ValueRange) {
        ImplicitLocOpBuilder b(at, inner);
        Value byte = arith::ConstantIntOp::create(b, b.getI8Type(), 0);
        Value mask = arith::ConstantIntOp::create(b, b.getI8Type(),
                                                  (1 << packed.bits) - 1);
        Value first = arith::MulIOp::create(b, linalg::IndexOp::create(b, 0),
                                            constant(b, perByte));
        for (int64_t part = 0; part < perByte; ++part) {
          Value place = arith::AddIOp::create(b, first, constant(b, part));
          Value exists =
              arith::CmpIOp::create(b, arith::CmpIPredicate::ult, place, count);
          Value rest = arith::SelectOp::create(b, exists, place, first);
          SmallVector<Value> indices(type.getRank());
          for (int64_t dim = type.getRank(); dim-- > 0;) {
            Value size = getValueOrCreateConstantIndexOp(b, at, sizes[dim]);
            indices[dim] = arith::RemUIOp::create(b, rest, size);
            rest = arith::DivUIOp::create(b, rest, size);
          }
          Value code = arith::AndIOp::create(
              b, tensor::ExtractOp::create(b, tensor, indices), mask);
          code = arith::SelectOp::create(
              b, exists, code,
              arith::ConstantIntOp::create(b, b.getI8Type(), 0));
          code = arith::ShLIOp::create(b, code,
                                       shiftOf(b, constant(b, part), packed));
          byte = arith::OrIOp::create(b, byte, code);
        }
        linalg::YieldOp::create(b, byte);
      });
  bufferization::MaterializeInDestinationOp::create(
      b, Type(), generic.getResult(0), flat, /*restrict=*/true,
      /*writable=*/true);
}
