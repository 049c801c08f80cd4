//===- PlanArena.cpp - every buffer in the context's arena ----------------===//
//
// A run allocates nothing from the system. Buffers of static size are placed at
// compile time: two buffers may share bytes when one is dead before the other
// is born. Time is the position of an operation in the body of the entry
// function, and a buffer lives from its allocation to the last operation that
// touches it or a view of it.
//
// Placement is first fit in order of decreasing size: for each buffer the
// lowest offset at which it overlaps no placed buffer that is alive at the same
// time. With sizes 8, 4, 4 and lives [0,2], [1,3], [3,4]:
//
//     offset 0        8    12
//            [ first  ]           the largest, at 0
//                     [second]    alive together with the first: behind it
//            [third]              born when the first is dead: in its place
//
// A buffer inside of a loop or a branch lives as long as the whole of it: no
// round reads what another one has left there, or the loop would carry it.
//
// Sizes that depend on the input are bumped at run time.
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "dialects/Mezzo/Mezzo.h"
#include "lib/Support/CheckedInt.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/SetVector.h"

namespace mezzo {
#define GEN_PASS_DEF_PLANARENA
#include "passes/Passes.h.inc"
} // namespace mezzo

using namespace mlir;
using namespace mezzo;

namespace {

constexpr int64_t Alignment = 64;

struct Buffer {
  memref::AllocOp op;
  int64_t bytes;
  int64_t born, dies; ///< positions in the body, both inclusive
  int64_t offset = 0;
};

/// The values that are the memory of `use` under another name: views, and what
/// loops and branches hand on.
SmallVector<Value> aliasesAt(OpOperand &use) {
  Operation *user = use.getOwner();
  unsigned number = use.getOperandNumber();
  if (isa<scf::YieldOp>(user)) {
    Operation *parent = user->getParentOp();
    if (auto loop = dyn_cast<scf::WhileOp>(parent))
      return {loop.getBeforeArguments()[number]};
    if (auto loop = dyn_cast<scf::ForOp>(parent))
      return {loop.getRegionIterArg(number), loop.getResult(number)};
    return {parent->getResult(number)};
  }
  if (auto loop = dyn_cast<scf::ForOp>(user)) {
    unsigned carried = number - loop.getNumControlOperands();
    return {loop.getRegionIterArg(carried), loop.getResult(carried)};
  }
  if (auto loop = dyn_cast<scf::WhileOp>(user))
    return {loop.getBeforeArguments()[number]};
  if (auto condition = dyn_cast<scf::ConditionOp>(user)) {
    auto loop = cast<scf::WhileOp>(condition->getParentOp());
    return {loop.getAfterArguments()[number - 1], loop.getResult(number - 1)};
  }
  return SmallVector<Value>(user->getResults());
}

/// The last position in `body` at which `value`, or its memory under another
/// name, is used.
int64_t lastUse(Value value, Block &body,
                const llvm::DenseMap<Operation *, int64_t> &positions) {
  int64_t last = 0;
  llvm::SetVector<Value> names;
  names.insert(value);
  for (size_t next = 0; next < names.size(); ++next)
    for (OpOperand &use : names[next].getUses()) {
      Operation *inBody = body.findAncestorOpInBlock(*use.getOwner());
      last = std::max(last, positions.lookup(inBody));
      for (Value alias : aliasesAt(use))
        if (isa<MemRefType>(alias.getType()))
          names.insert(alias);
    }
  return last;
}

/// First fit in order of size; returns the bytes that are needed.
int64_t place(MutableArrayRef<Buffer> buffers) {
  SmallVector<Buffer *> order;
  for (Buffer &buffer : buffers)
    order.push_back(&buffer);
  // Equals in the order they lie in: the plan must not depend on the sort.
  llvm::sort(order, [](Buffer *a, Buffer *b) {
    return a->bytes != b->bytes ? a->bytes > b->bytes : a < b;
  });
  int64_t total = 0;
  SmallVector<Buffer *> placed; // in order of offset
  for (Buffer *buffer : order) {
    int64_t offset = 0;
    for (Buffer *other : placed) {
      bool together =
          buffer->born <= other->dies && other->born <= buffer->dies;
      if (!together)
        continue;
      if (offset + buffer->bytes <= other->offset)
        break;
      offset = std::max(offset, other->offset + other->bytes);
    }
    buffer->offset = offset;
    total = std::max(total, offset + buffer->bytes);
    placed.insert(
        llvm::upper_bound(placed, offset,
                          [](int64_t at, Buffer *b) { return at < b->offset; }),
        buffer);
  }
  return total;
}

class PlanArenaPass : public mezzo::impl::PlanArenaBase<PlanArenaPass> {
  void runOnOperation() override {
    auto entry = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!entry) {
      getOperation().emitError("has no @main: run mezzo-form-entry first");
      return signalPassFailure();
    }
    Block &body = entry.front();
    llvm::DenseMap<Operation *, int64_t> positions;
    for (auto [position, op] : llvm::enumerate(body))
      positions[&op] = position;

    SmallVector<Buffer> fixed;
    SmallVector<memref::AllocOp> bumped;
    CheckedInt all = 0;
    entry.walk([&](memref::AllocOp op) {
      MemRefType type = op.getType();
      if (!type.hasStaticShape()) {
        bumped.push_back(op);
        return;
      }
      CheckedInt bytes = (CheckedInt::product(type.getShape()) * bytesOf(type))
                             .ceilDiv(Alignment) *
                         Alignment;
      all += bytes;
      if (bytes.isValid())
        fixed.push_back({op, *bytes, positions[body.findAncestorOpInBlock(*op)],
                         lastUse(op, body, positions)});
    });
    if (!all.isValid()) { // else no sum of offsets wraps around
      entry.emitError("needs intermediate tensors of 2^63 bytes or more: make "
                      "the static sizes smaller");
      return signalPassFailure();
    }
    int64_t total = place(fixed);
    rewriteFixed(body, fixed);
    for (memref::AllocOp op : bumped)
      rewriteBumped(op);
    entry.walk([](memref::DeallocOp op) { op.erase(); });
    getOperation()->setAttr(
        "mezzo.arena_bytes",
        IntegerAttr::get(IntegerType::get(&getContext(), 64), total));
  }

  static int64_t bytesOf(MemRefType type) {
    Type element = type.getElementType();
    return element.isIndex()
               ? 8
               : llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
  }

  //   %b = memref.alloc() : memref<4x8xf32>
  //   -->
  //   %b = memref.view %arena[offset] : memref<?xi8> to memref<4x8xf32>
  static void rewriteFixed(Block &body, ArrayRef<Buffer> buffers) {
    if (buffers.empty())
      return;
    OpBuilder builder = OpBuilder::atBlockBegin(&body);
    auto bytes = MemRefType::get({ShapedType::kDynamic}, builder.getI8Type());
    Value arena = ArenaOp::create(builder, body.getParentOp()->getLoc(), bytes);
    for (const Buffer &buffer : buffers) {
      memref::AllocOp op = buffer.op;
      builder.setInsertionPoint(op);
      Value offset =
          arith::ConstantIndexOp::create(builder, op.getLoc(), buffer.offset);
      auto view = memref::ViewOp::create(builder, op.getLoc(), op.getType(),
                                         arena, offset, ValueRange());
      op.replaceAllUsesWith(view.getResult());
      op.erase();
    }
  }

  //   %b = memref.alloc(%m) : memref<?x8xf32>
  //   -->
  //   %b = memref.view (mezzo.alloc %m * 32)[0][%m]
  //
  // A product that does not fit becomes the largest number, which no arena
  // has: were it to wrap around, a small buffer would be taken for a large one.
  static void rewriteBumped(memref::AllocOp op) {
    ImplicitLocOpBuilder b(op.getLoc(), op);
    MemRefType type = op.getType();
    CheckedInt fixed = bytesOf(type);
    for (int64_t size : type.getShape())
      if (!ShapedType::isDynamic(size))
        fixed *= size;
    Value most = arith::ConstantIntOp::create(b, b.getI64Type(), -1);
    Value bytes = fixed.isValid()
                      ? arith::ConstantIntOp::create(b, b.getI64Type(), *fixed)
                      : most;
    Value none = arith::ConstantIntOp::create(b, b.getI64Type(), 0);
    for (Value size : op.getDynamicSizes()) {
      size = arith::IndexCastOp::create(b, b.getI64Type(), size);
      auto product = arith::MulUIExtendedOp::create(b, bytes, size);
      Value fits = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                         product.getHigh(), none);
      bytes = arith::SelectOp::create(b, fits, product.getLow(), most);
    }
    bytes = arith::IndexCastOp::create(b, b.getIndexType(), bytes);
    Value memory = AllocOp::create(
        b, MemRefType::get({ShapedType::kDynamic}, b.getI8Type()), bytes);
    Value zero = arith::ConstantIndexOp::create(b, 0);
    auto view =
        memref::ViewOp::create(b, type, memory, zero, op.getDynamicSizes());
    op.replaceAllUsesWith(view.getResult());
    op.erase();
  }
};

} // namespace
