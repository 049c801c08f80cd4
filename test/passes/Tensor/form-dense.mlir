// Products without quantized operands become an op that a kernel computes.

// RUN: mezzo-opt %s --mezzo-form-dense | FileCheck %s

// CHECK-LABEL: func @matmul
// CHECK: mezzo.dense_matmul %{{.*}}, %{{.*}} : (tensor<1x?x8xf32>, tensor<1x8x4xf32>) -> tensor<1x?x4xf32>
// CHECK-NOT: linalg.matmul
func.func @matmul(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %n: index) -> tensor<?x4xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%n) : tensor<?x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x4xf32>) -> tensor<?x4xf32>
  %y = linalg.matmul ins(%x, %w : tensor<?x8xf32>, tensor<8x4xf32>) outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// CHECK-LABEL: func @batch_matmul
// CHECK: mezzo.dense_matmul %{{.*}}, %{{.*}} : (tensor<3x2x8xi32>, tensor<3x8x4xi32>) -> tensor<3x2x4xi32>
func.func @batch_matmul(%x: tensor<3x2x8xi32>, %w: tensor<3x8x4xi32>) -> tensor<3x2x4xi32> {
  %zero = arith.constant 0 : i32
  %empty = tensor.empty() : tensor<3x2x4xi32>
  %init = linalg.fill ins(%zero : i32) outs(%empty : tensor<3x2x4xi32>) -> tensor<3x2x4xi32>
  %y = linalg.batch_matmul ins(%x, %w : tensor<3x2x8xi32>, tensor<3x8x4xi32>) outs(%init : tensor<3x2x4xi32>)
    -> tensor<3x2x4xi32>
  return %y : tensor<3x2x4xi32>
}

// A destination that is not zero stays what it is.

// CHECK-LABEL: func @accumulates
// CHECK: linalg.matmul
func.func @accumulates(%x: tensor<2x8xf32>, %w: tensor<8x4xf32>, %y: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %0 = linalg.matmul ins(%x, %w : tensor<2x8xf32>, tensor<8x4xf32>) outs(%y : tensor<2x4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}
