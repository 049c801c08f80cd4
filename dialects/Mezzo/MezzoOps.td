//===- MezzoOps.td - all families of the dialect ---------------*- tablegen -*-===//
#ifndef MEZZO_DIALECTS_MEZZO_MEZZOOPS_TD
#define MEZZO_DIALECTS_MEZZO_MEZZOOPS_TD

include "dialects/Mezzo/WeightOps.td"
include "dialects/Mezzo/QuantOps.td"
include "dialects/Mezzo/ProductOps.td"
include "dialects/Mezzo/RowOps.td"
include "dialects/Mezzo/WindowOps.td"
include "dialects/Mezzo/KernelOps.td"

#endif // MEZZO_DIALECTS_MEZZO_MEZZOOPS_TD
