//===- TileOps.td - vector operations that every machine has ---*- tablegen -*-===//
#ifndef MEZZO_DIALECTS_TILE_TILEOPS_TD
#define MEZZO_DIALECTS_TILE_TILEOPS_TD

include "mlir/IR/OpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let summary = "vector operations that every machine has, under another name";
  let description = [{
    A strategy writes the inner loop of a kernel in these ops, `vector` and `arith`; a target spells each one as its own
    instructions. Every op has a *definition* in `vector` and `arith` (`Definitions.cpp`): it is the documentation of the op,
    the lowering for a machine without a spelling, and what spellings are tested against.

    Vectors of codes have four columns of one row in each group of four bytes, so that an int32 lane is one row.
  }];
  let cppNamespace = "::mezzo::tile";
}

class Tile_Op<string mnemonic, list<Trait> traits = []> : Op<Tile_Dialect, mnemonic, traits>;

def Tile_Bytes : FixedVectorOfRankAndType<[1], [I8]>;
def Tile_Lanes : FixedVectorOfRankAndType<[1], [I32]>;

def Tile_FieldOp : Tile_Op<"field", [Pure, SameOperandsAndResultType]> {
  let summary = "bits of every byte, moved to another place";
  let description = [{
    `((v >> shift) & (2^width - 1)) << to`, in every byte. A code that lies in several pieces is the `or` of its fields.

    ```mlir
    %hi = tile.field %v shift = 4 width = 4 to = 0 : vector<32xi8>
    ```
  }];
  let arguments = (ins Tile_Bytes:$source, I64Attr:$shift, I64Attr:$width, I64Attr:$to);
  let results = (outs Tile_Bytes:$result);
  let assemblyFormat = "$source `shift` `=` $shift `width` `=` $width `to` `=` $to attr-dict `:` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Tile_DotOp : Tile_Op<"dot", [Pure, AllTypesMatch<["acc", "result"]>, AllTypesMatch<["u", "s"]>]> {
  let summary = "groups of four products of bytes, added to int32 lanes";
  let description = [{
    `acc[i] + sum over j < 4 of u[4i + j] * s[4i + j]`, with `u` unsigned and `s` signed. `umax` and `smax` bound the operands:
    0 <= u <= umax and |s| <= smax. A spelling may only use instructions that are exact within these bounds
    (`vpmaddubsw` saturates at 2 * umax * smax > 32767); nothing else may decide.
  }];
  let arguments = (ins Tile_Lanes:$acc, Tile_Bytes:$u, Tile_Bytes:$s, I64Attr:$umax, I64Attr:$smax);
  let results = (outs Tile_Lanes:$result);
  let assemblyFormat = [{
    $acc `,` $u `,` $s `umax` `=` $umax `smax` `=` $smax attr-dict `:` type($u) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_BroadcastGroupOp : Tile_Op<"broadcast_group", [MemoryEffects<[MemRead]>]> {
  let summary = "four bytes of memory, repeated over a vector";
  let description = [{Reads four consecutive columns of one activation row and gives them to every row of the weight.}];
  let arguments = (ins MemRefOf<[I8]>:$base, Variadic<Index>:$indices);
  let results = (outs Tile_Bytes:$result);
  let assemblyFormat = "$base `[` $indices `]` attr-dict `:` type($base) `->` type($result)";
  let hasVerifier = 1;
}

#endif // MEZZO_DIALECTS_TILE_TILEOPS_TD
