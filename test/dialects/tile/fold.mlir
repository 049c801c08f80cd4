// Folders and effects.

// RUN: mezzo-opt %s --canonicalize --cse | FileCheck %s

// A field of all eight bits is the byte itself.

// CHECK-LABEL: func @whole_byte
// CHECK-SAME: (%[[V:.*]]: vector<32xi8>)
// CHECK-NOT: tile.field
// CHECK: return %[[V]]
func.func @whole_byte(%v: vector<32xi8>) -> vector<32xi8> {
  %0 = tile.field %v shift = 0 width = 8 to = 0 : vector<32xi8>
  return %0 : vector<32xi8>
}

// Any other one masks, even where it does not move.

// CHECK-LABEL: func @in_place
// CHECK: tile.field
func.func @in_place(%v: vector<32xi8>) -> vector<32xi8> {
  %0 = tile.field %v shift = 0 width = 7 to = 0 : vector<32xi8>
  return %0 : vector<32xi8>
}

// Two reads are one only while nothing writes between them, and a read that nobody uses is gone.

// CHECK-LABEL: func @reads
// CHECK-COUNT-2: tile.broadcast_group
// CHECK-NOT: tile.broadcast_group
// CHECK: return
func.func @reads(%m: memref<?xi8>, %i: index, %b: i8)
    -> (vector<32xi8>, vector<32xi8>, vector<32xi8>) {
  %0 = tile.broadcast_group %m[%i] : memref<?xi8> -> vector<32xi8>
  %1 = tile.broadcast_group %m[%i] : memref<?xi8> -> vector<32xi8>
  memref.store %b, %m[%i] : memref<?xi8>
  %2 = tile.broadcast_group %m[%i] : memref<?xi8> -> vector<32xi8>
  %unread = tile.broadcast_group %m[%i] : memref<?xi8> -> vector<16xi8>
  return %0, %1, %2 : vector<32xi8>, vector<32xi8>, vector<32xi8>
}
