//===- KernelOps.td - what runs, and what it runs on -----------*- tablegen -*-===//
#ifndef MEZZO_DIALECTS_MEZZO_KERNELOPS_TD
#define MEZZO_DIALECTS_MEZZO_KERNELOPS_TD

include "dialects/Mezzo/MezzoOpBase.td"

def Mezzo_LaunchOp : Mezzo_Op<"launch", [AttrSizedOperandSegments, DestinationStyleOpInterface,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a kernel over a range of independent tasks, on the threads of the context";
  let description = [{
    Calls `kernel` with the inputs, then the outputs, then a half-open range [begin, end) of tasks; ranges partition
    [0, `count`) in pieces of at least `grain`. How it is cut never changes a result. Kernels are functions on memrefs, made by
    `passes/Kernel`, one per key; scalars (`index`) are inputs too. On tensors the op is pure and its results are the outputs;
    on memrefs it reads the inputs, writes the outputs, and has no result.

    ```mlir
    %y = mezzo.launch @softmax count(%rows) grain = 16 ins(%x : tensor<?x64xf32>) outs(%init : tensor<?x64xf32>)
       -> tensor<?x64xf32>
    ```

    Errors: a symbol that is no function, or one that takes another number of arguments.
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Index:$count, Variadic<AnyType>:$inputs,
    Variadic<AnyShaped>:$outputs, I64Attr:$grain);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    $kernel `count` `(` $count `)` `grain` `=` $grain `ins` `(` ($inputs^ `:` type($inputs))? `)`
    `outs` `(` $outputs `:` type($outputs) `)` attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getOutputsMutable(); }
  }];
}

def Mezzo_CheckOp : Mezzo_Op<"check", [MemoryEffects<[MemWrite]>]> {
  let summary = "sets the error word of the run when the condition is false";
  let description = [{
    The run ends there, and the entry point returns the error: a model never aborts its host. The code around it still
    substitutes a safe value, because `@shapes` is the same code without its checks.
  }];
  let arguments = (ins I1:$condition, StrAttr:$message);
  let assemblyFormat = "$condition `,` $message attr-dict";
}

def Mezzo_WeightViewOp : Mezzo_Op<"weight_view", [Pure]> {
  let summary = "a part of the weight file in memory, as a flat array";
  let description = [{
    `offset` counts bytes from the start of the payload, a multiple of 64; the length is the type's. Weights are mapped
    read-only: nobody may write there.

    ```mlir
    %w = mezzo.weight_view 4096 : memref<8192xi8>
    ```
  }];
  let arguments = (ins I64Attr:$offset);
  let results = (outs AnyStaticShapeMemRef:$view);
  let assemblyFormat = "$offset attr-dict `:` type($view)";
}

def Mezzo_ArenaOp : Mezzo_Op<"arena", [Pure]> {
  let summary = "the static part of the context's scratch memory";
  let description = [{
    As many bytes as `mezzo-plan-arena` needs (the module's attribute `mezzo.arena_bytes`), 64-byte aligned; buffers are
    views of it at offsets that the pass has chosen.
  }];
  let results = (outs MemRefRankOf<[I8], [1]>:$arena);
  let assemblyFormat = "attr-dict `:` type($arena)";
}

def Mezzo_AllocOp : Mezzo_Op<"alloc", [MemoryEffects<[MemAlloc]>]> {
  let summary = "scratch memory whose size is known only at run time; all of it is given back when the run ends";
  let description = [{
    `bytes` is unsigned. Where there is not as much memory, the run ends there, and the entry point returns the error.
  }];
  let arguments = (ins Index:$bytes);
  let results = (outs MemRefRankOf<[I8], [1]>:$memory);
  let assemblyFormat = "$bytes attr-dict `:` type($memory)";
}

#endif // MEZZO_DIALECTS_MEZZO_KERNELOPS_TD
