// Every buffer of the entry is placed in the arena.

// RUN: mezzo-opt %s -split-input-file --mezzo-plan-arena -verify-diagnostics | FileCheck %s

// Sizes 512, 256 and 256 with lives [first, second], [second, third] and [third, ...]: the third is born when the first is
// dead, and takes its place.

// CHECK: module attributes {mezzo.arena_bytes = 768 : i64}
// CHECK-LABEL: func @main
// CHECK: %[[ARENA:.*]] = mezzo.arena : memref<?xi8>
// CHECK-NOT: memref.alloc
// CHECK: %[[AT:.*]] = arith.constant 0 : index
// CHECK: %[[A:.*]] = memref.view %[[ARENA]][%[[AT]]][] : memref<?xi8> to memref<128xf32>
// CHECK: %[[AT:.*]] = arith.constant 512 : index
// CHECK: %[[B:.*]] = memref.view %[[ARENA]][%[[AT]]][] : memref<?xi8> to memref<64xf32>
// CHECK: call @step(%[[A]], %[[B]])
// CHECK: %[[AT:.*]] = arith.constant 0 : index
// CHECK: %[[C:.*]] = memref.view %[[ARENA]][%[[AT]]][] : memref<?xi8> to memref<64xf32>
// CHECK: call @step2(%[[B]], %[[C]])
// CHECK-NOT: memref.dealloc
func.func private @step(memref<128xf32>, memref<64xf32>)
func.func private @step2(memref<64xf32>, memref<64xf32>)
func.func @main(%frame: !llvm.ptr, %y: memref<64xf32>) {
  %a = memref.alloc() : memref<128xf32>
  %b = memref.alloc() : memref<64xf32>
  func.call @step(%a, %b) : (memref<128xf32>, memref<64xf32>) -> ()
  memref.dealloc %a : memref<128xf32>
  %c = memref.alloc() : memref<64xf32>
  func.call @step2(%b, %c) : (memref<64xf32>, memref<64xf32>) -> ()
  memref.copy %c, %y : memref<64xf32> to memref<64xf32>
  return
}

// -----

// A buffer lives as long as its views: the second may not take the place of the first. Places are multiples of 64.

// CHECK: module attributes {mezzo.arena_bytes = 128 : i64}
// CHECK-LABEL: func @main
// CHECK-DAG: memref.view %{{.*}}[%{{.*}}][] : memref<?xi8> to memref<2x3xf32>
// CHECK-DAG: arith.constant 0 : index
// CHECK-DAG: memref.view %{{.*}}[%{{.*}}][] : memref<?xi8> to memref<5xi8>
// CHECK-DAG: arith.constant 64 : index
func.func private @use(memref<6xf32>, memref<5xi8>)
func.func @main(%frame: !llvm.ptr) {
  %a = memref.alloc() : memref<2x3xf32>
  %view = memref.collapse_shape %a [[0, 1]] : memref<2x3xf32> into memref<6xf32>
  %b = memref.alloc() : memref<5xi8>
  func.call @use(%view, %b) : (memref<6xf32>, memref<5xi8>) -> ()
  return
}

// -----

// What depends on the input is allocated when it runs. A buffer of static size inside of a loop has its place like any
// other, and all rounds use it.

// CHECK: module attributes {mezzo.arena_bytes = 64 : i64}
// CHECK-LABEL: func @main
// CHECK-SAME: (%{{.*}}: !llvm.ptr, %[[M:.*]]: index)
// CHECK: %[[ARENA:.*]] = mezzo.arena
// CHECK: %[[MEMORY:.*]] = mezzo.alloc %{{.*}} : memref<?xi8>
// CHECK: memref.view %[[MEMORY]][%{{.*}}][%[[M]]] : memref<?xi8> to memref<?x4xf32>
// CHECK: scf.for
// CHECK-NOT: mezzo.alloc
// CHECK: memref.view %[[ARENA]][%{{.*}}][] : memref<?xi8> to memref<8xi8>
func.func private @use(memref<?x4xf32>, memref<8xi8>)
func.func @main(%frame: !llvm.ptr, %m: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = memref.alloc(%m) : memref<?x4xf32>
  scf.for %i = %c0 to %m step %c1 {
    %b = memref.alloc() : memref<8xi8>
    func.call @use(%a, %b) : (memref<?x4xf32>, memref<8xi8>) -> ()
  }
  return
}

// -----

// What a branch hands out lives on, and so does what goes into a loop and comes out of it: three buffers of 64 bytes, and
// %d, born after them, overlaps none.

// CHECK: module attributes {mezzo.arena_bytes = 256 : i64}
// CHECK-LABEL: func @main
func.func private @use(memref<16xf32>, memref<16xf32>, memref<16xf32>)
func.func @main(%frame: !llvm.ptr, %c: i1, %m: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %either = scf.if %c -> memref<16xf32> {
    %a = memref.alloc() : memref<16xf32>
    scf.yield %a : memref<16xf32>
  } else {
    %b = memref.alloc() : memref<16xf32>
    scf.yield %b : memref<16xf32>
  }
  %e = memref.alloc() : memref<16xf32>
  %r = scf.for %i = %c0 to %m step %c1 iter_args(%x = %e) -> (memref<16xf32>) {
    func.call @use(%x, %x, %x) : (memref<16xf32>, memref<16xf32>, memref<16xf32>) -> ()
    scf.yield %x : memref<16xf32>
  }
  %d = memref.alloc() : memref<16xf32>
  func.call @use(%either, %r, %d) : (memref<16xf32>, memref<16xf32>, memref<16xf32>) -> ()
  return
}

// -----

// Sizes are multiplied with saturation: what does not fit in 64 bits is asked for as 2^64 - 1 bytes, which there never are.

// CHECK-LABEL: func @main
// CHECK-SAME: (%{{.*}}: !llvm.ptr, %[[M:.*]]: index)
// CHECK-DAG: %[[FOUR:.*]] = arith.constant 4 : i64
// CHECK-DAG: %[[MOST:.*]] = arith.constant -1 : i64
// CHECK-DAG: %[[NONE:.*]] = arith.constant 0 : i64
// CHECK: %[[SIZE:.*]] = arith.index_cast %[[M]] : index to i64
// CHECK: %[[LOW:.*]], %[[HIGH:.*]] = arith.mului_extended %[[FOUR]], %[[SIZE]] : i64
// CHECK: %[[FITS:.*]] = arith.cmpi eq, %[[HIGH]], %[[NONE]] : i64
// CHECK: %[[BYTES:.*]] = arith.select %[[FITS]], %[[LOW]], %[[MOST]] : i64
// CHECK: %[[INDEX:.*]] = arith.index_cast %[[BYTES]] : i64 to index
// CHECK: mezzo.alloc %[[INDEX]]
func.func private @use(memref<?xf32>)
func.func @main(%frame: !llvm.ptr, %m: index) {
  %a = memref.alloc(%m) : memref<?xf32>
  func.call @use(%a) : (memref<?xf32>) -> ()
  return
}

// -----

func.func private @use(memref<1152921504606846976xf32>)
// expected-error @below {{needs intermediate tensors of 2^63 bytes or more: make the static sizes smaller}}
func.func @main(%frame: !llvm.ptr) {
  %a = memref.alloc() : memref<1152921504606846976xf32>
  %b = memref.alloc() : memref<1152921504606846976xf32>
  func.call @use(%a) : (memref<1152921504606846976xf32>) -> ()
  func.call @use(%b) : (memref<1152921504606846976xf32>) -> ()
  return
}

// -----

// expected-error @below {{has no @main: run mezzo-form-entry first}}
module {
}
