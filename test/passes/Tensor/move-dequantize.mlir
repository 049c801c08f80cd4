// Codes are moved instead of numbers, where one scale serves all of them.

// RUN: mezzo-opt %s --mezzo-move-dequantize | FileCheck %s

// CHECK-LABEL: func @reshaped_and_turned
// CHECK-SAME: (%[[Q:.*]]: tensor<2x?x8x!mezzo.q<uint8>>, %[[S:.*]]: tensor<f32>, %[[Z:.*]]: tensor<!mezzo.q<uint8>>, %{{.*}})
// CHECK: %[[C:.*]] = tensor.collapse_shape %[[Q]]
// CHECK-SAME: tensor<2x?x8x!mezzo.q<uint8>> into tensor<?x8x!mezzo.q<uint8>>
// CHECK: %[[T:.*]] = linalg.transpose ins(%[[C]] : tensor<?x8x!mezzo.q<uint8>>) outs(%{{.*}} : tensor<8x?x!mezzo.q<uint8>>)
// CHECK: %[[Y:.*]] = mezzo.dequantize %[[T]] scales(%[[S]]) zeros(%[[Z]])
// CHECK: return %[[Y]]
func.func @reshaped_and_turned(%q: tensor<2x?x8x!mezzo.q<uint8>>, %s: tensor<f32>, %z: tensor<!mezzo.q<uint8>>,
    %init: tensor<8x?xf32>) -> tensor<8x?xf32> {
  %d = mezzo.dequantize %q scales(%s) zeros(%z)
    : (tensor<2x?x8x!mezzo.q<uint8>>, tensor<f32>, tensor<!mezzo.q<uint8>>) -> tensor<2x?x8xf32>
  %c = tensor.collapse_shape %d [[0, 1], [2]] : tensor<2x?x8xf32> into tensor<?x8xf32>
  %y = linalg.transpose ins(%c : tensor<?x8xf32>) outs(%init : tensor<8x?xf32>) permutation = [1, 0]
  return %y : tensor<8x?xf32>
}

// Of two readers, the one that moves gets a dequantization of its own; `mezzo.strict` comes along.

// CHECK-LABEL: func @shared
// CHECK-DAG: mezzo.dequantize %{{.*}} scales(%{{.*}}) {mezzo.strict} : (tensor<4x!mezzo.q<int8>>, tensor<f32>)
// CHECK-DAG: mezzo.dequantize %{{.*}} scales(%{{.*}}) {mezzo.strict} : (tensor<2x!mezzo.q<int8>>, tensor<f32>)
func.func @shared(%q: tensor<4x!mezzo.q<int8>>, %s: tensor<f32>) -> (tensor<4xf32>, tensor<2xf32>) {
  %d = mezzo.dequantize %q scales(%s) {mezzo.strict} : (tensor<4x!mezzo.q<int8>>, tensor<f32>) -> tensor<4xf32>
  %y = tensor.extract_slice %d[1] [2] [1] : tensor<4xf32> to tensor<2xf32>
  return %d, %y : tensor<4xf32>, tensor<2xf32>
}

// A scale for each row stays with its row.

// CHECK-LABEL: func @scale_per_row
// CHECK: %[[D:.*]] = mezzo.dequantize
// CHECK: tensor.collapse_shape %[[D]]
func.func @scale_per_row(%q: tensor<4x2x!mezzo.q<int8>>, %s: tensor<4xf32>) -> tensor<8xf32> {
  %d = mezzo.dequantize %q scales(%s) : (tensor<4x2x!mezzo.q<int8>>, tensor<4xf32>) -> tensor<4x2xf32>
  %y = tensor.collapse_shape %d [[0, 1]] : tensor<4x2xf32> into tensor<8xf32>
  return %y : tensor<8xf32>
}
