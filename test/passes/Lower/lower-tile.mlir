// The ops of `tile` by the target's spelling, or by their definition. What the spellings are is tested per machine, in
// test/targets; here it is that one or the other is taken.

// RUN: mezzo-opt %s --mezzo-lower-tile | FileCheck %s
// RUN: mezzo-opt %s --mezzo-lower-tile=target=generic | FileCheck %s
// RUN: mezzo-opt %s --mezzo-lower-tile=target=x86-64-v3+generic | FileCheck %s
// RUN: mezzo-opt %s --mezzo-lower-tile=target=x86-64-v3 | FileCheck %s --check-prefix=SPELT
// RUN: not mezzo-opt %s --mezzo-lower-tile=target=abacus 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// UNKNOWN: error: there is no target 'abacus': use one of native, generic,

// The definition shifts bytes; no option is the generic target.

// CHECK-LABEL: func @field
// CHECK-SAME: (%[[V:.*]]: vector<32xi8>)
// CHECK-DAG: %[[BY:.*]] = arith.constant dense<2> : vector<32xi8>
// CHECK-DAG: %[[MASK:.*]] = arith.constant dense<3> : vector<32xi8>
// CHECK-DAG: %[[TO:.*]] = arith.constant dense<4> : vector<32xi8>
// CHECK: %[[DOWN:.*]] = arith.shrui %[[V]], %[[BY]] : vector<32xi8>
// CHECK: %[[BITS:.*]] = arith.andi %[[DOWN]], %[[MASK]] : vector<32xi8>
// CHECK: %[[UP:.*]] = arith.shli %[[BITS]], %[[TO]] : vector<32xi8>
// CHECK: return %[[UP]]

// A machine without shifts of bytes does something else.

// SPELT-LABEL: func @field
// SPELT-NOT: arith.shrui {{.*}} : vector<32xi8>
// SPELT-NOT: tile.
// SPELT: return
func.func @field(%v: vector<32xi8>) -> vector<32xi8> {
  %0 = tile.field %v shift = 2 width = 2 to = 4 : vector<32xi8>
  return %0 : vector<32xi8>
}

// What has no spelling falls back to the definition.

// CHECK-LABEL: func @broadcast
// CHECK: vector.load {{.*}} : memref<?xi8>, vector<4xi8>
// CHECK-NOT: tile.
// SPELT-LABEL: func @broadcast
// SPELT-NOT: tile.
func.func @broadcast(%m: memref<?xi8>, %i: index) -> vector<12xi8> {
  %0 = tile.broadcast_group %m[%i] : memref<?xi8> -> vector<12xi8>
  return %0 : vector<12xi8>
}
