// The ops of the dialect, as they are read and printed.

// RUN: mezzo-opt %s | FileCheck %s
// RUN: mezzo-opt %s --mlir-print-op-generic | mezzo-opt | FileCheck %s

// CHECK-LABEL: func @field
// CHECK: tile.field %{{.*}} shift = 4 width = 4 to = 0 : vector<32xi8>
// CHECK: tile.field %{{.*}} shift = 0 width = 2 to = 6 : vector<16xi8>
func.func @field(%a: vector<32xi8>, %b: vector<16xi8>) -> (vector<32xi8>, vector<16xi8>) {
  %0 = tile.field %a shift = 4 width = 4 to = 0 : vector<32xi8>
  %1 = tile.field %b shift = 0 width = 2 to = 6 : vector<16xi8>
  return %0, %1 : vector<32xi8>, vector<16xi8>
}

// CHECK-LABEL: func @dot
// CHECK: tile.dot %{{.*}}, %{{.*}}, %{{.*}} umax = 15 smax = 127 : vector<32xi8> -> vector<8xi32>
// CHECK: tile.dot %{{.*}}, %{{.*}}, %{{.*}} umax = 255 smax = 128 : vector<32xi8> -> vector<8xi32>
func.func @dot(%acc: vector<8xi32>, %u: vector<32xi8>, %s: vector<32xi8>) -> vector<8xi32> {
  %0 = tile.dot %acc, %u, %s umax = 15 smax = 127 : vector<32xi8> -> vector<8xi32>
  %1 = tile.dot %0, %u, %s umax = 255 smax = 128 : vector<32xi8> -> vector<8xi32>
  return %1 : vector<8xi32>
}

// CHECK-LABEL: func @broadcast_group
// CHECK: tile.broadcast_group %{{.*}}[%{{.*}}, %{{.*}}] : memref<?x?xi8> -> vector<32xi8>
func.func @broadcast_group(%m: memref<?x?xi8>, %i: index, %j: index) -> vector<32xi8> {
  %0 = tile.broadcast_group %m[%i, %j] : memref<?x?xi8> -> vector<32xi8>
  return %0 : vector<32xi8>
}
