// Elements are computed many at a time, and what is left one by one.

// RUN: mezzo-opt %s --mezzo-vectorize-elementwise | FileCheck %s

// The last two dimensions are gone through in step by all operands: one loop over h * w.

// CHECK-LABEL: func @per_channel
// CHECK: memref.collapse_shape %{{.*}} {{\[}}[0], [1], [2, 3]]
// CHECK: scf.for
// CHECK: scf.for
// CHECK: scf.for
// CHECK: vector.load %{{.*}} : memref<?x8x?xf32>, vector<16xf32>
// CHECK: memref.load %{{.*}} : memref<8xf32>
// CHECK: vector.broadcast
// CHECK: arith.mulf %{{.*}}, %{{.*}} : vector<16xf32>
// CHECK: vector.store
// CHECK: scf.for
// CHECK: arith.mulf %{{.*}}, %{{.*}} : f32
#all = affine_map<(n, c, h, w) -> (n, c, h, w)>
#channel = affine_map<(n, c, h, w) -> (c)>
func.func @per_channel(%x: memref<?x8x?x?xf32>, %s: memref<8xf32>, %y: memref<?x8x?x?xf32>) {
  linalg.generic {indexing_maps = [#all, #channel, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x, %s : memref<?x8x?x?xf32>, memref<8xf32>) outs(%y : memref<?x8x?x?xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %0 = arith.mulf %a, %b : f32
    linalg.yield %0 : f32
  }
  return
}

// A row of another stride is a loop of its own. Elementary functions take eight lanes, and what comes from outside is the
// same for all.

// CHECK-LABEL: func @rows
// CHECK-NOT: collapse_shape
// CHECK: vector.broadcast %{{.*}} : f32 to vector<8xf32>
// CHECK: math.exp %{{.*}} : vector<8xf32>
#rows = affine_map<(m, n) -> (m, n)>
func.func @rows(%x: memref<4x?xf32, strided<[?, 1]>>, %c: f32, %y: memref<4x?xf32>) {
  linalg.generic {indexing_maps = [#rows, #rows], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<4x?xf32, strided<[?, 1]>>) outs(%y : memref<4x?xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.addf %a, %c : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// Flags, reductions and neighbours that do not lie side by side are left.

// CHECK-LABEL: func @left
// CHECK-COUNT-3: linalg.generic
#one = affine_map<(m) -> (m)>
#turned = affine_map<(m, n) -> (n, m)>
#row = affine_map<(m, n) -> (m)>
func.func @left(%f: memref<4xi1>, %x: memref<4x8xf32>, %t: memref<8x4xf32>, %s: memref<4xf32>, %g: memref<4xi1>) {
  linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]}
      ins(%f : memref<4xi1>) outs(%g : memref<4xi1>) {
  ^bb0(%a: i1, %out: i1):
    linalg.yield %a : i1
  }
  linalg.generic {indexing_maps = [#rows, #turned], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<4x8xf32>) outs(%t : memref<8x4xf32>) {
  ^bb0(%a: f32, %out: f32):
    linalg.yield %a : f32
  }
  linalg.generic {indexing_maps = [#rows, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<4x8xf32>) outs(%s : memref<4xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.addf %a, %out : f32
    linalg.yield %0 : f32
  }
  return
}
