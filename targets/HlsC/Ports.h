//===- Ports.h - do arrays have as many ports as their accesses need? -----===//

#ifndef MEZZO_TARGETS_HLSC_PORTS_H
#define MEZZO_TARGETS_HLSC_PORTS_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace mezzo::hlsc {

/// Ports of a memory of an FPGA: block RAM has two.
inline constexpr int64_t PortsPerBank = 2;

/// Checks every pipelined loop of a module of EmitC ops: within one iteration,
/// with all loops inside of it unrolled, no bank of an array is accessed at
/// more addresses than PortsPerBank times the initiation interval that the loop
/// states. Synthesis would otherwise miss that interval without an error.
///
/// Which bank and address an access has is computed from its indices, for the
/// first, second and last values of the loops around (indices are sums and
/// products of loop variables). An index that depends on data reaches every
/// bank of its dimension. Worked example: in an iteration, `a[8 * i + j]`,
/// j = 0..7, with `a` cyclically in 8 banks, is one address in each bank; with
/// 2 banks it is four addresses in each, and II = 1 cannot be had.
///
/// Errors name the function, the array, the bank and the numbers.
llvm::Error checkPorts(mlir::ModuleOp module);

} // namespace mezzo::hlsc

#endif // MEZZO_TARGETS_HLSC_PORTS_H
