// The spellings of the `tile` ops for AVX2. That they equal the definitions is what targets/X86/SpellingTest.cpp runs.

// RUN: mezzo-opt %s --mezzo-lower-tile=target=x86-64-v3 | FileCheck %s
// RUN: mezzo-opt %s --mezzo-lower-tile=target=x86-64-v3+generic | FileCheck %s --check-prefix=GENERIC

// One shift of 16-bit lanes to the place where the field goes, one mask.

// CHECK-LABEL: func @field_down
// CHECK-DAG: %[[MASK:.*]] = arith.constant dense<3> : vector<32xi8>
// CHECK-DAG: %[[BY:.*]] = arith.constant dense<2> : vector<16xi16>
// CHECK: %[[WORDS:.*]] = vector.bitcast %{{.*}} : vector<32xi8> to vector<16xi16>
// CHECK: %[[SHIFTED:.*]] = arith.shrui %[[WORDS]], %[[BY]] : vector<16xi16>
// CHECK: %[[BYTES:.*]] = vector.bitcast %[[SHIFTED]] : vector<16xi16> to vector<32xi8>
// CHECK: %[[FIELD:.*]] = arith.andi %[[BYTES]], %[[MASK]] : vector<32xi8>
// CHECK: return %[[FIELD]]
// GENERIC-LABEL: func @field_down
// GENERIC: arith.shrui {{.*}} : vector<32xi8>
// GENERIC-NOT: tile.
func.func @field_down(%v: vector<32xi8>) -> vector<32xi8> {
  %f = tile.field %v shift = 2 width = 2 to = 0 : vector<32xi8>
  return %f : vector<32xi8>
}

// Two pieces of a code: the second moves up. -16 is the mask 0xf0.

// CHECK-LABEL: func @field_up
// CHECK-DAG: %[[MASK:.*]] = arith.constant dense<-16> : vector<32xi8>
// CHECK-DAG: %[[BY:.*]] = arith.constant dense<4> : vector<16xi16>
// CHECK: arith.shli %{{.*}}, %[[BY]] : vector<16xi16>
// CHECK: arith.andi %{{.*}}, %[[MASK]] : vector<32xi8>
func.func @field_up(%v: vector<32xi8>) -> vector<32xi8> {
  %f = tile.field %v shift = 0 width = 4 to = 4 : vector<32xi8>
  return %f : vector<32xi8>
}

// A field that stays where it is needs its mask only.

// CHECK-LABEL: func @field_in_place
// CHECK-NOT: arith.sh
// CHECK: arith.andi %{{.*}} : vector<32xi8>
// CHECK-NOT: arith.sh
// CHECK: return
func.func @field_in_place(%v: vector<32xi8>) -> vector<32xi8> {
  %f = tile.field %v shift = 3 width = 3 to = 3 : vector<32xi8>
  return %f : vector<32xi8>
}

// 2 * 127 * 127 = 32258: the pairs fit in 16 bits.

// CHECK-LABEL: func @narrow_dot
// CHECK-SAME: (%[[ACC:.*]]: vector<8xi32>, %[[U:.*]]: vector<32xi8>, %[[S:.*]]: vector<32xi8>)
// CHECK: %[[ONES:.*]] = arith.constant dense<1> : vector<16xi16>
// CHECK: %[[PAIRS:.*]] = llvm.call_intrinsic "llvm.x86.avx2.pmadd.ub.sw"(%[[U]], %[[S]])
// CHECK: %[[SUMS:.*]] = llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"(%[[PAIRS]], %[[ONES]])
// CHECK: %[[R:.*]] = arith.addi %[[ACC]], %[[SUMS]]
// CHECK: return %[[R]]
// GENERIC-LABEL: func @narrow_dot
// GENERIC-NOT: llvm.call_intrinsic
// GENERIC: return
func.func @narrow_dot(%acc: vector<8xi32>, %u: vector<32xi8>, %s: vector<32xi8>) -> vector<8xi32> {
  %r = tile.dot %acc, %u in [0, 127], %s amax = 127 : vector<32xi8> -> vector<8xi32>
  return %r : vector<8xi32>
}

// 2 * 128 * 128 = 32768 does not: even and odd bytes apart.

// CHECK-LABEL: func @wide_dot
// CHECK-NOT: pmadd.ub.sw
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"
// CHECK-NOT: llvm.call_intrinsic
// CHECK: return
func.func @wide_dot(%acc: vector<8xi32>, %u: vector<32xi8>, %s: vector<32xi8>) -> vector<8xi32> {
  %r = tile.dot %acc, %u in [0, 128], %s amax = 128 : vector<32xi8> -> vector<8xi32>
  return %r : vector<8xi32>
}

// Signed codes give their sign to the activations.

// CHECK-LABEL: func @signed_dot
// CHECK-SAME: (%[[ACC:.*]]: vector<8xi32>, %[[C:.*]]: vector<32xi8>, %[[A:.*]]: vector<32xi8>)
// CHECK: %[[SIGNED:.*]] = llvm.call_intrinsic "llvm.x86.avx2.psign.b"(%[[A]], %[[C]])
// CHECK: %[[ABS:.*]] = math.absi %[[C]]
// CHECK: %[[PAIRS:.*]] = llvm.call_intrinsic "llvm.x86.avx2.pmadd.ub.sw"(%[[ABS]], %[[SIGNED]])
// CHECK: llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"(%[[PAIRS]]
func.func @signed_dot(%acc: vector<8xi32>, %c: vector<32xi8>, %a: vector<32xi8>) -> vector<8xi32> {
  %r = tile.dot %acc, %c in [-128, 127], %a amax = 127 : vector<32xi8> -> vector<8xi32>
  return %r : vector<8xi32>
}

// -(-128) is no byte: even and odd bytes apart.

// CHECK-LABEL: func @signed_dot_of_all_bytes
// CHECK-NOT: psign
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"
// CHECK: return
func.func @signed_dot_of_all_bytes(%acc: vector<8xi32>, %c: vector<32xi8>, %a: vector<32xi8>) -> vector<8xi32> {
  %r = tile.dot %acc, %c in [-1, 1], %a amax = 128 : vector<32xi8> -> vector<8xi32>
  return %r : vector<8xi32>
}

// CHECK-LABEL: func @pairs
// CHECK-SAME: (%[[ACC:.*]]: vector<8xi32>, %[[W:.*]]: vector<16xi16>, %[[C:.*]]: vector<32xi8>, %[[A:.*]]: vector<32xi8>)
// CHECK: %[[ONES:.*]] = arith.constant dense<1> : vector<16xi16>
// CHECK: %[[PAIRS:.*]] = llvm.call_intrinsic "llvm.x86.avx2.pmadd.ub.sw"(%[[C]], %[[A]])
// CHECK: %[[SUM:.*]] = arith.addi %[[W]], %[[PAIRS]] : vector<16xi16>
// CHECK: %[[LANES:.*]] = llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"(%[[SUM]], %[[ONES]])
// CHECK: arith.addi %[[ACC]], %[[LANES]]
// GENERIC-LABEL: func @pairs
// GENERIC-NOT: llvm.call_intrinsic
// GENERIC: return
func.func @pairs(%acc: vector<8xi32>, %w: vector<16xi16>, %c: vector<32xi8>, %a: vector<32xi8>) -> vector<8xi32> {
  %p = tile.dot_pairs %w, %c in [0, 15], %a amax = 127 : vector<32xi8> -> vector<16xi16>
  %r = tile.add_pairs %acc, %p : vector<16xi16> -> vector<8xi32>
  return %r : vector<8xi32>
}

// The definition of broadcast_group is what LLVM makes a broadcasting load of.

// CHECK-LABEL: func @broadcast_group
// CHECK: vector.load {{.*}} : memref<?xi8>, vector<4xi8>
// CHECK: vector.broadcast {{.*}} : i32 to vector<8xi32>
func.func @broadcast_group(%m: memref<?xi8>, %i: index) -> vector<32xi8> {
  %v = tile.broadcast_group %m[%i] : memref<?xi8> -> vector<32xi8>
  return %v : vector<32xi8>
}

// Vectors of other lengths are left to the definitions.

// CHECK-LABEL: func @other_length
// CHECK-NOT: llvm.call_intrinsic
// CHECK-NOT: tile.
// CHECK: return
func.func @other_length(%acc: vector<4xi32>, %v: vector<16xi8>) -> vector<4xi32> {
  %f = tile.field %v shift = 4 width = 4 to = 0 : vector<16xi8>
  %r = tile.dot %acc, %f in [0, 15], %v amax = 128 : vector<16xi8> -> vector<4xi32>
  return %r : vector<4xi32>
}

// The table in both halves, and one byte shuffle; by definition, one selection for each entry but the first.

// CHECK-LABEL: func @lookup
// CHECK-SAME: (%[[TABLE:.*]]: vector<16xi8>, %[[INDICES:.*]]: vector<32xi8>)
// CHECK: %[[TWICE:.*]] = vector.shuffle %[[TABLE]], %[[TABLE]]
// CHECK: %[[R:.*]] = llvm.call_intrinsic "llvm.x86.avx2.pshuf.b"(%[[TWICE]], %[[INDICES]])
// CHECK: return %[[R]]
// GENERIC-LABEL: func @lookup
// GENERIC-COUNT-15: arith.select
// GENERIC-NOT: arith.select
func.func @lookup(%t: vector<16xi8>, %i: vector<32xi8>) -> vector<32xi8> {
  %r = tile.lookup %t[%i] : vector<16xi8>, vector<32xi8>
  return %r : vector<32xi8>
}
