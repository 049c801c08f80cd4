//===- FormEntry.cpp - the entry function on buffers, and its shapes ------===//

#include "passes/Passes.h"

#include "dialects/Mezzo/Mezzo.h"
#include "passes/Bufferize/ShapePatterns.h"
#include "passes/Bufferize/SubByteTensors.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#include <map>

namespace mezzo {
#define GEN_PASS_DEF_FORMENTRY
#include "passes/Passes.h.inc"
} // namespace mezzo

using namespace mlir;
using namespace mezzo;

namespace {

class FormEntryPass : public mezzo::impl::FormEntryBase<FormEntryPass> {
  void runOnOperation() override {
    SmallVector<func::FuncOp> entries;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr("mezzo.entry"))
        entries.push_back(function);
    if (entries.size() != 1) {
      getOperation().emitError()
          << "has " << entries.size()
          << " functions with the attribute mezzo.entry: one is needed";
      return signalPassFailure();
    }
    if (failed(formShapes(entries[0])))
      return signalPassFailure();
    entries[0].walk([](SizedOp sized) { // it has told @shapes
      sized.replaceAllUsesWith(sized.getInput());
      sized.erase();
    });
    formMain(entries[0]);
  }

  /// `@shapes`: the entry with nothing left of it but the sizes of its results.
  LogicalResult formShapes(func::FuncOp entry) {
    OpBuilder builder(entry);
    func::FuncOp shapes = entry.clone();
    shapes.setName("shapes");
    shapes->removeAttr("mezzo.entry");
    shapes.setPrivate();
    builder.insert(shapes);
    shapes.walk([](CheckOp check) { check.erase(); });

    Operation *terminator = shapes.front().getTerminator();
    builder.setInsertionPoint(terminator);
    SmallVector<Value> sizes;
    for (Value result : terminator->getOperands())
      for (int64_t dim = 0, rank = cast<ShapedType>(result.getType()).getRank();
           dim < rank; ++dim)
        sizes.push_back(getValueOrCreateConstantIndexOp(
            builder, result.getLoc(),
            tensor::getMixedSize(builder, result.getLoc(), result, dim)));
    terminator->setOperands(sizes);
    SmallVector<Type> indices(sizes.size(), builder.getIndexType());
    shapes.setType(builder.getFunctionType(shapes.getArgumentTypes(), indices));

    RewritePatternSet patterns(&getContext());
    memref::populateResolveRankedShapedTypeResultDimsPatterns(patterns);
    memref::populateResolveShapedTypeResultDimsPatterns(patterns);
    getContext()
        .getLoadedDialect<tensor::TensorDialect>()
        ->getCanonicalizationPatterns(patterns);
    getContext()
        .getLoadedDialect<affine::AffineDialect>()
        ->getCanonicalizationPatterns(patterns);
    populateShapePatterns(patterns);
    tensor::DimOp::getCanonicalizationPatterns(patterns, &getContext());
    affine::AffineApplyOp::getCanonicalizationPatterns(patterns, &getContext());
    if (failed(applyPatternsGreedily(shapes, std::move(patterns))))
      return shapes.emitError(
          "could not simplify the arithmetic of output shapes");
    return passSizesOnly(shapes);
  }

  /// Replaces the tensor arguments by their dynamic sizes; fails if anything
  /// but arithmetic is left.
  LogicalResult passSizesOnly(func::FuncOp shapes) {
    Block &body = shapes.front();
    unsigned tensors = body.getNumArguments();
    SmallVector<Type> types;
    for (unsigned argument = 0; argument < tensors; ++argument) {
      auto type = cast<RankedTensorType>(body.getArgument(argument).getType());
      for (int64_t dim = 0; dim < type.getRank(); ++dim) {
        if (!type.isDynamicDim(dim))
          continue;
        types.push_back(IndexType::get(&getContext()));
        BlockArgument size =
            body.addArgument(types.back(), body.getArgument(argument).getLoc());
        for (Operation *user :
             llvm::make_early_inc_range(body.getArgument(argument).getUsers()))
          if (auto dimOp = dyn_cast<tensor::DimOp>(user))
            if (dimOp.getConstantIndex() == dim) {
              dimOp.replaceAllUsesWith(size);
              dimOp.erase();
            }
      }
    }
    SmallVector<int64_t> values = passValues(body, tensors, types);
    if (!values.empty())
      getOperation()->setAttr("mezzo.shape_values",
                              DenseI64ArrayAttr::get(&getContext(), values));
    for (unsigned argument = 0; argument < tensors; ++argument)
      if (!body.getArgument(argument).use_empty()) {
        Operation *user = *body.getArgument(argument).user_begin();
        return user->emitError(
            "makes the shape of an output depend on the values of an input, "
            "which is not supported: fix "
            "the shape with --shape or --dim");
      }
    body.eraseArguments(0, tensors);
    shapes.setType(
        FunctionType::get(&getContext(), types, shapes.getResultTypes()));
    shapes.setAllArgAttrs(ArrayRef<DictionaryAttr>(SmallVector<DictionaryAttr>(
        types.size(), DictionaryAttr::get(&getContext()))));
    return success();
  }

  /// Replaces reads of single elements of the arguments by arguments of their
  /// own, and returns (argument, row-major position) of each.
  static SmallVector<int64_t> passValues(Block &body, unsigned tensors,
                                         SmallVectorImpl<Type> &types) {
    SmallVector<int64_t> values;
    for (unsigned argument = 0; argument < tensors; ++argument) {
      std::map<int64_t, Value> known;
      for (Operation *user :
           llvm::make_early_inc_range(body.getArgument(argument).getUsers())) {
        auto read = dyn_cast<tensor::ExtractOp>(user);
        if (!read || !read.getTensor().getType().hasStaticShape())
          continue;
        std::optional<SmallVector<int64_t>> place =
            getConstantIntValues(getAsOpFoldResult(read.getIndices()));
        if (!place)
          continue;
        bool inside = llvm::all_of(
            llvm::zip(*place, read.getTensor().getType().getShape()),
            [](auto at) {
              return std::get<0>(at) >= 0 && std::get<0>(at) < std::get<1>(at);
            });
        if (!inside)
          continue;
        int64_t position = 0;
        for (auto [index, size] :
             llvm::zip(*place, read.getTensor().getType().getShape()))
          position = position * size + index;
        Value &value = known[position];
        if (!value) {
          types.push_back(read.getType());
          value = body.addArgument(read.getType(), read.getLoc());
          values.append({int64_t(argument), position});
        }
        read.replaceAllUsesWith(value);
        read.erase();
      }
    }
    return values;
  }

  /// How a tensor of the signature is packed, where it is.
  static std::optional<PackedType> packedType(func::FuncOp entry,
                                              StringRef list, size_t position) {
    auto tensors = entry->getAttrOfType<ArrayAttr>(list);
    if (!tensors || position >= tensors.size())
      return std::nullopt;
    auto dtype =
        cast<DictionaryAttr>(tensors[position]).getAs<StringAttr>("dtype");
    return PackedType::of(dtype ? dtype.getValue() : "");
  }

  //   func @main(%x: tensor<?x4xf32>) -> tensor<?x8xf32> { ... return %y }
  //   -->
  //   func @main(%frame: !llvm.ptr, %x: memref<?x4xf32>, %out: memref<?x8xf32>)
  //   { ... materialize %y in %out; return }
  void formMain(func::FuncOp entry) {
    OpBuilder builder(&getContext());
    Block &body = entry.front();
    auto buffer = [](Type type) -> Type {
      auto tensor = cast<RankedTensorType>(type);
      return MemRefType::get(tensor.getShape(), tensor.getElementType());
    };
    builder.setInsertionPointToStart(&body);
    for (BlockArgument argument : body.getArguments()) {
      Type type = argument.getType();
      argument.setType(buffer(type));
      Value tensor;
      SmallVector<OpOperand *> uses = llvm::map_to_vector(
          argument.getUses(), [](OpOperand &use) { return &use; });
      if (auto packed =
              packedType(entry, "mezzo.inputs", argument.getArgNumber()))
        tensor = unpack(builder, entry.getLoc(), argument, *packed);
      else
        tensor = bufferization::ToTensorOp::create(
            builder, entry.getLoc(), type, argument, /*restrict=*/true,
            /*writable=*/false);
      for (OpOperand *use : uses)
        use->set(tensor);
    }
    auto terminator = cast<func::ReturnOp>(body.getTerminator());
    builder.setInsertionPoint(terminator);
    for (auto [position, result] : llvm::enumerate(terminator.getOperands())) {
      Value destination =
          body.addArgument(buffer(result.getType()), result.getLoc());
      if (auto packed = packedType(entry, "mezzo.outputs", position)) {
        pack(builder, result.getLoc(), result, destination, *packed);
        continue;
      }
      bufferization::MaterializeInDestinationOp::create(
          builder, result.getLoc(), Type(), result, destination,
          /*restrict=*/true, /*writable=*/true);
    }
    terminator->setOperands({});
    body.insertArgument(0u, LLVM::LLVMPointerType::get(&getContext()),
                        entry.getLoc());
    entry.setType(builder.getFunctionType(body.getArgumentTypes(), {}));
    entry.setName("main");
  }
};

} // namespace
