//===- Passes.td - the rewrites, in the order in which they run -*- tablegen -*-===//
#ifndef MEZZO_PASSES_PASSES_TD
#define MEZZO_PASSES_PASSES_TD

include "mlir/Pass/PassBase.td"

//===------------------------------------------------------------------------===//
// Tensor: one form for everything quantized
//===------------------------------------------------------------------------===//

def MoveDequantize : Pass<"mezzo-move-dequantize", "::mlir::ModuleOp"> {
  let summary = "dequantize behind data movement, so that codes are moved and products see them";
  let description = [{
    A `mezzo.dequantize` with one scale for the tensor goes behind `tensor.collapse_shape`, `expand_shape`, `cast`,
    `extract_slice` and `linalg.transpose`: what is moved are bytes, and a product that reads the result finds codes. Values do
    not change. Several readers of a dequantized tensor get one `dequantize` each.

    ```mlir
    %d = mezzo.dequantize %q scales(%s) : ...
    %y = tensor.collapse_shape %d [[0, 1], [2]] : tensor<2x3x8xf32> into tensor<6x8xf32>
    // becomes
    %c = tensor.collapse_shape %q [[0, 1], [2]] : tensor<2x3x8x!mezzo.q<int8>> into tensor<6x8x!mezzo.q<int8>>
    %y = mezzo.dequantize %c scales(%s) : ...
    ```

    Left as they are: constants, scales along an axis or in blocks, and other movement.
  }];
  let dependentDialects = ["::mezzo::MezzoDialect", "::mlir::tensor::TensorDialect", "::mlir::linalg::LinalgDialect"];
}

def PlaceDequantize : Pass<"mezzo-place-dequantize", "::mlir::ModuleOp"> {
  let summary = "move `mezzo.dequantize` behind what moves data, to the product";
  let description = [{
    A product takes the scales of its weight out of the sum where it sees them (`mezzo-form-matmul`). Between the two, models
    have transpositions, reshapes, slices and concatenations, which compute nothing: here they move the constant codes, at
    compile time, and what belongs to which scale is described anew: one for all, one for each row of the product, or one
    for each row and block of columns.

    ```mlir
    %d = mezzo.dequantize %w scales(%s) axis = 0 : (tensor<4x2x3x!mezzo.q<int4>>, tensor<4xf32>) -> tensor<4x2x3xf32>
    %m = tensor.collapse_shape %d [[0], [1, 2]] : tensor<4x2x3xf32> into tensor<4x6xf32>
    %y = linalg.matmul ins(%x, %m : ...) outs(%zero : ...)
    // becomes
    %m = mezzo.load_weight @moved0 : tensor<4x6x!mezzo.q<int4>>
    %d = mezzo.dequantize %m scales(%s1) axis = 0 : (tensor<4x6x!mezzo.q<int4>>, tensor<4xf32>) -> tensor<4x6xf32>
    %y = linalg.matmul ins(%x, %d : ...) outs(%zero : ...)
    ```

    Each decision is a remark. The dequantization stays where it is, and the product an unquantized one, if codes or scales
    are not constant, if a part of the matrix is no dequantized weight or has another format, if a shape or a place is known
    at run time only, if each column of a row would have a scale of its own, and with `--strict-dq`. A transposition right
    before the product is left for the layout of the weight. Where the scale goes from here, `mezzo-select-strategy` says:
    after each group, or after the whole reduction where a row is one group.
  }];
  let dependentDialects = ["::mezzo::MezzoDialect", "::mlir::arith::ArithDialect"];
}

def FormMatmul : Pass<"mezzo-form-matmul", "::mlir::ModuleOp"> {
  let summary = "make `mezzo.matmul` of a product with a dequantized weight";
  let description = [{
    Finds `linalg.matmul(x, dequantize(load_weight))` (the right operand perhaps transposed) whose groups lie along K, and
    makes the weight a quantized one: [N, K], with scales and zero points per row and group. Codes are not touched: the
    weight's layout says where they lie.

    ```mlir
    %w = mezzo.load_weight @w : tensor<64x32x!mezzo.q<int4>>
    %d = mezzo.dequantize %w scales(%s) block = 16 : ...
    %y = linalg.matmul ins(%x, %d : ...) outs(%zero : ...)
    // becomes
    %c, %t = mezzo.load_weight @w.rows : tensor<32x64x!mezzo.q<int4>>, tensor<32x4xf32>
    %y = mezzo.matmul %x, %c scales(%t) mode = float group = 16 : ...
    ```

    Activations that are dequantized codes of at most eight bits, with one scale for the tensor or for each row, are the
    model's own word for mode `int`: with `compute` empty, such a product is computed in it, on these codes. All others are
    then computed in mode `float`. With `compute` of `int`, activations that are no codes are quantized dynamically.

    Left as they are: products whose destination is not zero, whose result is not f32, whose scales lie along K without
    blocks or are not constant, and weights marked `mezzo.strict` (`--strict-dq`). Errors: a mode other than `float`,
    `int` and `lut8`.
  }];
  let options = [Option<"compute", "compute", "std::string", "\"\"", "compute mode of the products: float, int or lut8; empty: as the model says">];
  let dependentDialects = ["::mezzo::MezzoDialect", "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"];
}

def LowerQuantize : Pass<"mezzo-lower-quantize", "::mlir::ModuleOp"> {
  let summary = "write the remaining quantize and dequantize ops in arithmetic, and store codes as bytes";
  let description = [{
    `clamp(round_half_even(x / s) + z)` and `(q - z) * s`, element by element, as ONNX has them, and `dynamic_quantize` as a
    reduction and such a quantization. Codes of up to eight bits
    become `i8`, signed ones sign-extended and unsigned ones zero-extended, and codes of sixteen bits `i16`: after this pass
    no value has an element type of ours. Errors: codes outside a product whose format is no integer.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect", "::mlir::arith::ArithDialect"];
}

def FormDense : Pass<"mezzo-form-dense", "::mlir::ModuleOp"> {
  let summary = "make `mezzo.dense_matmul` of products without quantized operands";
  let description = [{
    `linalg.matmul` and `linalg.batch_matmul` in f32 or i32 whose destination is zero, and whose maps are the usual ones,
    become an op that a kernel computes; others are left for `mezzo-lower-contractions`.
  }];
  let dependentDialects = ["::mezzo::MezzoDialect", "::mlir::tensor::TensorDialect"];
}

def FuseGathers : Pass<"mezzo-fuse-gathers", "::mlir::func::FuncOp"> {
  let summary = "compute what is gathered from a computed tensor, and nothing else of it";
  let description = [{
    A `tensor.extract`, which is what a gather is made of, from a tensor that a `linalg.generic` computes element by element
    becomes the computation of that element. So a dequantized table of embeddings is dequantized where rows are looked up,
    with the same arithmetic, and the table of floats is not there. Left alone is a tensor that others read as a whole.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def LowerContractions : Pass<"mezzo-lower-contractions", "::mlir::ModuleOp"> {
  let summary = "fix the order and the rounding of unquantized products";
  let description = [{
    A product without quantized weights is one group with scale 1 in mode `float`: the fold of `fma(a, b, d)` over ascending
    k from 0. Upstream's `linalg.matmul` multiplies and adds with two roundings; this pass gives it the body and the loop
    order of `docs/numbers.md`: a `linalg.generic` whose innermost loop is k and whose body is one `math.fma`.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect"];
}

//===------------------------------------------------------------------------===//
// Select, Layout, Prepare, Kernel
//===------------------------------------------------------------------------===//

def SelectStrategy : Pass<"mezzo-select-strategy", "::mlir::ModuleOp"> {
  let summary = "choose strategy, tile and layout of every quantized product";
  let description = [{
    The mode and the format allow strategies, none of which changes a bit of the result (`dequant` in `float`, `native_dot`
    in `int`, `lut` in `lut8`); each needs a layout of the weight and has a space of knobs (`passes/Kernel/Knobs.h`).
    What is taken, in this order:

    * what `config` says, for all products, for tests and tuning: `rows=2,unroll=4` (see `#mezzo.config`), perhaps with
      `strategy=NAME,` in front; what it does not name keeps the strategy's default;
    * the best of the records in `tuning-db` (`mezzo tune`): of this machine, else of a machine of this target, else of a
      shape nearby. Every record is validated like a forced configuration, and one that is not legal is a remark;
    * the cheapest candidate by the price model: each is written as a kernel, whose ops are counted and weighed by the
      target's costs (`passes/Select/Price.h`). The strategy's default wins where the difference is within a few percent.

    The choices are the attribute `config` of the product and `packed` of its weight, the module's attribute `mezzo.choices`,
    and a remark for each product that says what was taken and why. All uses of a weight read the same bytes.

    Errors: a product whose codes are computed at run time, a weight that products of two modes want in two
    layouts, a knob that is none or not legal for the product, a target that does not exist, records that cannot be read,
    and with `require-tuned` a product without a record.
  }];
  let options = [Option<"target", "target", "std::string", "\"generic\"", "name of the target">,
                 Option<"config", "config", "std::string", "\"\"", "force knobs: rows=4,groups=2,unroll=2,...">,
                 Option<"tuningDb", "tuning-db", "std::string", "\"\"", "file of tuning records">,
                 Option<"requireTuned", "require-tuned", "bool", "false", "a product without a record is an error">];
  // Those of the kernels that are priced.
  let dependentDialects = ["::mezzo::MezzoDialect", "::mezzo::tile::TileDialect", "::mlir::func::FuncDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect",
    "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect", "::mlir::linalg::LinalgDialect"];
}

def PackWeights : Pass<"mezzo-pack-weights", "::mlir::ModuleOp"> {
  let summary = "give every weight its layout and its place in the weight file";
  let description = [{
    Decides where each weight lies (64-byte aligned; the records of a packed one are codes, scales and offsets of a group of
    a panel) and makes `mezzo.packed_matmul` of `mezzo.matmul`. Bytes are moved later, when the file is written: this pass
    does arithmetic only. The permutation of a weight becomes a plain weight of its own. Weights that nothing reads any more
    are dropped. The module's attribute `mezzo.weight_bytes` is the length of the payload.

    Errors: a product that `mezzo-select-strategy` has not seen.
  }];
  let dependentDialects = ["::mezzo::MezzoDialect", "::mlir::tensor::TensorDialect"];
}

def PrepareActivations : Pass<"mezzo-prepare-activations", "::mlir::func::FuncOp"> {
  let summary = "create what products need of their activations, once";
  let description = [{
    Mode `int` reads int8 rows: a `mezzo.quantize_rows`, or for codes that the model has a `mezzo.arrange_rows`, is made for
    each product, and products that read one activation in the same groups share it (with a remark). Mode `lut8` reads tables, made by a `mezzo.lut_build` and shared likewise. Permuted columns are gathered once, likewise.
  }];
  let dependentDialects = ["::mezzo::MezzoDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def EmitKernels : Pass<"mezzo-emit-kernels", "::mlir::ModuleOp"> {
  let summary = "write kernels, one function per key, and launch them";
  let description = [{
    Products, windows, row reductions, activation quantization and tables become functions on memrefs whose inner loops are `tile`, `vector`
    and `arith`, and a `mezzo.launch` over independent tasks. Ops with equal keys share one function. A key is readable and
    holds all that the body depends on: mode, format, types, group, whether there is one activation row or more, strategy,
    knobs, layout, and the vector length of the `target` where it is longer than the layout's. N, K and strides are arguments.

    Errors: a target that does not exist.
  }];
  let options = [Option<"target", "target", "std::string", "\"generic\"", "name of the target">];
  let dependentDialects = ["::mezzo::MezzoDialect", "::mezzo::tile::TileDialect", "::mlir::func::FuncDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect",
    "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect"];
}

//===------------------------------------------------------------------------===//
// Bufferize
//===------------------------------------------------------------------------===//

def FormEntry : Pass<"mezzo-form-entry", "::mlir::ModuleOp"> {
  let summary = "the entry function on buffers, and the function that computes its shapes";
  let description = [{
    The entry is the one function with the attribute `mezzo.entry`. `@main` takes the run-time frame first, then the inputs,
    then its results as destinations. `@shapes` maps the dynamic sizes of the inputs to all sizes of the outputs; it is pure
    arithmetic, and a model for which it is not is refused. Where sizes follow from single elements of inputs of static
    shape, `@shapes` takes these after the sizes, and the module's attribute `mezzo.shape_values` says which they are, as
    pairs of an input and a row-major position. Inputs and outputs whose elements have fewer than 8 bits (`dtype` in
    `mezzo.inputs` and `mezzo.outputs`) are packed outside and have a byte per element inside.

    ```mlir
    func.func @model(%x: tensor<?x4xf32>) -> tensor<?x8xf32> attributes {mezzo.entry}
    // becomes
    func.func private @shapes(%m: index) -> (index, index)
    func.func @main(%frame: !llvm.ptr, %x: memref<?x4xf32>, %y: memref<?x8xf32>) attributes {mezzo.entry}
    ```

    Errors: no entry or several, an output whose shape depends on the values of an input in another way.
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect", "::mlir::tensor::TensorDialect",
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::memref::MemRefDialect", "::mlir::affine::AffineDialect"];
}

def PlanArena : Pass<"mezzo-plan-arena", "::mlir::ModuleOp"> {
  let summary = "put every buffer into the context's arena";
  let description = [{
    Buffers of static size in `@main` get an offset each, chosen so that buffers that live at the same time do
    not overlap (first fit in order of size; `PlanArena.cpp` draws it). The others are bumped at run time (`mezzo.alloc`).
    Nothing else allocates. The module's attribute `mezzo.arena_bytes` is the size of the static part.

    Errors: a module without `@main`.
  }];
  let dependentDialects = ["::mezzo::MezzoDialect", "::mlir::memref::MemRefDialect"];
}

def LowerReshapes : Pass<"mezzo-lower-reshapes", "::mlir::ModuleOp"> {
  let summary = "reshape dense buffers by their sizes";
  let description = [{
    `memref.expand_shape` of a dense buffer becomes a `memref.reinterpret_cast` with the sizes that it names: several of them
    may be known only at run time, where upstream's lowering takes one per group of dimensions.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect"];
}

def LowerCopies : Pass<"mezzo-lower-copies", "::mlir::ModuleOp"> {
  let summary = "write copies between buffers with gaps as loops";
  let description = [{
    `memref.copy` from or to a part of a buffer becomes a `linalg.generic`: a compiled model has no library that could copy
    it. Copies of dense buffers are left for `memcpy`.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

//===------------------------------------------------------------------------===//
// Lower
//===------------------------------------------------------------------------===//

def VectorizeElementwise : Pass<"mezzo-vectorize-elementwise", "::mlir::ModuleOp"> {
  let summary = "compute elements many at a time";
  let description = [{
    A `linalg.generic` on buffers that computes each element by itself becomes loops, the innermost one over vectors of 16
    neighbours (8 where there are elementary functions), and then what is left one by one. Trailing dimensions that all
    operands go through in step are one loop. Results are the same bits.

    Left to the loops of upstream: reductions, operands whose neighbours do not lie side by side, flags, bodies that read
    other memory, check something or ask for their indices.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"];
}

def ExpandMath : Pass<"mezzo-expand-math", "::mlir::ModuleOp"> {
  let summary = "replace elementary functions by the programs of lib/Math";
  let description = [{
    `math.exp`, `log`, `tanh`, `erf`, `sin`, `cos`, `tan`, their inverses, the hyperbolic functions and `powf` on f32, and
    `exp` and `log` on f64, or vectors of these, become arithmetic with a fixed result, bit-equal to the reference: no libm.
    The bounds in ulps stand in `lib/Math`. Other types are left alone.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::vector::VectorDialect"];
}

def LowerTile : Pass<"mezzo-lower-tile", "::mlir::ModuleOp"> {
  let summary = "spell the ops of `tile` as the target does";
  let description = [{
    What the target has no spelling for is lowered by its definition, and `+generic` behind the name of a target asks for
    definitions only. Errors: a target that does not exist; the message lists those that do.
  }];
  let options = [Option<"target", "target", "std::string", "\"generic\"", "name of the target">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
    "::mlir::vector::VectorDialect", "::mlir::LLVM::LLVMDialect"];
}

def LowerToLLVM : Pass<"mezzo-lower-to-llvm", "::mlir::ModuleOp"> {
  let summary = "launches, arena and everything around them in the LLVM dialect";
  let description = [{
    A `mezzo.launch` stores its operands in a struct on the stack and calls the runtime's parallel loop with a task function
    that unpacks them. Weights are dropped: their bytes are in the weight file. Where the entry function has a signature
    (`mezzo.inputs`, `mezzo.outputs`), the module gets the C interface of `runtime/abi.h`: pointers and shapes in, an error
    word out, and one exported symbol, `<prefix>_api`.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif // MEZZO_PASSES_PASSES_TD
