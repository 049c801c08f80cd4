// The entry function on buffers, and the function that computes the shapes of its results.

// RUN: mezzo-opt %s -split-input-file --mezzo-form-entry -verify-diagnostics | FileCheck %s

// Dynamic sizes of the inputs go into @shapes, all sizes of the outputs come out, and nothing of the computation is left.

// CHECK-LABEL: func private @shapes
// CHECK-SAME: (%[[M:.*]]: index) -> (index, index, index)
// CHECK-NOT: linalg
// CHECK-NOT: mezzo.check
// CHECK: %[[FOUR:.*]] = arith.constant 4 : index
// CHECK: %[[TWICE:.*]] = affine.apply #{{.*}}()[%[[M]], %[[M]]]
// CHECK: return %[[TWICE]], %[[FOUR]], %[[M]] : index, index, index

// CHECK: func.func @main(%{{.*}}: !llvm.ptr, %[[X:.*]]: memref<?x4xf32>, %[[Y:.*]]: memref<?x4xf32>, %[[Z:.*]]: memref<?xf32>)
// CHECK-SAME: mezzo.entry
// CHECK: %[[T:.*]] = bufferization.to_tensor %[[X]] restrict : memref<?x4xf32>
// CHECK: mezzo.check
// CHECK: bufferization.materialize_in_destination %{{.*}} in restrict writable %[[Y]]
// CHECK: bufferization.materialize_in_destination %{{.*}} in restrict writable %[[Z]]
// CHECK: return{{$}}
func.func @model(%x: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?xf32>) attributes {mezzo.entry} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %m = tensor.dim %x, %c0 : tensor<?x4xf32>
  %some = arith.cmpi sgt, %m, %c0 : index
  mezzo.check %some, "no rows"
  %y = tensor.concat dim(0) %x, %x : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %init = tensor.empty(%m) : tensor<?xf32>
  %z = linalg.fill ins(%zero : f32) outs(%init : tensor<?xf32>) -> tensor<?xf32>
  return %y, %z : tensor<?x4xf32>, tensor<?xf32>
}

// -----

// expected-error @below {{has 0 functions with the attribute mezzo.entry: one is needed}}
module {
  func.func @model(%x: tensor<4xf32>) -> tensor<4xf32> {
    return %x : tensor<4xf32>
  }
}

// -----

// expected-error @below {{has 2 functions with the attribute mezzo.entry: one is needed}}
module {
  func.func @model(%x: tensor<4xf32>) -> tensor<4xf32> attributes {mezzo.entry} {
    return %x : tensor<4xf32>
  }
  func.func @other(%x: tensor<4xf32>) -> tensor<4xf32> attributes {mezzo.entry} {
    return %x : tensor<4xf32>
  }
}

// -----

// A shape that depends on values of an input whose shape is not known cannot be told before the run.

func.func @model(%x: tensor<?xi64>) -> tensor<?xf32> attributes {mezzo.entry} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  // expected-error @below {{makes the shape of an output depend on the values of an input, which is not supported: fix the shape with --shape or --dim}}
  %n = tensor.extract %x[%c0] : tensor<?xi64>
  %size = arith.index_cast %n : i64 to index
  %init = tensor.empty(%size) : tensor<?xf32>
  %y = linalg.fill ins(%zero : f32) outs(%init : tensor<?xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}
