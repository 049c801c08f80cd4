//===- DenseKernels.cpp - products and convolutions by panels -------------===//
//
// Both are a product with a panel of sixteen columns (DenseTile). Of a product
// these are columns of the right operand. Of a convolution they are sixteen
// neighbours along the last dimension of the output: the panel holds what their
// windows read, tap after tap, and is made of the image when it is needed
// (implicit GEMM), so that no matrix of windows ever lies in memory.
//
//===----------------------------------------------------------------------===//

#include "passes/Kernel/DenseTile.h"
#include "passes/Kernel/WindowKernels.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mezzo;

static Value atLeastOne(KernelBuilder &b, Value size) {
  return arith::MaxUIOp::create(b, size, b.index(1));
}

/// Whether a value is 0, as i1.
static Value isZero(KernelBuilder &b, Value value) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, value, b.index(0));
}

static Value both(KernelBuilder &b, Value x, Value y) {
  return arith::AndIOp::create(b, x, y);
}

/// Branches on a flag.
static void branch(KernelBuilder &b, Value flag, llvm::function_ref<void()> yes,
                   llvm::function_ref<void()> no) {
  auto op = scf::IfOp::create(b, TypeRange(), flag, /*withElse=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.thenBlock());
  yes();
  b.setInsertionPointToStart(op.elseBlock());
  no();
}

//===----------------------------------------------------------------------===//
// dense_matmul
//===----------------------------------------------------------------------===//

namespace {

/// Panels of a task: with one or two rows they are computed side by side.
constexpr int64_t Panels = 4;
constexpr int64_t TaskColumns = Panels * DenseTile::Lanes;
/// Steps of a block: all panels of a task lie in scratch memory together, so
/// that packing them reads whole stretches of a row.
constexpr int64_t BlockSteps = DenseTile::MostSteps / Panels;

class DenseMatmulWriter {
public:
  DenseMatmulWriter(KernelBuilder &b, func::FuncOp function, Type element)
      : b(b), tile(b, function, element) {
    x = function.getArgument(0);
    w = function.getArgument(1);
    y = function.getArgument(2);
    begin = function.getArgument(3);
    end = function.getArgument(4);
  }

  void write() {
    rows = memref::DimOp::create(b, x, 1);
    steps = memref::DimOp::create(b, x, 2);
    columns = memref::DimOp::create(b, y, 2);
    flat = DenseTile::flatten(b, x);
    Value batchStride = DenseTile::strideOf(b, x, 0);
    rowStride = DenseTile::strideOf(b, x, 1);
    auto ofBatch = [&](Value matrix, Value batch) -> Value {
      Value single = arith::CmpIOp::create(
          b, arith::CmpIPredicate::eq,
          memref::DimOp::create(b, matrix, 0).getResult(), b.index(1));
      return arith::SelectOp::create(b, single, b.index(0), batch);
    };
    Value perBatch = atLeastOne(b, b.ceilDivide(columns, TaskColumns));
    b.loop(begin, end, 1, [&](Value task) {
      batch = arith::DivUIOp::create(b, task, perBatch);
      Value first = b.mul(arith::RemUIOp::create(b, task, perBatch).getResult(),
                          TaskColumns);
      matrixStart = b.mul(ofBatch(x, batch), batchStride);
      wBatch = ofBatch(w, batch);
      // A panel that is used once or twice is not worth a copy.
      Value few =
          arith::CmpIOp::create(b, arith::CmpIPredicate::ule, rows, b.index(2));
      Value whole = arith::CmpIOp::create(b, arith::CmpIPredicate::ule,
                                          b.add(first, TaskColumns), columns);
      branch(
          b, both(b, few, whole), [&] { inPlace(first); },
          [&] { packed(first, whole); });
    });
  }

private:
  Value rowStart(Value row) {
    return b.add(matrixStart, b.mul(row, rowStride));
  }

  void inPlace(Value first) {
    auto column = [&](int64_t vector) {
      return b.add(first, vector * DenseTile::Lanes);
    };
    auto start = [&](Value row) { return rowStart(row); };
    b.loop(b.index(0), rows, 1, [&](Value row) {
      tile.product(
          row, 1, Panels, steps, {flat, start},
          [&](Value k, int64_t vector) -> Value {
            return vector::LoadOp::create(
                b, tile.lanes(), w, ValueRange{wBatch, k, column(vector)});
          },
          [&](Value m, Value sum, int64_t vector) {
            vector::StoreOp::create(b, sum, y,
                                    ValueRange{batch, m, column(vector)});
          });
    });
  }

  /// Which of the sixteen columns from `first` on there are.
  Value columnMask(Value first) {
    return vector::CreateMaskOp::create(
        b, VectorType::get(DenseTile::Lanes, b.getI1Type()),
        ValueRange{b.sub(columns, first)});
  }

  /// Steps k0 .. k0 + count of all panels of the task, into scratch memory.
  void pack(Value first, Value k0, Value count, bool masked) {
    Values masks;
    for (int64_t panel = 0; masked && panel < Panels; ++panel)
      masks.push_back(columnMask(b.add(first, panel * DenseTile::Lanes)));
    b.loop(b.index(0), count, 1, [&](Value step) {
      Values vectors;
      for (int64_t panel = 0; panel < Panels; ++panel) {
        Values at{wBatch, b.add(k0, step),
                  b.add(first, panel * DenseTile::Lanes)};
        vectors.push_back(
            masked
                ? vector::MaskedLoadOp::create(b, tile.lanes(), w, at,
                                               masks[panel], tile.zeros())
                      .getResult()
                : vector::LoadOp::create(b, tile.lanes(), w, at).getResult());
      }
      for (int64_t panel = 0; panel < Panels; ++panel)
        tile.putStep(b.add(step, panel * BlockSteps), vectors[panel]);
    });
  }

  void packed(Value first, Value whole) {
    Value last = b.min(b.add(first, TaskColumns), columns);
    b.loop(b.index(0), atLeastOne(b, steps), BlockSteps, [&](Value k0) {
      Value count = b.min(b.sub(steps, k0), b.index(BlockSteps));
      branch(
          b, whole, [&] { pack(first, k0, count, false); },
          [&] { pack(first, k0, count, true); });
      b.loop(first, last, DenseTile::Lanes, [&](Value column) {
        Value mask = columnMask(column);
        Value allThere =
            arith::CmpIOp::create(b, arith::CmpIPredicate::ule,
                                  b.add(column, DenseTile::Lanes), columns);
        auto place = [&](Value row) { return Values{batch, row, column}; };
        auto start = [&](Value row) { return rowStart(row); };
        // Panel p of the task begins at step p * BlockSteps.
        Value panel = b.divide(b.sub(column, first), DenseTile::Lanes);
        tile.addBlock(
            rows, k0, count, b.mul(panel, BlockSteps), isZero(b, k0),
            {flat, start},
            [&](Value m) -> Value {
              return vector::MaskedLoadOp::create(b, tile.lanes(), y, place(m),
                                                  mask, tile.zeros());
            },
            [&](Value m, Value sum, int64_t) {
              branch(
                  b, allThere,
                  [&] { vector::StoreOp::create(b, sum, y, place(m)); },
                  [&] {
                    vector::MaskedStoreOp::create(b, y, place(m), mask, sum);
                  });
            });
      });
    });
  }

  KernelBuilder &b;
  DenseTile tile;
  Value x, w, y, begin, end;
  Value rows, steps, columns; ///< M, K, N
  Value flat, rowStride;      ///< x
  Value batch, matrixStart, wBatch;
};

} // namespace

void mezzo::writeDenseMatmul(KernelBuilder &b, func::FuncOp function,
                             DenseMatmulOp op) {
  Type element = cast<ShapedType>(op.getLhs().getType()).getElementType();
  DenseMatmulWriter(b, function, element).write();
}

//===----------------------------------------------------------------------===//
// conv
//===----------------------------------------------------------------------===//

namespace {

class ConvWriter {
public:
  ConvWriter(KernelBuilder &b, func::FuncOp function, ConvOp op)
      : b(b),
        element(cast<ShapedType>(op.getInput().getType()).getElementType()),
        tile(b, function, element),
        arguments(b, function, op.getBias() ? 3 : 2, op.getStrides().size(),
                  /*margins=*/false),
        windows(b, arguments.tensors[0], arguments.dims,
                fastStride(op.getStrides())),
        hasFastLoad(fastStride(op.getStrides()) != 0) {
    weight = DenseTile::flatten(b, arguments.tensors[1]);
    weightStride = DenseTile::strideOf(b, arguments.tensors[1], 0);
    if (op.getBias())
      bias = arguments.tensors[2];
  }

  void write() {
    Value groups = arguments.groups;
    Value rowsPerGroup = arith::DivUIOp::create(
        b, memref::DimOp::create(b, arguments.output, 1), groups);
    channels = arith::DivUIOp::create(
        b, memref::DimOp::create(b, arguments.tensors[0], 1), groups);
    taps = windows.taps();
    Value panels = atLeastOne(
        b, b.ceilDivide(arguments.dims.back().output, Windows::Lanes));
    Value outputRows = atLeastOne(b, windows.outputRows());
    // A block has several taps of all channels, or some channels of one tap:
    // either way its steps are neighbours in the weight.
    Value channelBlock =
        b.min(atLeastOne(b, channels), b.index(DenseTile::MostSteps));
    Value tapBlock =
        arith::DivUIOp::create(b, b.index(DenseTile::MostSteps), channelBlock);
    b.loop(arguments.begin, arguments.end, 1, [&](Value task) {
      auto next = [&](Value radix) -> Value {
        Value digit = arith::RemUIOp::create(b, task, radix);
        task = arith::DivUIOp::create(b, task, radix);
        return digit;
      };
      firstColumn = b.mul(next(panels), Windows::Lanes);
      row = windows.rowIndices(next(outputRows));
      Value group = next(groups);
      batch = task;
      firstChannel = b.mul(group, channels);
      firstOutput = b.mul(group, rowsPerGroup);
      auto tapLoop =
          scf::ForOp::create(b, b.index(0), atLeastOne(b, taps), tapBlock);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(tapLoop.getBody());
      Value tap0 = tapLoop.getInductionVar();
      Value tapEnd = b.min(b.add(tap0, tapBlock), taps);
      auto channelLoop = scf::ForOp::create(
          b, b.index(0), atLeastOne(b, channels), channelBlock);
      b.setInsertionPointToStart(channelLoop.getBody());
      Value c0 = channelLoop.getInductionVar();
      Value cEnd = b.min(b.add(c0, channelBlock), channels);
      writeBlock(tap0, tapEnd, c0, cEnd, rowsPerGroup);
    });
  }

private:
  void writeBlock(Value tap0, Value tapEnd, Value c0, Value cEnd, Value rows) {
    Value width = b.sub(cEnd, c0);
    b.loop(tap0, tapEnd, 1, [&](Value tap) {
      fill(windows.at(row, firstColumn, windows.tapIndices(tap)), c0, cEnd,
           b.mul(b.sub(tap, tap0), width));
    });
    Value k0 = b.add(b.mul(tap0, channels), c0);
    Value count = b.mul(b.sub(tapEnd, tap0), width);
    Value isFirst = both(b, isZero(b, tap0), isZero(b, c0));
    Value isLast = arith::CmpIOp::create(
        b, arith::CmpIPredicate::eq, b.add(k0, count), b.mul(taps, channels));
    auto place = [&](Value m) {
      Values indices{batch, b.add(firstOutput, m)};
      llvm::append_range(indices, row);
      return indices;
    };
    auto start = [&](Value m) {
      return b.mul(b.add(firstOutput, m), weightStride);
    };
    tile.addBlock(
        rows, k0, count, b.index(0), isFirst, {weight, start},
        [&](Value m) {
          return windows.reload(arguments.output, place(m), firstColumn,
                                element);
        },
        [&](Value m, Value sum, int64_t) {
          windows.store(withBias(m, sum, isLast), arguments.output, place(m),
                        firstColumn);
        });
  }

  /// What the windows read at one tap, channel by channel.
  void fill(const Windows::Tap &tap, Value c0, Value cEnd, Value firstStep) {
    auto channelsOf = [&](llvm::function_ref<Value(Value)> load) {
      b.loop(c0, cEnd, 1, [&](Value c) {
        Value vector = load(b.add(firstChannel, c));
        tile.putStep(b.add(firstStep, b.sub(c, c0)), vector);
      });
    };
    auto masked = [&] {
      Value mask = windows.mask(tap);
      channelsOf([&](Value channel) {
        return windows.loadMasked(batch, channel, tap, mask, tile.zeros());
      });
    };
    if (!hasFastLoad)
      return masked();
    branch(
        b, tap.whole,
        [&] {
          channelsOf(
              [&](Value channel) { return windows.load(batch, channel, tap); });
        },
        masked);
  }

  Value withBias(Value m, Value sum, Value isLast) {
    if (!bias)
      return sum;
    Value number =
        memref::LoadOp::create(b, bias, ValueRange{b.add(firstOutput, m)});
    Value added =
        isa<FloatType>(element)
            ? arith::AddFOp::create(b, sum, tile.splat(number)).getResult()
            : arith::AddIOp::create(b, sum, tile.splat(number)).getResult();
    return arith::SelectOp::create(b, isLast, added, sum);
  }

  KernelBuilder &b;
  Type element;
  DenseTile tile;
  WindowArguments arguments;
  Windows windows;
  bool hasFastLoad;
  Value weight, weightStride, bias;
  Value channels, taps; ///< channels of a group
  Value batch, firstChannel, firstOutput, firstColumn;
  Values row;
};

} // namespace

void mezzo::writeConv(KernelBuilder &b, func::FuncOp function, ConvOp op) {
  ConvWriter(b, function, op).write();
}
