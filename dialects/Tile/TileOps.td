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
def Tile_Words : FixedVectorOfRankAndType<[1], [I16]>;
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

class Tile_CodeProduct<string mnemonic, list<Trait> traits> : Tile_Op<mnemonic, !listconcat([Pure,
    AllTypesMatch<["acc", "result"]>, AllTypesMatch<["codes", "activations"]>], traits)> {
  let assemblyFormat = [{
    $acc `,` $codes `in` ` ` `[` $low `,` $high `]` `,` $activations `amax` `=` $amax attr-dict `:` type($codes) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_DotOp : Tile_CodeProduct<"dot", []> {
  let summary = "groups of four products of bytes, added to int32 lanes";
  let description = [{
    `acc[i] + sum over j < 4 of codes[4i + j] * activations[4i + j]`. Activations are signed. Codes are signed where `low` is
    negative and unsigned else; they lie in [`low`, `high`], and |activations| <= `amax`. A spelling may only use instructions
    that are exact within these bounds (`vpmaddubsw` saturates where 2 * high * amax > 32767); nothing else may decide.

    ```mlir
    %r = tile.dot %acc, %c in [-128, 127], %a amax = 127 : vector<32xi8> -> vector<8xi32>
    ```
  }];
  let arguments = (ins Tile_Lanes:$acc, Tile_Bytes:$codes, Tile_Bytes:$activations, SI64Attr:$low, SI64Attr:$high, I64Attr:$amax);
  let results = (outs Tile_Lanes:$result);
}

def Tile_DotPairsOp : Tile_CodeProduct<"dot_pairs", []> {
  let summary = "pairs of products of bytes, added to int16 lanes modulo 2^16";
  let description = [{
    `acc[i] + codes[2i] * activations[2i] + codes[2i + 1] * activations[2i + 1]` modulo 2^16, with operands as in `dot`. One
    sum of two products must fit in 16 bits (2 * max|codes| * amax <= 32767, verified); the running sum may wrap on the way,
    since only its end counts: who adds up more terms answers for the range of the end. On machines that multiply bytes in
    pairs this is half the work of `dot`.

    ```mlir
    %r = tile.dot_pairs %acc, %c in [0, 15], %a amax = 127 : vector<32xi8> -> vector<16xi16>
    ```
  }];
  let arguments = (ins Tile_Words:$acc, Tile_Bytes:$codes, Tile_Bytes:$activations, SI64Attr:$low, SI64Attr:$high, I64Attr:$amax);
  let results = (outs Tile_Words:$result);
}

def Tile_AddPairsOp : Tile_Op<"add_pairs", [Pure, AllTypesMatch<["acc", "result"]>]> {
  let summary = "pairs of int16 lanes, added to int32 lanes";
  let description = [{
    `acc[i] + words[2i] + words[2i + 1]`, with signed words: what ends a run of `dot_pairs`.

    ```mlir
    %r = tile.add_pairs %acc, %w : vector<16xi16> -> vector<8xi32>
    ```
  }];
  let arguments = (ins Tile_Lanes:$acc, Tile_Words:$words);
  let results = (outs Tile_Lanes:$result);
  let assemblyFormat = "$acc `,` $words attr-dict `:` type($words) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_LookupOp : Tile_Op<"lookup", [Pure, AllTypesMatch<["indices", "result"]>]> {
  let summary = "bytes of a table of sixteen, one for each index";
  let description = [{
    `table[indices[i]]`, in every byte. Indices lie in 0..15; what others give is up to the machine.

    ```mlir
    %e = tile.lookup %t[%i] : vector<16xi8>, vector<32xi8>
    ```
  }];
  let arguments = (ins VectorOfLengthAndType<[16], [I8]>:$table, Tile_Bytes:$indices);
  let results = (outs Tile_Bytes:$result);
  let assemblyFormat = "$table `[` $indices `]` attr-dict `:` type($table) `,` type($indices)";
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
