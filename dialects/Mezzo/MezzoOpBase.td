//===- MezzoOpBase.td - what every family of ops includes ------*- tablegen -*-===//
#ifndef MEZZO_DIALECTS_MEZZO_MEZZOOPBASE_TD
#define MEZZO_DIALECTS_MEZZO_MEZZOOPBASE_TD

include "dialects/Mezzo/MezzoTypes.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Mezzo_Op<string mnemonic, list<Trait> traits = []> : Op<Mezzo_Dialect, mnemonic, traits>;

/// A pure op on tensors whose result shapes follow from its operands'.
class Mezzo_TensorOp<string mnemonic, list<Trait> traits = []>
    : Mezzo_Op<mnemonic, traits # [Pure, DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]>;

def Mezzo_FloatTensor : RankedTensorOf<[F32, F16, BF16]>;

#endif // MEZZO_DIALECTS_MEZZO_MEZZOOPBASE_TD
