//===- MezzoTypes.td - the element type and the attributes -----*- tablegen -*-===//
#ifndef MEZZO_DIALECTS_MEZZO_MEZZOTYPES_TD
#define MEZZO_DIALECTS_MEZZO_MEZZOTYPES_TD

include "dialects/Mezzo/MezzoDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinTypeInterfaces.td"
include "mlir/IR/EnumAttr.td"

def Mezzo_QType : TypeDef<Mezzo_Dialect, "Q", [MemRefElementTypeInterface]> {
  let mnemonic = "q";
  let summary = "code of a number format";
  let description = [{
    The element type of a tensor of codes: `!mezzo.q<int3>`, `!mezzo.q<ternary>`, `!mezzo.q<e2m1>`. The parameter is a format
    of `docs/numbers.md`; one that is more than a word stands in quotes, `!mezzo.q<"float<3,2,3,finite>">`. The type says
    how a code is read, not how it is stored: storage is decided by `passes/Layout`, before bufferization. Errors: a name
    that is no format.

    ```mlir
    tensor<4096x4096x!mezzo.q<uint4>>
    ```
  }];
  let parameters = (ins StringRefParameter<"name of a number format">:$format);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The parsed format; the verifier has seen to it that the name is one.
    ::mezzo::Format getNumberFormat() const;
  }];
}

def Mezzo_LayoutAttr : AttrDef<Mezzo_Dialect, "Layout"> {
  let mnemonic = "layout";
  let summary = "where every bit of a packed matrix lies";
  let description = [{
    A digit layout of `lib/Layout` in its text form, for example `#mezzo.layout<"bit=[b:4, k:2], line=[k@2:*], tile=[n:*]">`:
    bit b of the code at row n, column k. The page `docs/layouts.md` gives the notation; `mezzo explain layout` draws it.
    Errors: a text that is no layout, with the column of the first mistake.
  }];
  let parameters = (ins StringRefParameter<"digits, as text">:$text);
  let assemblyFormat = "`<` $text `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The parsed layout; the verifier has seen to it that the text is one.
    ::mezzo::Layout getLayout() const;
  }];
}

def Mezzo_ModeAttr : I32EnumAttr<"ComputeMode", "the arithmetic of a product, down to the order of additions", [
    I32EnumAttrCase<"Float", 0, "float">,
    I32EnumAttrCase<"Int", 1, "int">,
    I32EnumAttrCase<"Lut8", 2, "lut8">,
    I32EnumAttrCase<"IntegerOnly", 3, "integer_only">,
    I32EnumAttrCase<"FloatMma", 4, "float_mma">]> {
  let cppNamespace = "::mezzo";
}

def Mezzo_StrategyAttr : I32EnumAttr<"StrategyKind", "a way to compute a product that is exact in its mode", [
    I32EnumAttrCase<"Dequant", 0, "dequant">,
    I32EnumAttrCase<"NativeDot", 1, "native_dot">,
    I32EnumAttrCase<"Lut", 2, "lut">]> {
  let cppNamespace = "::mezzo";
}

def Mezzo_TableFormAttr : I32EnumAttr<"TableForm", "how the entries of a code book lie at the start of a panel", [
    I32EnumAttrCase<"None", 0, "none">,
    I32EnumAttrCase<"Halves", 1, "halves">,
    I32EnumAttrCase<"Bytes", 2, "bytes">,
    I32EnumAttrCase<"Floats", 3, "floats">,
    I32EnumAttrCase<"FloatsPerRow", 4, "floats_per_row">]> {
  let description = [{
    Not at all; sixteen bytes each of byte 2 and byte 3 of every entry, where the others are zero (its upper half); of bytes
    0 to 3; entries in f32, for all rows of the panel or for each.
  }];
  let cppNamespace = "::mezzo";
}

def Mezzo_ConfigAttr : AttrDef<Mezzo_Dialect, "Config"> {
  let mnemonic = "config";
  let summary = "what was chosen for a product: a strategy and its knobs";
  let description = [{
    Choices never change a result, only its time. The knobs:

    * `rows`, `groups`: the register tile for many activation rows: so many of them, by so many row groups of the panel (eight weight rows, or
      16 or 32 where the layout is one of indices);
    * `unroll`: steps of four columns that are written out in a round of the inner loop;
    * `streams`: panels that are read side by side for one activation row;
    * `block`: columns of a panel that are decoded together for many activation rows, a multiple of four;
    * `chunk`: columns whose products, or table entries, are added up in 16-bit lanes before they are widened, a multiple of
      four that divides `block`; 0 widens every product.

    ```mlir
    #mezzo.config<strategy = native_dot, rows = 4, groups = 2, unroll = 2, streams = 2, block = 512, chunk = 64>
    ```

    Errors: a knob out of its range, which the message tells.
  }];
  let parameters = (ins
    EnumParameter<Mezzo_StrategyAttr>:$strategy,
    "int64_t":$rows, "int64_t":$groups, "int64_t":$unroll, "int64_t":$streams, "int64_t":$block, "int64_t":$chunk);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

#endif // MEZZO_DIALECTS_MEZZO_MEZZOTYPES_TD
