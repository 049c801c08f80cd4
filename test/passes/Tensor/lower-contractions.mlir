// An unquantized product is a fold of fma over ascending k: one rounding a step, and no other order.

// RUN: mezzo-opt %s --mezzo-lower-contractions | FileCheck %s

// CHECK-DAG: #[[X:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-DAG: #[[W:.*]] = affine_map<(d0, d1, d2) -> (d2, d1)>
// CHECK-DAG: #[[Y:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>

// CHECK-LABEL: func @matmul
// CHECK-SAME: (%[[A:.*]]: tensor<?x4xf32>, %[[B:.*]]: tensor<4x3xf32>, %[[INIT:.*]]: tensor<?x3xf32>)
// CHECK-NOT: linalg.matmul
// CHECK: linalg.generic {indexing_maps = [#[[X]], #[[W]], #[[Y]]], iterator_types = ["parallel", "parallel", "reduction"]}
// CHECK-SAME: ins(%[[A]], %[[B]] : tensor<?x4xf32>, tensor<4x3xf32>) outs(%[[INIT]] : tensor<?x3xf32>)
// CHECK-NEXT: ^bb0(%[[XE:.*]]: f32, %[[WE:.*]]: f32, %[[ACC:.*]]: f32):
// CHECK-NEXT: %[[NEXT:.*]] = math.fma %[[XE]], %[[WE]], %[[ACC]] : f32
// CHECK-NEXT: linalg.yield %[[NEXT]] : f32
func.func @matmul(%x: tensor<?x4xf32>, %w: tensor<4x3xf32>, %init: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %y = linalg.matmul ins(%x, %w : tensor<?x4xf32>, tensor<4x3xf32>) outs(%init : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}

// Batches too: whatever is a contraction.

// CHECK-LABEL: func @batch_matmul
// CHECK: iterator_types = ["parallel", "parallel", "parallel", "reduction"]
// CHECK: math.fma
// CHECK-NOT: arith.mulf
// CHECK: return
func.func @batch_matmul(%x: tensor<2x5x4xf32>, %w: tensor<2x4x3xf32>, %init: tensor<2x5x3xf32>) -> tensor<2x5x3xf32> {
  %y = linalg.batch_matmul ins(%x, %w : tensor<2x5x4xf32>, tensor<2x4x3xf32>) outs(%init : tensor<2x5x3xf32>) -> tensor<2x5x3xf32>
  return %y : tensor<2x5x3xf32>
}

// Element-wise arithmetic keeps both of its roundings, and so does a reduction that adds something else than a product.

// CHECK-LABEL: func @others
// CHECK-NOT: math.fma
// CHECK: return
#id = affine_map<(d0) -> (d0)>
#scalar = affine_map<(d0) -> ()>
func.func @others(%x: tensor<4xf32>, %y: tensor<4xf32>, %init: tensor<4xf32>, %sum: tensor<f32>) -> (tensor<4xf32>, tensor<f32>) {
  %0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
      ins(%x, %y : tensor<4xf32>, tensor<4xf32>) outs(%init : tensor<4xf32>) {
    ^bb0(%a: f32, %b: f32, %acc: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %acc, %p : f32
      linalg.yield %s : f32
  } -> tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#id, #scalar], iterator_types = ["reduction"]}
      ins(%x : tensor<4xf32>) outs(%sum : tensor<f32>) {
    ^bb0(%a: f32, %acc: f32):
      %s = arith.addf %acc, %a : f32
      linalg.yield %s : f32
  } -> tensor<f32>
  return %0, %1 : tensor<4xf32>, tensor<f32>
}
