// The spellings of the `tile` ops for the ARM targets. That they equal the definitions is what
// targets/Arm64/SpellingTest.cpp runs; which instructions LLVM makes of them, what it counts.

// RUN: mezzo-opt %s --mezzo-lower-tile=target=aarch64 | FileCheck %s --check-prefixes=CHECK,BASE
// RUN: mezzo-opt %s --mezzo-lower-tile=target=aarch64+dotprod | FileCheck %s --check-prefixes=CHECK,DOT,DOTONLY
// RUN: mezzo-opt %s --mezzo-lower-tile=target=aarch64+dotprod+i8mm | FileCheck %s --check-prefixes=CHECK,DOT,I8MM
// RUN: mezzo-opt %s --mezzo-lower-tile=target=aarch64+dotprod+generic | FileCheck %s --check-prefix=GENERIC

// Bytes have shifts of their own here: one shift, one mask.

// CHECK-LABEL: func @field
// CHECK-SAME: (%[[V:.*]]: vector<32xi8>)
// CHECK-DAG: %[[MASK:.*]] = arith.constant dense<3> : vector<32xi8>
// CHECK-DAG: %[[BY:.*]] = arith.constant dense<2> : vector<32xi8>
// CHECK: %[[SHIFTED:.*]] = arith.shrui %[[V]], %[[BY]] : vector<32xi8>
// CHECK: %[[FIELD:.*]] = arith.andi %[[SHIFTED]], %[[MASK]] : vector<32xi8>
// CHECK: return %[[FIELD]]
func.func @field(%v: vector<32xi8>) -> vector<32xi8> {
  %f = tile.field %v shift = 2 width = 2 to = 0 : vector<32xi8>
  return %f : vector<32xi8>
}

// The upper bits down, the lower bits up: the shift pushes the others out.

// CHECK-LABEL: func @fields_at_the_ends
// CHECK-NOT: arith.andi
// CHECK: arith.shrui
// CHECK: arith.shli
// CHECK-NOT: arith.andi
// CHECK: return
func.func @fields_at_the_ends(%v: vector<32xi8>) -> (vector<32xi8>, vector<32xi8>) {
  %high = tile.field %v shift = 4 width = 4 to = 0 : vector<32xi8>
  %low = tile.field %v shift = 0 width = 3 to = 5 : vector<32xi8>
  return %high, %low : vector<32xi8>, vector<32xi8>
}

// Codes of seven bits are signed bytes, and two products of them fit in 16 bits.

// CHECK-LABEL: func @seven_bits
// BASE-COUNT-2: llvm.call_intrinsic "llvm.aarch64.neon.smull.v8i16"
// BASE: llvm.call_intrinsic "llvm.aarch64.neon.addp.v8i16"
// BASE: llvm.call_intrinsic "llvm.aarch64.neon.saddlp.v4i32.v8i16"
// BASE: arith.addi
// BASE-COUNT-2: llvm.call_intrinsic "llvm.aarch64.neon.smull.v8i16"
// BASE: llvm.call_intrinsic "llvm.aarch64.neon.addp.v8i16"
// DOT-COUNT-2: llvm.call_intrinsic "llvm.aarch64.neon.sdot.v4i32.v16i8"
// DOT-NOT: llvm.call_intrinsic
// CHECK: return
// GENERIC-LABEL: func @seven_bits
// GENERIC-NOT: llvm.call_intrinsic
// GENERIC: return
func.func @seven_bits(%acc: vector<8xi32>, %c: vector<32xi8>, %a: vector<32xi8>) -> vector<8xi32> {
  %r = tile.dot %acc, %c in [0, 127], %a amax = 127 : vector<32xi8> -> vector<8xi32>
  return %r : vector<8xi32>
}

// Two products of -128 by -128 do not: each one is widened, and lanes are met by parting even and odd bytes.

// CHECK-LABEL: func @all_bytes
// BASE-NOT: addp.v8i16
// BASE: vector.shuffle {{.*}} [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30]
// BASE: vector.shuffle {{.*}} [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31]
// BASE: llvm.call_intrinsic "llvm.aarch64.neon.smull.v8i16"
// BASE: llvm.call_intrinsic "llvm.aarch64.neon.saddlp.v4i32.v8i16"
// DOT-COUNT-2: llvm.call_intrinsic "llvm.aarch64.neon.sdot.v4i32.v16i8"
// CHECK: return
func.func @all_bytes(%acc: vector<8xi32>, %c: vector<32xi8>, %a: vector<32xi8>) -> vector<8xi32> {
  %r = tile.dot %acc, %c in [-128, 127], %a amax = 128 : vector<32xi8> -> vector<8xi32>
  return %r : vector<8xi32>
}

// Codes above 127 are no signed bytes: `usdot`, or the definition.

// CHECK-LABEL: func @unsigned_bytes
// BASE-NOT: llvm.call_intrinsic
// DOTONLY-NOT: llvm.call_intrinsic
// I8MM-COUNT-2: llvm.call_intrinsic "llvm.aarch64.neon.usdot.v4i32.v16i8"
// I8MM-NOT: llvm.call_intrinsic
// CHECK: return
func.func @unsigned_bytes(%acc: vector<8xi32>, %c: vector<32xi8>, %a: vector<32xi8>) -> vector<8xi32> {
  %r = tile.dot %acc, %c in [0, 128], %a amax = 127 : vector<32xi8> -> vector<8xi32>
  return %r : vector<8xi32>
}

// Sums in 16 bits, and what ends them.

// CHECK-LABEL: func @pairs
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.aarch64.neon.smull.v8i16"
// CHECK-NOT: addp.v8i16
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.aarch64.neon.saddlp.v4i32.v8i16"
// CHECK: return
// GENERIC-LABEL: func @pairs
// GENERIC-NOT: llvm.call_intrinsic
// GENERIC: return
func.func @pairs(%acc: vector<8xi32>, %w: vector<16xi16>, %c: vector<32xi8>, %a: vector<32xi8>) -> vector<8xi32> {
  %p = tile.dot_pairs %w, %c in [0, 15], %a amax = 127 : vector<32xi8> -> vector<16xi16>
  %r = tile.add_pairs %acc, %p : vector<16xi16> -> vector<8xi32>
  return %r : vector<8xi32>
}

// One load of a number.

// CHECK-LABEL: func @broadcast_group
// CHECK: %[[FOUR:.*]] = llvm.load {{.*}} {alignment = 1 : i64} : !llvm.ptr -> i32
// CHECK: vector.broadcast %[[FOUR]] : i32 to vector<8xi32>
// GENERIC-LABEL: func @broadcast_group
// GENERIC: vector.load {{.*}} vector<4xi8>
func.func @broadcast_group(%m: memref<?x?xi8>, %i: index, %j: index) -> vector<32xi8> {
  %v = tile.broadcast_group %m[%i, %j] : memref<?x?xi8> -> vector<32xi8>
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
