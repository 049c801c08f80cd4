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
// CHECK: tile.dot %{{.*}}, %{{.*}} in{{ ?}}[0, 15], %{{.*}} amax = 127 : vector<32xi8> -> vector<8xi32>
// CHECK: tile.dot %{{.*}}, %{{.*}} in{{ ?}}[0, 255], %{{.*}} amax = 128 : vector<32xi8> -> vector<8xi32>
func.func @dot(%acc: vector<8xi32>, %u: vector<32xi8>, %s: vector<32xi8>) -> vector<8xi32> {
  %0 = tile.dot %acc, %u in [0, 15], %s amax = 127 : vector<32xi8> -> vector<8xi32>
  %1 = tile.dot %0, %u in [0, 255], %s amax = 128 : vector<32xi8> -> vector<8xi32>
  return %1 : vector<8xi32>
}

// CHECK-LABEL: func @dot_pairs
// CHECK: tile.dot_pairs %{{.*}}, %{{.*}} in{{ ?}}[0, 15], %{{.*}} amax = 127 : vector<32xi8> -> vector<16xi16>
// CHECK: tile.dot_pairs %{{.*}}, %{{.*}} in{{ ?}}[-128, 127], %{{.*}} amax = 127 : vector<32xi8> -> vector<16xi16>
// CHECK: tile.add_pairs %{{.*}}, %{{.*}} : vector<16xi16> -> vector<8xi32>
func.func @dot_pairs(%acc: vector<8xi32>, %w: vector<16xi16>, %c: vector<32xi8>, %a: vector<32xi8>) -> vector<8xi32> {
  %0 = tile.dot_pairs %w, %c in [0, 15], %a amax = 127 : vector<32xi8> -> vector<16xi16>
  %1 = tile.dot_pairs %0, %c in [-128, 127], %a amax = 127 : vector<32xi8> -> vector<16xi16>
  %2 = tile.add_pairs %acc, %1 : vector<16xi16> -> vector<8xi32>
  return %2 : vector<8xi32>
}

// CHECK-LABEL: func @broadcast_group
// CHECK: tile.broadcast_group %{{.*}}[%{{.*}}, %{{.*}}] : memref<?x?xi8> -> vector<32xi8>
func.func @broadcast_group(%m: memref<?x?xi8>, %i: index, %j: index) -> vector<32xi8> {
  %0 = tile.broadcast_group %m[%i, %j] : memref<?x?xi8> -> vector<32xi8>
  return %0 : vector<32xi8>
}

// CHECK-LABEL: func @lookup
// CHECK: tile.lookup %{{.*}}[%{{.*}}] : vector<16xi8>, vector<32xi8>
func.func @lookup(%t: vector<16xi8>, %i: vector<32xi8>) -> vector<32xi8> {
  %0 = tile.lookup %t[%i] : vector<16xi8>, vector<32xi8>
  return %0 : vector<32xi8>
}
