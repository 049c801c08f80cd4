//===- WindowKernels.cpp - kernels that reduce each window by itself ------===//

#include "passes/Kernel/WindowKernels.h"

#include "passes/Kernel/DenseTile.h"
#include "passes/Kernel/KernelTypes.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mezzo;

bool mezzo::isWindowOp(Operation *op) {
  return isa<DenseMatmulOp, ConvOp, PoolOp>(op);
}

bool mezzo::isDepthwise(ConvOp op) {
  auto input = cast<ShapedType>(op.getInput().getType());
  int64_t outputs = cast<ShapedType>(op.getOutput().getType()).getDimSize(1),
          groups = op.getGroups();
  // With several outputs per channel, a tile of them reads each window once.
  return input.getDimSize(1) == groups && !ShapedType::isDynamic(outputs) &&
         outputs < DenseTile::MostRows * groups &&
         input.getElementType().isF32();
}

int64_t mezzo::fastStride(ArrayRef<int64_t> strides) {
  return strides.back() <= 2 ? strides.back() : 0;
}

WindowArguments::WindowArguments(KernelBuilder &b, func::FuncOp function,
                                 unsigned count, unsigned spatialDims,
                                 bool hasMargins)
    : tensors(function.getArguments().take_front(count)) {
  auto rest = function.getArguments().drop_front(count);
  auto take = [&](unsigned number) {
    auto taken = rest.take_front(number);
    rest = rest.drop_front(number);
    return taken;
  };
  auto kernel = take(spatialDims), pads = take(spatialDims),
       strides = take(spatialDims), dilations = take(spatialDims);
  if (hasMargins)
    llvm::append_range(margins, take(2 * spatialDims));
  groups = take(1)[0];
  output = rest[0];
  begin = rest[1];
  end = rest[2];
  for (unsigned dim = 0; dim < spatialDims; ++dim)
    dims.push_back({memref::DimOp::create(b, tensors[0], dim + 2),
                    memref::DimOp::create(b, output, dim + 2), kernel[dim],
                    pads[dim], strides[dim], dilations[dim]});
}

//===----------------------------------------------------------------------===//
// Keys and launches
//===----------------------------------------------------------------------===//

static std::string strideKey(ArrayRef<int64_t> strides) {
  int64_t stride = fastStride(strides);
  return ".d" + std::to_string(strides.size()) +
         (stride ? ".s" + std::to_string(stride) : "");
}

static std::string elementKey(Value tensor) {
  Type type = cast<ShapedType>(tensor.getType()).getElementType();
  return std::string(isa<FloatType>(type) ? ".f" : ".i") +
         std::to_string(type.getIntOrFloatBitWidth());
}

std::string mezzo::windowKernelKey(Operation *op) {
  return llvm::TypeSwitch<Operation *, std::string>(op)
      .Case([&](DenseMatmulOp product) {
        return "dense_matmul" + elementKey(product.getLhs());
      })
      .Case([&](ConvOp conv) {
        return (isDepthwise(conv) ? "depthwise" : "conv") +
               elementKey(conv.getInput()) + strideKey(conv.getStrides()) +
               (conv.getBias() ? ".bias" : "");
      })
      .Case([&](PoolOp pool) {
        return "pool." + stringifyPoolKind(pool.getKind()).str() +
               elementKey(pool.getInput()) + strideKey(pool.getStrides());
      });
}

WindowLaunch mezzo::launchOf(OpBuilder &builder, Operation *op) {
  ImplicitLocOpBuilder plain(op->getLoc(), builder);
  KernelBuilder b(op->getLoc(), plain.getContext());
  b.setInsertionPoint(op);
  WindowLaunch launch;
  auto size = [&](Value tensor, int64_t dim) -> Value {
    return tensor::DimOp::create(b, tensor, dim);
  };
  auto blocks = [&](Value extent, int64_t block) {
    return b.ceilDivide(extent, block);
  };
  if (auto product = dyn_cast<DenseMatmulOp>(op)) {
    launch.inputs = {product.getLhs(), product.getRhs()};
    ReifiedRankedShapedTypeDims shapes;
    (void)product.reifyResultShapes(b, shapes);
    Type element =
        cast<ShapedType>(product.getOutput().getType()).getElementType();
    Value init = tensor::EmptyOp::create(b, shapes[0], element);
    if (init.getType() != product.getOutput().getType())
      init = tensor::CastOp::create(b, product.getOutput().getType(), init);
    launch.outputs = {init};
    launch.tasks = b.mul(size(init, 0), blocks(size(init, 2), 64));
    launch.grain = 1;
    return launch;
  }
  auto window = [&](auto op, int64_t groups, Value last, ValueRange margins) {
    llvm::append_range(launch.inputs, op.getKernel());
    llvm::append_range(launch.inputs, op.getPads());
    for (int64_t step :
         llvm::concat<const int64_t>(op.getStrides(), op.getDilations()))
      launch.inputs.push_back(b.index(step));
    llvm::append_range(launch.inputs, margins);
    launch.inputs.push_back(b.index(groups));
    launch.outputs = {op.getInit()};
    // Images, then rows, then what is left of the last dimension.
    int64_t rank = cast<ShapedType>(op.getInit().getType()).getRank();
    launch.tasks = b.mul(size(op.getInit(), 0), last);
    for (int64_t dim = 2; dim < rank - 1; ++dim)
      launch.tasks = b.mul(launch.tasks, size(op.getInit(), dim));
  };
  if (auto conv = dyn_cast<ConvOp>(op)) {
    launch.inputs = {conv.getInput(), conv.getWeight()};
    if (conv.getBias())
      launch.inputs.push_back(conv.getBias());
    int64_t rank = cast<ShapedType>(conv.getInit().getType()).getRank();
    Value last =
        isDepthwise(conv)
            ? size(conv.getInit(), 1)
            : b.mul(b.index(conv.getGroups()),
                    blocks(size(conv.getInit(), rank - 1), Windows::Lanes));
    window(conv, conv.getGroups(), last, {});
    launch.grain = isDepthwise(conv) ? 16 : 2;
  } else {
    auto pool = cast<PoolOp>(op);
    launch.inputs = {pool.getInput()};
    window(pool, 1, size(pool.getInit(), 1), pool.getMargins());
    launch.grain = 16;
  }
  return launch;
}

func::FuncOp mezzo::emitWindowKernel(ModuleOp module, Operation *op,
                                     StringRef name) {
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  OpBuilder before(op);
  // The same operands as a launch of it has, whose helpers are dropped again.
  SmallVector<Type> types;
  WindowLaunch launch = launchOf(before, op);
  for (Value operand : llvm::concat<Value>(launch.inputs, launch.outputs)) {
    auto shaped = dyn_cast<ShapedType>(operand.getType());
    types.push_back(shaped ? Type(anyShape(shaped)) : operand.getType());
  }
  types.append(2, builder.getIndexType());
  auto function = func::FuncOp::create(builder, op->getLoc(), name,
                                       builder.getFunctionType(types, {}));
  function.setPrivate();
  function.addEntryBlock();
  KernelBuilder b(op->getLoc(), function.getContext());
  b.setInsertionPointToStart(&function.front());
  func::ReturnOp::create(b);
  b.setInsertionPoint(function.front().getTerminator());
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](DenseMatmulOp product) {
        writeDenseMatmul(b, function, product);
      })
      .Case([&](ConvOp conv) {
        isDepthwise(conv) ? writeDepthwise(b, function, conv)
                          : writeConv(b, function, conv);
      })
      .Case([&](PoolOp pool) { writePool(b, function, pool); });
  return function;
}

//===----------------------------------------------------------------------===//
// Rows of windows
//===----------------------------------------------------------------------===//

namespace {

/// A task is a row of the output of one channel.
void forEachPanel(KernelBuilder &b, Windows &windows,
                  const WindowArguments &arguments,
                  llvm::function_ref<void(Value batch, Value channel,
                                          const Values &row, Value firstColumn)>
                      body) {
  Value rows = arith::MaxUIOp::create(b, windows.outputRows(), b.index(1));
  Value channels = arith::MaxUIOp::create(
      b, memref::DimOp::create(b, arguments.output, 1), b.index(1));
  b.loop(arguments.begin, arguments.end, 1, [&](Value task) {
    auto next = [&](Value radix) -> Value {
      Value digit = arith::RemUIOp::create(b, task, radix);
      task = arith::DivUIOp::create(b, task, radix);
      return digit;
    };
    Values row = windows.rowIndices(next(rows));
    Value channel = next(channels);
    b.loop(b.index(0), arguments.dims.back().output, Windows::Lanes,
           [&](Value first) { body(task, channel, row, first); });
  });
}

Values placeOf(Value batch, Value channel, const Values &row) {
  Values place{batch, channel};
  llvm::append_range(place, row);
  return place;
}

Value constantLanes(KernelBuilder &b, TypedAttr scalar) {
  auto type = VectorType::get(Windows::Lanes, scalar.getType());
  return arith::ConstantOp::create(b, DenseElementsAttr::get(type, scalar));
}

/// The least number of a type.
TypedAttr lowest(KernelBuilder &b, Type element) {
  if (isa<FloatType>(element))
    return b.getF32FloatAttr(-std::numeric_limits<float>::infinity());
  return b.getI32IntegerAttr(std::numeric_limits<int32_t>::min());
}

} // namespace

namespace {

/// A convolution channel by channel. The rows of the image that a row of the
/// output reads are copied to scratch memory with their padding around them, so
/// that no tap asks where it is; rows too long for that, images of three
/// dimensions and strides above 2 are read where they lie.
class DepthwiseWriter {
public:
  DepthwiseWriter(KernelBuilder &b, func::FuncOp function, ConvOp op)
      : b(b), arguments(b, function, op.getBias() ? 3 : 2,
                        op.getStrides().size(), /*margins=*/false),
        stride(fastStride(op.getStrides())),
        windows(b, arguments.tensors[0], arguments.dims, stride),
        zero(constantLanes(b, b.getF32FloatAttr(0))) {
    weight = arguments.tensors[1];
    if (op.getBias())
      bias = arguments.tensors[2];
    perChannel = arith::DivUIOp::create(
        b, memref::DimOp::create(b, arguments.output, 1), arguments.groups);
    perChannel = arith::MaxUIOp::create(b, perChannel, b.index(1));
    if (stride == 0 || arguments.dims.size() > 2)
      return;
    scratch = memref::AllocaOp::create(
        b, MemRefType::get({ScratchFloats}, b.getF32Type()),
        b.getI64IntegerAttr(64));
  }

  void write();

private:
  static constexpr int64_t ScratchFloats = 1 << 14, Lanes = Windows::Lanes;

  void fromScratch(Value batch, Value channel, Value output, const Values &row);
  void inPlace(Value batch, Value channel, Value output, const Values &row);
  void copyRow(Value batch, Value channel, Value row, Value inImage,
               Value target);
  void finish(Value sum, Value batch, Value output, const Values &row,
              Value first);
  Value splat(Value scalar) {
    return vector::BroadcastOp::create(
        b, VectorType::get(Lanes, b.getF32Type()), scalar);
  }
  Value tapWeight(Value output, Value tap) {
    return splat(memref::LoadOp::create(b, weight, ValueRange{output, tap}));
  }

  KernelBuilder &b;
  WindowArguments arguments;
  int64_t stride;
  Windows windows;
  Value zero, weight, bias, perChannel, scratch;
  Value rowLength; ///< floats from a row in scratch memory to the next
};

void DepthwiseWriter::write() {
  const Windows::Dim &last = arguments.dims.back();
  Value rowsPerWindow =
      arguments.dims.size() == 2 ? arguments.dims[0].kernel : b.index(1);
  Value fits;
  if (scratch) {
    // What the last lanes of the last panel read, rounded up.
    Value reach = b.mul(b.sub(last.kernel, b.index(1)), last.dilation);
    Value span = b.mul(b.mul(b.ceilDivide(last.output, Lanes), Lanes), stride);
    Value image = b.add(last.size, last.pad);
    rowLength =
        b.add(arith::MaxUIOp::create(b, b.add(span, reach), image).getResult(),
              2 * Lanes);
    fits = arith::CmpIOp::create(b, arith::CmpIPredicate::ule,
                                 b.mul(rowsPerWindow, rowLength),
                                 b.index(ScratchFloats));
  }
  Value rows = arith::MaxUIOp::create(b, windows.outputRows(), b.index(1));
  Value channels = arith::MaxUIOp::create(
      b, memref::DimOp::create(b, arguments.output, 1), b.index(1));
  b.loop(arguments.begin, arguments.end, 1, [&](Value task) {
    auto next = [&](Value radix) -> Value {
      Value digit = arith::RemUIOp::create(b, task, radix);
      task = arith::DivUIOp::create(b, task, radix);
      return digit;
    };
    Values row = windows.rowIndices(next(rows));
    Value output = next(channels);
    Value channel = arith::DivUIOp::create(b, output, perChannel);
    if (!scratch)
      return inPlace(task, channel, output, row);
    auto either = scf::IfOp::create(b, TypeRange(), fits, /*withElse=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(either.thenBlock());
    fromScratch(task, channel, output, row);
    b.setInsertionPointToStart(either.elseBlock());
    inPlace(task, channel, output, row);
  });
}

/// A row of the image between zeros; nothing but zeros where there is no such
/// row.
void DepthwiseWriter::copyRow(Value batch, Value channel, Value row,
                              Value inImage, Value target) {
  const Windows::Dim &last = arguments.dims.back();
  b.loop(b.index(0), b.roundDown(rowLength, Lanes), Lanes, [&](Value at) {
    vector::StoreOp::create(b, zero, scratch, ValueRange{b.add(target, at)});
  });
  Value count = arith::SelectOp::create(b, inImage, last.size, b.index(0));
  Value whole = b.roundDown(count, Lanes);
  auto copy = [&](Value at, int64_t lanes) {
    Values from{batch, channel};
    if (row)
      from.push_back(row);
    from.push_back(at);
    Values to{b.add(b.add(target, last.pad), at)};
    if (lanes > 1)
      vector::StoreOp::create(
          b,
          vector::LoadOp::create(b, cast<VectorType>(zero.getType()),
                                 arguments.tensors[0], from),
          scratch, to);
    else
      memref::StoreOp::create(
          b, memref::LoadOp::create(b, arguments.tensors[0], from), scratch,
          to);
  };
  b.loop(b.index(0), whole, Lanes, [&](Value at) { copy(at, Lanes); });
  b.loop(whole, count, 1, [&](Value at) { copy(at, 1); });
}

void DepthwiseWriter::fromScratch(Value batch, Value channel, Value output,
                                  const Values &row) {
  const Windows::Dim &last = arguments.dims.back();
  bool isImage = arguments.dims.size() == 2;
  Value rowsPerWindow = isImage ? arguments.dims[0].kernel : b.index(1);
  b.loop(b.index(0), rowsPerWindow, 1, [&](Value tap) {
    Value index, inImage = arith::ConstantOp::create(b, b.getBoolAttr(true));
    if (isImage) {
      const Windows::Dim &d = arguments.dims[0];
      index =
          b.add(b.sub(b.mul(row[0], d.stride), d.pad), b.mul(tap, d.dilation));
      inImage =
          arith::CmpIOp::create(b, arith::CmpIPredicate::ult, index, d.size);
    }
    copyRow(batch, channel, index, inImage, b.mul(tap, rowLength));
  });
  auto type = VectorType::get(Lanes * stride, b.getF32Type());
  b.loop(b.index(0), last.output, Lanes, [&](Value first) {
    Value column = b.mul(first, stride);
    Values sum = b.loop(
        b.index(0), rowsPerWindow, 1, {zero}, [&](Value r, Values carried) {
          Value start = b.add(b.mul(r, rowLength), column),
                firstTap = b.mul(r, last.kernel);
          return b.loop(
              b.index(0), last.kernel, 1, carried, [&](Value c, Values inner) {
                Value at = b.add(start, b.mul(c, last.dilation));
                Value x =
                    vector::LoadOp::create(b, type, scratch, ValueRange{at});
                if (stride == 2)
                  x = vector::DeinterleaveOp::create(b, x).getRes1();
                Value w = tapWeight(output, b.add(firstTap, c));
                return Values{math::FmaOp::create(b, w, x, inner[0])};
              });
        });
    finish(sum[0], batch, output, row, first);
  });
}

void DepthwiseWriter::inPlace(Value batch, Value channel, Value output,
                              const Values &row) {
  b.loop(b.index(0), arguments.dims.back().output, Lanes, [&](Value first) {
    Values sum = windows.forEachTap({zero, b.index(0)}, [&](ArrayRef<Value> tap,
                                                            Values carried) {
      Value x =
          windows.loadAny(batch, channel, windows.at(row, first, tap), zero);
      Value w = tapWeight(output, carried[1]);
      return Values{math::FmaOp::create(b, w, x, carried[0]),
                    b.add(carried[1], 1)};
    });
    finish(sum[0], batch, output, row, first);
  });
}

void DepthwiseWriter::finish(Value sum, Value batch, Value output,
                             const Values &row, Value first) {
  if (bias)
    sum = arith::AddFOp::create(
        b, sum, splat(memref::LoadOp::create(b, bias, ValueRange{output})));
  windows.store(sum, arguments.output, placeOf(batch, output, row), first);
}

} // namespace

void mezzo::writeDepthwise(KernelBuilder &b, func::FuncOp function, ConvOp op) {
  DepthwiseWriter(b, function, op).write();
}

namespace {

class PoolWriter {
public:
  PoolWriter(KernelBuilder &b, func::FuncOp function, PoolOp op)
      : b(b), kind(op.getKind()),
        element(cast<ShapedType>(op.getInput().getType()).getElementType()),
        arguments(b, function, 1, op.getStrides().size(),
                  kind == PoolKind::Average),
        windows(b, arguments.tensors[0], arguments.dims,
                fastStride(op.getStrides())) {}

  void write() {
    forEachPanel(
        b, windows, arguments,
        [&](Value batch, Value channel, const Values &row, Value first) {
          Values reduced = reduce(batch, channel, row, first);
          windows.store(reduced[kind == PoolKind::Argmax], arguments.output,
                        placeOf(batch, channel, row), first);
        });
  }

private:
  Values reduce(Value batch, Value channel, const Values &row, Value first) {
    bool isMax = kind == PoolKind::Max || kind == PoolKind::Argmax;
    Value outside =
        isMax ? constantLanes(b, lowest(b, element))
              : constantLanes(b, cast<TypedAttr>(b.getZeroAttr(element)));
    Values start{outside};
    if (kind == PoolKind::Argmax)
      start.push_back(constantLanes(b, b.getI64IntegerAttr(0)));
    if (kind == PoolKind::Average)
      start.push_back(constantLanes(b, b.getF32FloatAttr(0)));
    Values result =
        windows.forEachTap(start, [&](ArrayRef<Value> tap, Values carried) {
          Windows::Tap at = windows.at(row, first, tap);
          Value x = windows.loadAny(batch, channel, at, outside);
          if (isMax)
            return maximum(x, at, std::move(carried));
          if (isa<FloatType>(element))
            carried[0] = arith::AddFOp::create(b, carried[0], x);
          else
            carried[0] = arith::AddIOp::create(b, carried[0], x);
          if (kind == PoolKind::Average)
            carried[1] =
                arith::AddFOp::create(b, carried[1], counted(at, row, tap));
          return carried;
        });
    if (kind == PoolKind::Average)
      result[0] = arith::DivFOp::create(b, result[0], result[1]);
    return result;
  }

  /// The first of the largest: what comes later must be larger, or NaN where
  /// no NaN was before.
  Values maximum(Value x, const Windows::Tap &at, Values carried) {
    Value larger;
    if (isa<FloatType>(element)) {
      larger =
          arith::CmpFOp::create(b, arith::CmpFPredicate::UGT, x, carried[0]);
      Value wasNumber = arith::CmpFOp::create(b, arith::CmpFPredicate::ORD,
                                              carried[0], carried[0]);
      larger = arith::AndIOp::create(b, larger, wasNumber);
    } else {
      larger =
          arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, x, carried[0]);
    }
    carried[0] = arith::SelectOp::create(b, larger, x, carried[0]);
    if (kind == PoolKind::Argmax)
      carried[1] = arith::SelectOp::create(b, larger, places(at), carried[1]);
    return carried;
  }

  /// Where each lane reads, in a row-major image.
  Value places(const Windows::Tap &at) {
    Value base = b.index(0);
    for (size_t dim = 0; dim < arguments.dims.size(); ++dim)
      base = b.add(b.mul(base, arguments.dims[dim].size),
                   dim + 1 < arguments.dims.size() ? at.outer[dim] : at.column);
    auto type = VectorType::get(Windows::Lanes, b.getI64Type());
    SmallVector<int64_t> numbers =
        llvm::to_vector(llvm::seq<int64_t>(0, Windows::Lanes));
    Value lanes = arith::ConstantOp::create(
        b, DenseElementsAttr::get(type, ArrayRef<int64_t>(numbers)));
    auto splat = [&](Value index) -> Value {
      Value wide = arith::IndexCastOp::create(b, b.getI64Type(), index);
      return vector::BroadcastOp::create(b, type, wide);
    };
    Value steps =
        arith::MulIOp::create(b, lanes, splat(arguments.dims.back().stride));
    return arith::AddIOp::create(b, steps, splat(base));
  }

  /// 1 where the tap of a lane counts for the average.
  Value counted(const Windows::Tap &at, const Values &row,
                ArrayRef<Value> tap) {
    size_t last = arguments.dims.size() - 1;
    Value counts =
        windows.counted(at, arguments.margins[last],
                        arguments.margins[arguments.dims.size() + last]);
    Value inRow = arith::ConstantOp::create(b, b.getBoolAttr(true));
    for (size_t dim = 0; dim < last; ++dim) {
      const Windows::Dim &d = arguments.dims[dim];
      Value begin = arguments.margins[dim],
            end = arguments.margins[arguments.dims.size() + dim];
      Value index = b.add(b.sub(b.mul(row[dim], d.stride), d.pad),
                          b.add(b.mul(tap[dim], d.dilation), begin));
      Value inside = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, index,
                                           b.add(b.add(d.size, begin), end));
      inRow = arith::AndIOp::create(b, inRow, inside);
    }
    Value rows = vector::BroadcastOp::create(
        b, VectorType::get(Windows::Lanes, b.getI1Type()), inRow);
    Value one = constantLanes(b, b.getF32FloatAttr(1)),
          none = constantLanes(b, b.getF32FloatAttr(0));
    return arith::SelectOp::create(b, arith::AndIOp::create(b, counts, rows),
                                   one, none);
  }

  KernelBuilder &b;
  PoolKind kind;
  Type element;
  WindowArguments arguments;
  Windows windows;
};

} // namespace

void mezzo::writePool(KernelBuilder &b, func::FuncOp function, PoolOp op) {
  PoolWriter(b, function, op).write();
}
