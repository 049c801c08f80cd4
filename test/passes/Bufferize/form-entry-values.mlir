// Shapes that follow from the values of inputs: @shapes is passed the elements that it needs, one by one, and the module
// says which they are.

// RUN: mezzo-opt %s -split-input-file --mezzo-form-entry | FileCheck %s

// CHECK: mezzo.shape_values = array<i64: 0, 1>
// CHECK-LABEL: func private @shapes
// CHECK-SAME: (%[[N:.*]]: i64) -> index
// CHECK: %[[SIZE:.*]] = arith.index_cast %[[N]] : i64 to index
// CHECK: return %[[SIZE]] : index
func.func @element(%x: tensor<2xi64>) -> tensor<?xf32> attributes {mezzo.entry} {
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.extract %x[%c1] : tensor<2xi64>
  %size = arith.index_cast %n : i64 to index
  %init = tensor.empty(%size) : tensor<?xf32>
  %y = linalg.fill ins(%zero : f32) outs(%init : tensor<?xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// What is computed element by element is computed of the one element.

// CHECK: mezzo.shape_values = array<i64: 0, 0>
// CHECK-LABEL: func private @shapes
// CHECK-SAME: (%[[N:.*]]: i64) -> index
// CHECK-NOT: linalg
// CHECK: %[[TWICE:.*]] = arith.addi %[[N]], %[[N]] : i64
// CHECK: arith.index_cast %[[TWICE]]
#id = affine_map<(d0) -> (d0)>
func.func @computed(%x: tensor<3xi64>) -> tensor<?xf32> attributes {mezzo.entry} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<3xi64>
  %twice = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<3xi64>) outs(%empty : tensor<3xi64>) {
  ^bb0(%in: i64, %out: i64):
    %sum = arith.addi %in, %in : i64
    linalg.yield %sum : i64
  } -> tensor<3xi64>
  %n = tensor.extract %twice[%c0] : tensor<3xi64>
  %size = arith.index_cast %n : i64 to index
  %init = tensor.empty(%size) : tensor<?xf32>
  %y = linalg.fill ins(%zero : f32) outs(%init : tensor<?xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// A loop that only writes elements keeps the shape of what it starts with.

// CHECK-LABEL: func private @shapes
// CHECK-SAME: (%[[M:.*]]: index) -> index
// CHECK-NOT: scf.for
// CHECK: return %[[M]] : index
func.func @loop(%x: tensor<?xf32>) -> tensor<?xf32> attributes {mezzo.entry} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = tensor.dim %x, %c0 : tensor<?xf32>
  %init = tensor.empty(%m) : tensor<?xf32>
  %y = scf.for %i = %c0 to %m step %c1 iter_args(%a = %init) -> tensor<?xf32> {
    %e = tensor.extract %x[%i] : tensor<?xf32>
    %b = tensor.insert %e into %a[%i] : tensor<?xf32>
    scf.yield %b : tensor<?xf32>
  }
  return %y : tensor<?xf32>
}

// -----

// Elements of fewer than 8 bits are packed outside, a byte each inside.

// CHECK: func.func @main(%{{.*}}: !llvm.ptr, %[[X:.*]]: memref<3x5xi8>, %[[Y:.*]]: memref<3x5xi8>)
// CHECK: %[[IN:.*]] = memref.reinterpret_cast %[[X]]
// CHECK-SAME: to memref<?xi8>
// CHECK: bufferization.to_tensor %[[IN]]
// CHECK: linalg.generic
// CHECK: arith.shrsi
// CHECK: %[[OUT:.*]] = memref.reinterpret_cast %[[Y]]
// CHECK-SAME: to memref<?xi8>
// CHECK: linalg.generic
// CHECK: arith.ori
// CHECK: bufferization.materialize_in_destination %{{.*}} in restrict writable %[[OUT]]
func.func @packed(%x: tensor<3x5xi8>) -> tensor<3x5xi8> attributes {
    mezzo.entry,
    mezzo.inputs = [{name = "x", dtype = "i4", dims = array<i64: 3, 5>, dim_names = ["", ""]}],
    mezzo.outputs = [{name = "y", dtype = "u4", dims = array<i64: 3, 5>, dim_names = ["", ""]}]} {
  return %x : tensor<3x5xi8>
}
