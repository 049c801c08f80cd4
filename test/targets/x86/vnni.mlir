// Dot products in one instruction, and 64-byte vectors. That they equal the definitions is what
// targets/X86/SpellingTest.cpp runs.

// RUN: mezzo-opt %s --mezzo-lower-tile=target=x86-64-v3+avxvnni | FileCheck %s --check-prefixes=CHECK,YMM
// RUN: mezzo-opt %s --mezzo-lower-tile=target=x86-64-v4+avx512vnni | FileCheck %s --check-prefixes=CHECK,ZMM
// RUN: mezzo-opt %s --mezzo-lower-tile=target=x86-64-v4 | FileCheck %s --check-prefix=AVX512

// All bytes: it does not saturate.

// CHECK-LABEL: func @unsigned
// CHECK-SAME: (%[[ACC:.*]]: vector<8xi32>, %[[C:.*]]: vector<32xi8>, %[[A:.*]]: vector<32xi8>)
// CHECK: %[[R:.*]] = llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.256"(%[[ACC]], %[[C]], %[[A]])
// CHECK: return %[[R]]
func.func @unsigned(%acc: vector<8xi32>, %c: vector<32xi8>, %a: vector<32xi8>) -> vector<8xi32> {
  %r = tile.dot %acc, %c in [0, 255], %a amax = 128 : vector<32xi8> -> vector<8xi32>
  return %r : vector<8xi32>
}

// c = (c + 128) - 128.

// CHECK-LABEL: func @signed
// CHECK-SAME: (%[[ACC:.*]]: vector<8xi32>, %[[C:.*]]: vector<32xi8>, %[[A:.*]]: vector<32xi8>)
// CHECK-DAG: %[[BIAS:.*]] = arith.constant dense<-128> : vector<32xi8>
// CHECK-DAG: %[[ZERO:.*]] = arith.constant dense<0> : vector<8xi32>
// CHECK-DAG: %[[U:.*]] = arith.xori %[[C]], %[[BIAS]]
// CHECK-DAG: %[[MORE:.*]] = llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.256"(%[[ACC]], %[[U]], %[[A]])
// CHECK-DAG: %[[TOO_MUCH:.*]] = llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.256"(%[[ZERO]], %[[BIAS]], %[[A]])
// CHECK: arith.subi %[[MORE]], %[[TOO_MUCH]]
func.func @signed(%acc: vector<8xi32>, %c: vector<32xi8>, %a: vector<32xi8>) -> vector<8xi32> {
  %r = tile.dot %acc, %c in [-128, 127], %a amax = 127 : vector<32xi8> -> vector<8xi32>
  return %r : vector<8xi32>
}

// Without AVX-512, 64 bytes are left to the definition.

// CHECK-LABEL: func @wide
// YMM-NOT: llvm.call_intrinsic
// ZMM: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
// AVX512-LABEL: func @wide
// AVX512: llvm.call_intrinsic "llvm.x86.avx512.pmaddubs.w.512"
// AVX512: llvm.call_intrinsic "llvm.x86.avx512.pmaddw.d.512"
func.func @wide(%acc: vector<16xi32>, %c: vector<64xi8>, %a: vector<64xi8>) -> vector<16xi32> {
  %r = tile.dot %acc, %c in [0, 15], %a amax = 127 : vector<64xi8> -> vector<16xi32>
  return %r : vector<16xi32>
}

// AVX-512 has no `vpsignb`.

// CHECK-LABEL: func @wide_pairs
// AVX512-LABEL: func @wide_pairs
// AVX512: arith.cmpi slt
// AVX512: arith.select
// AVX512: llvm.call_intrinsic "llvm.x86.avx512.pmaddubs.w.512"
func.func @wide_pairs(%acc: vector<32xi16>, %c: vector<64xi8>, %a: vector<64xi8>) -> vector<32xi16> {
  %r = tile.dot_pairs %acc, %c in [-128, 127], %a amax = 127 : vector<64xi8> -> vector<32xi16>
  return %r : vector<32xi16>
}

// AVX512-LABEL: func @wide_lookup
// AVX512: llvm.call_intrinsic "llvm.x86.avx512.pshuf.b.512"
func.func @wide_lookup(%t: vector<16xi8>, %i: vector<64xi8>) -> vector<64xi8> {
  %r = tile.lookup %t[%i] : vector<16xi8>, vector<64xi8>
  return %r : vector<64xi8>
}
