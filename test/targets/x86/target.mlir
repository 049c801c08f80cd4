// A target that does not exist is an error that lists those that do.

// RUN: not mezzo-opt %s --mezzo-lower-tile=target=z80 2>&1 | FileCheck %s
// RUN: not mezzo-opt %s --mezzo-lower-tile=target=aarch64 2>&1 | FileCheck %s --check-prefix=PLANNED

// CHECK: error: there is no target 'z80': use one of native, generic, x86-64-v3, x86-64-v3+generic
// PLANNED: error: target 'aarch64' is not supported yet: use one of native, generic, x86-64-v3, x86-64-v3+generic
func.func @f() {
  return
}
