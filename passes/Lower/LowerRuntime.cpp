//===- LowerRuntime.cpp - ops that reach the runtime, in LLVM -------------===//

#include "passes/Lower/LowerRuntime.h"

#include "dialects/Mezzo/Mezzo.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// Positions in `mezzo_frame` (runtime/abi.h).
enum FrameField : int64_t { FrameWeights = 0, FrameArena = 8 };

/// mezzo_status of an error that emitted code finds.
constexpr int64_t RuntimeError = 12;

Value frameOf(Operation *op) {
  return op->getParentOfType<FunctionOpInterface>().getArgument(0);
}

/// A pointer that the frame holds.
Value loadFromFrame(OpBuilder &builder, Operation *op, FrameField field) {
  Location loc = op->getLoc();
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  Value address =
      LLVM::GEPOp::create(builder, loc, pointer, builder.getI8Type(),
                          frameOf(op), ArrayRef<LLVM::GEPArg>{int32_t(field)});
  return LLVM::LoadOp::create(builder, loc, pointer, address);
}

/// A function of the runtime, declared on first use.
LLVM::LLVMFuncOp runtimeFunction(Operation *op, StringRef name, Type result,
                                 ArrayRef<Type> arguments) {
  auto module = op->getParentOfType<ModuleOp>();
  if (auto known = module.lookupSymbol<LLVM::LLVMFuncOp>(name))
    return known;
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  return LLVM::LLVMFuncOp::create(
      builder, module.getLoc(), name,
      LLVM::LLVMFunctionType::get(result, arguments));
}

/// A constant C string of the module.
Value cString(OpBuilder &builder, Operation *op, StringRef text) {
  auto module = op->getParentOfType<ModuleOp>();
  std::string name =
      ("mezzo.message." + llvm::Twine(llvm::hash_value(text))).str();
  if (!module.lookupSymbol(name)) {
    OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
    std::string terminated = text.str() + '\0';
    auto type =
        LLVM::LLVMArrayType::get(builder.getI8Type(), terminated.size());
    LLVM::GlobalOp::create(top, module.getLoc(), type, /*isConstant=*/true,
                           LLVM::Linkage::Internal, name,
                           builder.getStringAttr(terminated));
  }
  return LLVM::AddressOfOp::create(
      builder, op->getLoc(), LLVM::LLVMPointerType::get(builder.getContext()),
      name);
}

/// A one-dimensional descriptor over `base`.
Value flatDescriptor(ConversionPatternRewriter &rewriter, Location loc,
                     const LLVMTypeConverter &converter, MemRefType type,
                     Value base, Value length) {
  auto index = converter.getIndexType();
  auto constant = [&](int64_t value) -> Value {
    return LLVM::ConstantOp::create(rewriter, loc, index,
                                    rewriter.getIntegerAttr(index, value));
  };
  SmallVector<Value> sizes, strides;
  if (type.hasStaticShape()) {
    int64_t stride = 1;
    for (int64_t size : llvm::reverse(type.getShape())) {
      sizes.insert(sizes.begin(), constant(size));
      strides.insert(strides.begin(), constant(stride));
      stride *= size;
    }
  } else {
    sizes.push_back(length);
    strides.push_back(constant(1));
  }
  SmallVector<Value> values{base, base, constant(0)};
  llvm::append_range(values, sizes);
  llvm::append_range(values, strides);
  return MemRefDescriptor::pack(rewriter, loc, converter, type, values);
}

struct LowerWeightView : ConvertOpToLLVMPattern<WeightViewOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(WeightViewOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Value weights = loadFromFrame(rewriter, op, FrameWeights);
    Value offset =
        LLVM::ConstantOp::create(rewriter, op.getLoc(), rewriter.getI64Type(),
                                 rewriter.getI64IntegerAttr(op.getOffset()));
    Value base = LLVM::GEPOp::create(rewriter, op.getLoc(), weights.getType(),
                                     rewriter.getI8Type(), weights, offset);
    rewriter.replaceOp(
        op, flatDescriptor(rewriter, op.getLoc(), *getTypeConverter(),
                           cast<MemRefType>(op.getType()), base, {}));
    return success();
  }
};

struct LowerArena : ConvertOpToLLVMPattern<ArenaOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(ArenaOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Value base = loadFromFrame(rewriter, op, FrameArena);
    // The length is the module's business; views are checked against it when
    // they are placed.
    Value length = LLVM::ConstantOp::create(
        rewriter, op.getLoc(), getIndexType(),
        rewriter.getIntegerAttr(getIndexType(), INT64_MAX));
    rewriter.replaceOp(
        op, flatDescriptor(rewriter, op.getLoc(), *getTypeConverter(),
                           cast<MemRefType>(op.getType()), base, length));
    return success();
  }
};

/// Splits the block at `op`: what follows runs where `good` holds; elsewhere
/// `report` is run and the function returns. No task is under way at such a
/// place, and what the arena holds is given back by the runtime, so there is
/// nothing to undo.
void returnUnless(ConversionPatternRewriter &rewriter, Operation *op,
                  Value good, llvm::function_ref<void()> report) {
  Location loc = op->getLoc();
  Block *before = rewriter.getInsertionBlock();
  Block *after = rewriter.splitBlock(before, rewriter.getInsertionPoint());
  rewriter.createBlock(after);
  Block *failing = rewriter.getInsertionBlock();
  report();
  func::ReturnOp::create(rewriter, loc);
  rewriter.setInsertionPointToEnd(before);
  LLVM::CondBrOp::create(rewriter, loc, good, after, failing);
  rewriter.setInsertionPointToStart(after);
}

/// What returns early returns nothing: @main hands its results over in
/// memory.
LogicalResult needsNoResults(ConversionPatternRewriter &rewriter,
                             Operation *op) {
  auto function = op->getParentOfType<func::FuncOp>();
  if (function && function.getNumResults() == 0)
    return success();
  return rewriter.notifyMatchFailure(op, "the function returns values");
}

//   %m = mezzo.alloc %bytes
//   -->
//   %m = mezzo_rt_alloc(frame, %bytes)      which records that there is none
//   if (%m == null) return
struct LowerAlloc : ConvertOpToLLVMPattern<AllocOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(AllocOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (failed(needsNoResults(rewriter, op)))
      return failure();
    Location loc = op.getLoc();
    Type pointer = LLVM::LLVMPointerType::get(getContext());
    auto alloc = runtimeFunction(op, "mezzo_rt_alloc", pointer,
                                 {pointer, rewriter.getI64Type()});
    Value memory =
        LLVM::CallOp::create(rewriter, loc, alloc,
                             ValueRange{frameOf(op), adaptor.getBytes()})
            .getResult();
    Value null = LLVM::ZeroOp::create(rewriter, loc, pointer);
    Value there = LLVM::ICmpOp::create(rewriter, loc, LLVM::ICmpPredicate::ne,
                                       memory, null);
    returnUnless(rewriter, op, there, [] {});
    rewriter.replaceOp(op, flatDescriptor(rewriter, loc, *getTypeConverter(),
                                          cast<MemRefType>(op.getType()),
                                          memory, adaptor.getBytes()));
    return success();
  }
};

//   mezzo.check %ok, "message"
//   -->
//   if (!ok) { mezzo_rt_fail(frame, MEZZO_ERROR_RUNTIME, "message"); return }
struct LowerCheck : ConvertOpToLLVMPattern<CheckOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(CheckOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (failed(needsNoResults(rewriter, op)))
      return failure();
    Location loc = op.getLoc();
    Type pointer = LLVM::LLVMPointerType::get(getContext()),
         i64 = rewriter.getI64Type();
    auto fail = runtimeFunction(op, "mezzo_rt_fail",
                                LLVM::LLVMVoidType::get(getContext()),
                                {pointer, i64, pointer});
    Value frame = frameOf(op);
    returnUnless(rewriter, op, adaptor.getCondition(), [&] {
      Value code = LLVM::ConstantOp::create(
          rewriter, loc, i64, rewriter.getI64IntegerAttr(RuntimeError));
      Value message = cString(rewriter, op, op.getMessage());
      LLVM::CallOp::create(rewriter, loc, fail,
                           ValueRange{frame, code, message});
    });
    rewriter.eraseOp(op);
    return success();
  }
};

//   mezzo.launch @k count(%n) grain = g ins(%x, %i) outs(%y)
//   -->
//   args = {descriptor of x, i, descriptor of y} on the stack
//   mezzo_rt_parallel_for(frame, @k.task, &args, n, g)
struct LowerLaunch : ConvertOpToLLVMPattern<LaunchOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(LaunchOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type pointer = LLVM::LLVMPointerType::get(getContext()),
         i64 = rewriter.getI64Type();
    SmallVector<Value> values(adaptor.getInputs());
    llvm::append_range(values, adaptor.getOutputs());
    SmallVector<Type> types;
    for (Value operand :
         llvm::concat<Value>(SmallVector<Value>(op.getInputs()),
                             SmallVector<Value>(op.getOutputs())))
      types.push_back(operand.getType());
    auto argsType = LLVM::LLVMStructType::getLiteral(
        getContext(), llvm::to_vector(ValueRange(values).getTypes()));

    Value args;
    { // in the entry block: a launch inside a loop must not grow the stack
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToStart(
          &op->getParentOfType<FunctionOpInterface>()
               .getFunctionBody()
               .front());
      Value one = LLVM::ConstantOp::create(rewriter, loc, i64,
                                           rewriter.getI64IntegerAttr(1));
      args = LLVM::AllocaOp::create(rewriter, loc, pointer, argsType, one);
    }
    for (auto [position, value] : llvm::enumerate(values)) {
      Value field =
          LLVM::GEPOp::create(rewriter, loc, pointer, argsType, args,
                              ArrayRef<LLVM::GEPArg>{0, int32_t(position)});
      LLVM::StoreOp::create(rewriter, loc, value, field);
    }
    std::string task = taskFunction(op, rewriter, argsType, types);
    auto parallelFor = runtimeFunction(op, "mezzo_rt_parallel_for",
                                       LLVM::LLVMVoidType::get(getContext()),
                                       {pointer, pointer, pointer, i64, i64});
    Value body = LLVM::AddressOfOp::create(rewriter, loc, pointer, task);
    Value grain = LLVM::ConstantOp::create(
        rewriter, loc, i64, rewriter.getI64IntegerAttr(op.getGrain()));
    LLVM::CallOp::create(
        rewriter, loc, parallelFor,
        ValueRange{frameOf(op), body, args, adaptor.getCount(), grain});
    rewriter.eraseOp(op);
    return success();
  }

  /// `void task(void *args, i64 begin, i64 end)`: unpacks the struct and calls
  /// the kernel. One per kernel.
  std::string taskFunction(LaunchOp op, ConversionPatternRewriter &rewriter,
                           Type argsType, TypeRange types) const {
    auto module = op->getParentOfType<ModuleOp>();
    std::string name = (op.getKernel() + ".task").str();
    if (module.lookupSymbol(name))
      return name;
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToEnd(module.getBody());
    Location loc = op.getLoc();
    Type pointer = LLVM::LLVMPointerType::get(getContext()),
         i64 = rewriter.getI64Type();
    auto type = LLVM::LLVMFunctionType::get(
        LLVM::LLVMVoidType::get(getContext()), {pointer, i64, i64});
    auto task = LLVM::LLVMFuncOp::create(rewriter, loc, name, type,
                                         LLVM::Linkage::Internal);
    Block *entry = task.addEntryBlock(rewriter);
    rewriter.setInsertionPointToStart(entry);
    SmallVector<Value> operands;
    for (auto [position, original] : llvm::enumerate(types)) {
      Type fieldType = cast<LLVM::LLVMStructType>(argsType).getBody()[position];
      Value field = LLVM::GEPOp::create(
          rewriter, loc, pointer, argsType, entry->getArgument(0),
          ArrayRef<LLVM::GEPArg>{0, int32_t(position)});
      Value value = LLVM::LoadOp::create(rewriter, loc, fieldType, field);
      if (auto memref = dyn_cast<MemRefType>(original))
        MemRefDescriptor::unpack(rewriter, loc, value, memref, operands);
      else
        operands.push_back(value);
    }
    operands.push_back(entry->getArgument(1));
    operands.push_back(entry->getArgument(2));
    LLVM::CallOp::create(rewriter, loc, TypeRange(), op.getKernel(), operands);
    LLVM::ReturnOp::create(rewriter, loc, ValueRange());
    return name;
  }
};

} // namespace

void mezzo::populateRuntimePatterns(const LLVMTypeConverter &converter,
                                    RewritePatternSet &patterns) {
  patterns
      .add<LowerWeightView, LowerArena, LowerAlloc, LowerCheck, LowerLaunch>(
          converter);
}
