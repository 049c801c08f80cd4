// A target that does not exist is an error that lists those that do.

// RUN: not mezzo-opt %s --mezzo-lower-tile=target=z80 2>&1 | FileCheck %s
// RUN: not mezzo-opt %s --mezzo-lower-tile=target=aarch64+sve 2>&1 | FileCheck %s --check-prefix=PLANNED

// CHECK: error: there is no target 'z80': use one of native, generic, x86-64-v3, {{.*}}aarch64, aarch64+generic, aarch64+dotprod, aarch64+dotprod+generic, aarch64+dotprod+i8mm, aarch64+dotprod+i8mm+generic
// PLANNED: error: target 'aarch64+sve' is not supported yet: use one of native, generic, x86-64-v3, {{.*}}aarch64, aarch64+generic, aarch64+dotprod, aarch64+dotprod+generic, aarch64+dotprod+i8mm, aarch64+dotprod+i8mm+generic
func.func @f() {
  return
}
