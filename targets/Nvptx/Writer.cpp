//===- Writer.cpp - The words a GPU kernel is written in ------------------===//

#include "targets/Nvptx/Writer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mezzo::nvptx;

Writer::Writer(ModuleOp module)
    : ImplicitLocOpBuilder(module.getLoc(), module.getContext()) {
  setInsertionPointToEnd(module.getBody());
}

SmallVector<Value> Writer::kernel(ModuleOp module, StringRef name,
                                  ArrayRef<Type> types, unsigned threads) {
  auto type =
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(getContext()), types);
  auto function = LLVM::LLVMFuncOp::create(*this, name, type);
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(), getUnitAttr());
  function->setAttr(NVVM::NVVMDialect::getReqntidAttrName(),
                    getDenseI32ArrayAttr({int32_t(threads), 1, 1}));
  Block *entry = function.addEntryBlock(*this);
  setInsertionPointToStart(entry);
  return SmallVector<Value>(entry->getArguments());
}

Value Writer::sharedMemory(ModuleOp module) {
  static constexpr StringLiteral name = "mezzo_shared";
  if (!module.lookupSymbol(name)) {
    OpBuilder::InsertionGuard guard(*this);
    setInsertionPointToStart(module.getBody());
    LLVM::GlobalOp::create(*this, LLVM::LLVMArrayType::get(getI8Type(), 0),
                           /*isConstant=*/false, LLVM::Linkage::External, name,
                           Attribute(), /*alignment=*/16, Shared);
  }
  return LLVM::AddressOfOp::create(*this, pointer(Shared), name);
}

void Writer::ret() { LLVM::ReturnOp::create(*this, ValueRange()); }

Value Writer::i32(int32_t value) {
  return arith::ConstantIntOp::create(*this, getI32Type(), value);
}
Value Writer::f32(float value) {
  return arith::ConstantOp::create(*this, getF32FloatAttr(value));
}
Value Writer::zero(Type type) {
  return arith::ConstantOp::create(*this, getZeroAttr(type));
}
Type Writer::pointer(Space space) {
  return LLVM::LLVMPointerType::get(getContext(), space);
}
Type Writer::pairType() { return VectorType::get({2}, getF16Type()); }

Value Writer::add(Value a, Value b) {
  return createOrFold<arith::AddIOp>(a, b);
}
Value Writer::sub(Value a, Value b) {
  return createOrFold<arith::SubIOp>(a, b);
}
Value Writer::mul(Value a, Value b) {
  return createOrFold<arith::MulIOp>(a, b);
}
Value Writer::min(Value a, Value b) {
  return createOrFold<arith::MinSIOp>(a, b);
}
Value Writer::divide(Value a, int32_t b) {
  return createOrFold<arith::DivUIOp>(a, i32(b));
}
Value Writer::remainder(Value a, int32_t b) {
  return createOrFold<arith::RemUIOp>(a, i32(b));
}
Value Writer::ceilDivide(Value a, int32_t b) {
  return divide(add(a, i32(b - 1)), b);
}
Value Writer::bitAnd(Value a, Value b) {
  return createOrFold<arith::AndIOp>(a, b);
}
Value Writer::bitOr(Value a, Value b) {
  return createOrFold<arith::OrIOp>(a, b);
}
Value Writer::bitXor(Value a, Value b) {
  return createOrFold<arith::XOrIOp>(a, b);
}
Value Writer::shiftLeft(Value a, unsigned by) {
  return createOrFold<arith::ShLIOp>(a, i32(by));
}
Value Writer::shiftRight(Value a, unsigned by) {
  return createOrFold<arith::ShRUIOp>(a, i32(by));
}

Value Writer::andOr(Value a, Value b, Value c) {
  // The truth table of (a & b) | c. LLVM selects two instructions for it.
  return LLVM::InlineAsmOp::create(
             *this, getI32Type(), ValueRange{a, b, c},
             "lop3.b32 $0, $1, $2, $3, 0xea;", "=r,r,r,r",
             /*has_side_effects=*/false, /*is_align_stack=*/false,
             LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr())
      .getResult(0);
}

Value Writer::less(Value a, Value b) {
  return createOrFold<arith::CmpIOp>(arith::CmpIPredicate::slt, a, b);
}
Value Writer::equal(Value a, Value b) {
  return createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq, a, b);
}
Value Writer::select(Value condition, Value a, Value b) {
  return createOrFold<arith::SelectOp>(condition, a, b);
}
Value Writer::bitcast(Type type, Value value) {
  return value.getType() == type
             ? value
             : LLVM::BitcastOp::create(*this, type, value).getResult();
}

Value Writer::mulWide(Value a, Value b) {
  Type i64 = getI64Type();
  return createOrFold<arith::MulIOp>(arith::ExtUIOp::create(*this, i64, a),
                                     arith::ExtUIOp::create(*this, i64, b));
}
Value Writer::addWide(Value wide, Value b) {
  return createOrFold<arith::AddIOp>(
      wide, arith::ExtUIOp::create(*this, getI64Type(), b));
}
Value Writer::shiftLeftWide(Value wide, unsigned by) {
  return createOrFold<arith::ShLIOp>(
      wide, arith::ConstantIntOp::create(*this, getI64Type(), by));
}

Value Writer::fma(Value a, Value b, Value c) {
  return LLVM::FMAOp::create(*this, a, b, c);
}
Value Writer::mulFloat(Value a, Value b) {
  return arith::MulFOp::create(*this, a, b);
}
Value Writer::addFloat(Value a, Value b) {
  return arith::AddFOp::create(*this, a, b);
}
Value Writer::toFloat(Value integer) {
  return arith::SIToFPOp::create(*this, getF32Type(), integer);
}
Value Writer::sub16(Value a, Value b) {
  return arith::SubFOp::create(*this, a, b);
}

Value Writer::at(Value pointer, Value offset) {
  return atWide(pointer, createOrFold<arith::ExtSIOp>(getI64Type(), offset));
}
Value Writer::atWide(Value pointer, Value offset) {
  return LLVM::GEPOp::create(*this, pointer.getType(), getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{offset});
}
Value Writer::load(Type type, Value pointer) {
  return LLVM::LoadOp::create(*this, type, pointer,
                              type.getIntOrFloatBitWidth() / 8);
}
std::array<Value, 2> Writer::loadPair(Type type, Value pointer) {
  Value pair = LLVM::LoadOp::create(*this, VectorType::get({2}, type), pointer,
                                    type.getIntOrFloatBitWidth() / 4);
  return {LLVM::ExtractElementOp::create(*this, pair, i32(0)),
          LLVM::ExtractElementOp::create(*this, pair, i32(1))};
}
std::array<Value, 4> Writer::loadVector(Value pointer) {
  Value vector = LLVM::LoadOp::create(*this, VectorType::get({4}, getI32Type()),
                                      pointer, 16);
  std::array<Value, 4> words;
  for (int i = 0; i < 4; ++i)
    words[i] = LLVM::ExtractElementOp::create(*this, vector, i32(i));
  return words;
}
void Writer::store(Value value, Value pointer) {
  LLVM::StoreOp::create(*this, value, pointer,
                        value.getType().getIntOrFloatBitWidth() / 8);
}

void Writer::copyAsync(Value to, Value from, Value bytes) {
  NVVM::CpAsyncOp::create(*this, to, from, getI32IntegerAttr(16),
                          NVVM::LoadCacheModifierKindAttr::get(
                              getContext(), NVVM::LoadCacheModifierKind::CG),
                          bytes);
}
void Writer::commitGroup() { NVVM::CpAsyncCommitGroupOp::create(*this); }
void Writer::waitGroup(unsigned remaining) {
  NVVM::CpAsyncWaitGroupOp::create(*this, getI32IntegerAttr(remaining));
}

Value Writer::threadIndex() {
  return NVVM::ThreadIdXOp::create(*this, getI32Type());
}
Value Writer::blockIndex(char axis) {
  if (axis == 'x')
    return NVVM::BlockIdXOp::create(*this, getI32Type());
  return NVVM::BlockIdYOp::create(*this, getI32Type());
}
void Writer::barrier() { NVVM::Barrier0Op::create(*this); }

Value Writer::loadMatrix(Value pointer) {
  Type i32 = getI32Type();
  auto type =
      LLVM::LLVMStructType::getLiteral(getContext(), {i32, i32, i32, i32});
  return NVVM::LdMatrixOp::create(
      *this, type, pointer, getI32IntegerAttr(4),
      NVVM::MMALayoutAttr::get(getContext(), NVVM::MMALayout::row),
      NVVM::LdStMatrixShapeAttr::get(getContext(), 8, 8),
      NVVM::LdStMatrixEltTypeAttr::get(getContext(),
                                       NVVM::LdStMatrixEltType::B16));
}

void Writer::multiply(bool half, Value a, std::array<Value, 2> b,
                      MutableArrayRef<Value> sums) {
  SmallVector<Value, 4> as;
  for (int64_t i = 0; i < 4; ++i) {
    Value word = LLVM::ExtractValueOp::create(*this, a, i);
    as.push_back(half ? bitcast(pairType(), word) : word);
  }
  Type sum = sums[0].getType();
  Type result =
      LLVM::LLVMStructType::getLiteral(getContext(), {sum, sum, sum, sum});
  std::array<int64_t, 3> shape = {16, 8, half ? 16 : 32};
  std::optional<std::array<NVVM::MMATypes, 2>> types;
  std::optional<NVVM::MMAIntOverflow> overflow;
  if (!half) {
    types = {NVVM::MMATypes::s8, NVVM::MMATypes::u8};
    overflow = NVVM::MMAIntOverflow::wrapped;
  }
  auto mma = NVVM::MmaOp::create(
      *this, result, as, ValueRange{b[0], b[1]}, ValueRange(sums), shape,
      /*b1Op=*/std::nullopt, overflow, types,
      std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row,
                                     NVVM::MMALayout::col});
  for (int64_t i = 0; i < 4; ++i)
    sums[i] = LLVM::ExtractValueOp::create(*this, mma, i);
}

void Writer::ifThen(Value condition, llvm::function_ref<void()> body) {
  auto branch = scf::IfOp::create(*this, condition, /*withElse=*/false);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  body();
}

Values Writer::ifElse(Value condition, Values otherwise,
                      llvm::function_ref<Values()> body) {
  auto branch = scf::IfOp::create(*this, ValueRange(otherwise).getTypes(),
                                  condition, /*withElse=*/true);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(*this, body());
  setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(*this, otherwise);
  return Values(branch.getResults());
}

Values Writer::loop(Value begin, Value end, Values carried,
                    llvm::function_ref<Values(Value, Values)> body) {
  auto loop = scf::ForOp::create(*this, begin, end, i32(1), carried);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  Values next = body(loop.getInductionVar(), Values(loop.getRegionIterArgs()));
  scf::YieldOp::create(*this, next);
  return Values(loop.getResults());
}
