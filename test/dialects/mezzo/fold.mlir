// What generic rewrites may and may not do with the ops: nothing folds to a value, but effects and shapes are known.

// RUN: mezzo-opt %s --canonicalize --cse | FileCheck %s
// RUN: mezzo-opt %s --resolve-ranked-shaped-type-result-dims | FileCheck %s --check-prefix=SHAPE

mezzo.weight @w {type = tensor<2x2xf32>, data = dense<1.0> : tensor<2x2xf32>}
func.func private @kernel(memref<4xf32>, index, index)

// Ops on tensors are pure: equal ones are one, and those that nobody reads are gone.

// CHECK-LABEL: func @pure
// CHECK-COUNT-1: mezzo.load_weight
// CHECK-NOT: mezzo.load_weight
// CHECK-COUNT-1: mezzo.softmax
// CHECK-NOT: mezzo.
// CHECK: return
func.func @pure(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>, tensor<2x2xf32>, tensor<2x2xf32>) {
  %w1 = mezzo.load_weight @w : tensor<2x2xf32>
  %w2 = mezzo.load_weight @w : tensor<2x2xf32>
  %y1 = mezzo.softmax %x : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %y2 = mezzo.softmax %x : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %unread:3 = mezzo.quantize_rows %x group = 4 : (tensor<4x4xf32>) -> (tensor<4x64xi8>, tensor<4xf32>, tensor<4x1xi32>)
  return %y1, %y2, %w1, %w2 : tensor<4x4xf32>, tensor<4x4xf32>, tensor<2x2xf32>, tensor<2x2xf32>
}

// A launch on tensors is pure as well; on buffers it writes, and stays.

// CHECK-LABEL: func @launches
// CHECK-COUNT-1: mezzo.launch {{.*}} outs(%{{.*}} : memref<4xf32>)
// CHECK-NOT: mezzo.launch
// CHECK: return
func.func @launches(%t: tensor<4xf32>, %m: memref<4xf32>, %n: index) {
  %unread = mezzo.launch @kernel count(%n) grain = 1 ins() outs(%t : tensor<4xf32>) -> tensor<4xf32>
  mezzo.launch @kernel count(%n) grain = 1 ins() outs(%m : memref<4xf32>)
  return
}

// A check is kept although nothing reads it. Two allocations are two, two views of one place are one.

// CHECK-LABEL: func @effects
// CHECK: mezzo.check
// CHECK: mezzo.weight_view
// CHECK-NOT: mezzo.weight_view
// CHECK-COUNT-2: mezzo.alloc
func.func @effects(%ok: i1, %n: index) -> (memref<4xf32>, memref<4xf32>, memref<?xi8>, memref<?xi8>) {
  mezzo.check %ok, "out of range"
  %v1 = mezzo.weight_view 0 : memref<4xf32>
  %v2 = mezzo.weight_view 0 : memref<4xf32>
  %a1 = mezzo.alloc %n : memref<?xi8>
  %a2 = mezzo.alloc %n : memref<?xi8>
  return %v1, %v2, %a1, %a2 : memref<4xf32>, memref<4xf32>, memref<?xi8>, memref<?xi8>
}

// The shape of a result is known without computing it.

// SHAPE-LABEL: func @shapes
// SHAPE-SAME: (%[[X:.*]]: tensor<?x64xf32>
// SHAPE: %[[ROWS:.*]] = tensor.dim %[[X]], %{{.*}} : tensor<?x64xf32>
// SHAPE-NOT: tensor.dim
// SHAPE: return %[[ROWS]]
func.func @shapes(%x: tensor<?x64xf32>, %c: tensor<8x64x!mezzo.q<int4>>, %s: tensor<8x1xf32>, %n: tensor<8xf32>)
    -> index {
  %c0 = arith.constant 0 : index
  %y = mezzo.matmul %x, %c scales(%s) mode = float group = 64
    : (tensor<?x64xf32>, tensor<8x64x!mezzo.q<int4>>, tensor<8x1xf32>) -> tensor<?x8xf32>
  %z = mezzo.rms_norm %y, %n epsilon = 0.0 : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %m = tensor.dim %z, %c0 : tensor<?x8xf32>
  return %m : index
}
