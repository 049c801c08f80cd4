//===- KernelBufferize.cpp - launches and weights on memrefs --------------===//

#include "dialects/Mezzo/Mezzo.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace mezzo;

namespace {

/// The buffer of a launch operand, cast to what the kernel takes.
FailureOr<Value> bufferFor(RewriterBase &rewriter, Location loc, Value tensor,
                           Type wanted, const BufferizationOptions &options,
                           BufferizationState &state) {
  FailureOr<Value> buffer = getBuffer(rewriter, tensor, options, state);
  if (failed(buffer) || buffer->getType() == wanted)
    return buffer;
  if (!memref::CastOp::areCastCompatible(buffer->getType(), wanted))
    return emitError(loc) << "a kernel takes " << wanted
                          << ", but the buffer is " << buffer->getType();
  return memref::CastOp::create(rewriter, loc, wanted, *buffer).getResult();
}

//   %y = mezzo.launch @k ins(%x : tensor) outs(%init : tensor) -> tensor
//   -->
//   mezzo.launch @k ins(%xb : memref) outs(%yb : memref)
struct LaunchBufferization
    : DstBufferizableOpInterfaceExternalModel<LaunchBufferization, LaunchOp> {
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto launch = cast<LaunchOp>(op);
    auto kernel = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
        op, launch.getKernelAttr());
    if (!kernel)
      return op->emitOpError()
             << "launches " << launch.getKernelAttr()
             << ", which is no func.func: kernels are functions on memrefs";
    SmallVector<Value> inputs, outputs, results;
    unsigned argument = 0;
    for (auto [operands, buffers] : {std::pair(launch.getInputs(), &inputs),
                                     std::pair(launch.getOutputs(), &outputs)})
      for (Value operand : operands) {
        Type wanted = kernel.getArgumentTypes()[argument++];
        if (!isa<TensorType>(operand.getType())) {
          buffers->push_back(operand);
          continue;
        }
        FailureOr<Value> buffer =
            bufferFor(rewriter, op->getLoc(), operand, wanted, options, state);
        if (failed(buffer))
          return failure();
        buffers->push_back(*buffer);
      }
    for (Value output : launch.getOutputs()) {
      FailureOr<Value> buffer = getBuffer(rewriter, output, options, state);
      if (failed(buffer))
        return failure();
      results.push_back(*buffer);
    }
    LaunchOp::create(rewriter, op->getLoc(), TypeRange(),
                     launch.getKernelAttr(), launch.getCount(), inputs, outputs,
                     launch.getGrainAttr());
    replaceOpWithBufferizedValues(rewriter, op, results);
    return success();
  }
};

/// Loads of weights become views of the mapped weight file. Nobody may write
/// there.
template <typename Op>
struct WeightBufferization
    : BufferizableOpInterface::ExternalModel<WeightBufferization<Op>, Op> {
  bool isWritable(Operation *, Value, const AnalysisState &) const {
    return false;
  }
  bool bufferizesToMemoryRead(Operation *, OpOperand &,
                              const AnalysisState &) const {
    return false;
  }
  bool bufferizesToMemoryWrite(Operation *, OpOperand &,
                               const AnalysisState &) const {
    return false;
  }
  AliasingValueList getAliasingValues(Operation *, OpOperand &,
                                      const AnalysisState &) const {
    return {};
  }
  bool bufferizesToAllocation(Operation *, Value) const { return false; }
  bool mustBufferizeInPlace(Operation *, OpOperand &,
                            const AnalysisState &) const {
    return false;
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto load = cast<Op>(op);
    auto weight = SymbolTable::lookupNearestSymbolFrom<WeightOp>(
        op, load.getWeightAttr());
    if (!weight.getPlace())
      return op->emitOpError()
             << "loads " << load.getWeightAttr()
             << ", which has no place yet: run mezzo-pack-weights";
    if (op->getNumResults() != 1)
      return op->emitOpError()
             << "loads " << op->getNumResults() << " tensors from "
             << load.getWeightAttr()
             << ", which is one array in the weight file: a product with it "
                "becomes one with `mezzo.load_packed` in mezzo-pack-weights";
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    Value view = WeightViewOp::create(
        rewriter, op->getLoc(),
        MemRefType::get(type.getShape(), type.getElementType()),
        *weight.getPlace());
    replaceOpWithBufferizedValues(rewriter, op, view);
    return success();
  }
};

} // namespace

void mezzo::registerMezzoBufferization(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, MezzoDialect *) {
    LaunchOp::attachInterface<LaunchBufferization>(*context);
    LoadPackedOp::attachInterface<WeightBufferization<LoadPackedOp>>(*context);
    LoadWeightOp::attachInterface<WeightBufferization<LoadWeightOp>>(*context);
  });
}
