// What is gathered from a tensor that is computed element by element is computed there, and nothing else of it.

// RUN: mezzo-opt %s --mezzo-fuse-gathers | FileCheck %s

#rows = affine_map<(d0, d1) -> (d0, d1 floordiv 4)>
#id = affine_map<(d0, d1) -> (d0, d1)>

// CHECK-LABEL: func @rows
// CHECK-SAME: (%[[Q:.*]]: tensor<9x8xi8>, %[[S:.*]]: tensor<9x2xf32>, %[[IDS:.*]]: tensor<?xi64>, %{{.*}}: tensor<?x8xf32>)
// CHECK-NOT: tensor<9x8xf32>
// CHECK: linalg.generic
// CHECK: %[[ROW:.*]] = arith.index_cast
// CHECK: %[[COLUMN:.*]] = linalg.index 1
// CHECK: %[[CODE:.*]] = tensor.extract %[[Q]][%[[ROW]], %[[COLUMN]]]
// CHECK: %[[GROUP:.*]] = affine.apply {{.*}}(%[[ROW]], %[[COLUMN]])
// CHECK: %[[SCALE:.*]] = tensor.extract %[[S]][%[[ROW]], %[[GROUP]]]
// CHECK: %[[X:.*]] = arith.sitofp %[[CODE]]
// CHECK: %[[Y:.*]] = arith.mulf %[[X]], %[[SCALE]]
// CHECK: linalg.yield %[[Y]]
func.func @rows(%q: tensor<9x8xi8>, %s: tensor<9x2xf32>, %ids: tensor<?xi64>, %dest: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %empty = tensor.empty() : tensor<9x8xf32>
  %d = linalg.generic {indexing_maps = [#id, #rows, #id], iterator_types = ["parallel", "parallel"]}
    ins(%q, %s : tensor<9x8xi8>, tensor<9x2xf32>) outs(%empty : tensor<9x8xf32>) {
  ^bb0(%code: i8, %scale: f32, %out: f32):
    %x = arith.sitofp %code : i8 to f32
    %y = arith.mulf %x, %scale : f32
    linalg.yield %y : f32
  } -> tensor<9x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, #id], iterator_types = ["parallel", "parallel"]}
    ins(%ids : tensor<?xi64>) outs(%dest : tensor<?x8xf32>) {
  ^bb0(%i: i64, %out: f32):
    %row = arith.index_cast %i : i64 to index
    %column = linalg.index 1 : index
    %e = tensor.extract %d[%row, %column] : tensor<9x8xf32>
    linalg.yield %e : f32
  } -> tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}

// Somebody else reads all of it: it is computed anyway.

// CHECK-LABEL: func @read_whole
// CHECK: %[[D:.*]] = linalg.generic
// CHECK: tensor.extract %[[D]]
func.func @read_whole(%q: tensor<9xi8>, %i: index) -> (tensor<9xf32>, f32) {
  %empty = tensor.empty() : tensor<9xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
    ins(%q : tensor<9xi8>) outs(%empty : tensor<9xf32>) {
  ^bb0(%code: i8, %out: f32):
    %x = arith.sitofp %code : i8 to f32
    linalg.yield %x : f32
  } -> tensor<9xf32>
  %e = tensor.extract %d[%i] : tensor<9xf32>
  return %d, %e : tensor<9xf32>, f32
}

// A sum is no element by itself.

// CHECK-LABEL: func @reduction
// CHECK: %[[D:.*]] = linalg.generic
// CHECK: tensor.extract %[[D]]
func.func @reduction(%q: tensor<9x4xf32>, %dest: tensor<9xf32>, %i: index) -> f32 {
  %d = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]}
    ins(%q : tensor<9x4xf32>) outs(%dest : tensor<9xf32>) {
  ^bb0(%x: f32, %out: f32):
    %y = arith.addf %x, %out : f32
    linalg.yield %y : f32
  } -> tensor<9xf32>
  %e = tensor.extract %d[%i] : tensor<9xf32>
  return %e : f32
}
