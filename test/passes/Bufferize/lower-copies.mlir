// Copies from and to parts of buffers are loops; copies of whole ones stay.

// RUN: mezzo-opt %s --mezzo-lower-copies | FileCheck %s

// CHECK-LABEL: func @into_a_part
// CHECK-SAME: (%[[X:.*]]: memref<4x2xf32>, %[[Y:.*]]: memref<4x2xf32, strided<[6, 1], offset: ?>>)
// CHECK-NOT: memref.copy
// CHECK: linalg.generic
// CHECK-SAME: ins(%[[X]] : memref<4x2xf32>) outs(%[[Y]] : memref<4x2xf32, strided<[6, 1], offset: ?>>)
// CHECK: linalg.yield
func.func @into_a_part(%x: memref<4x2xf32>, %y: memref<4x2xf32, strided<[6, 1], offset: ?>>) {
  memref.copy %x, %y : memref<4x2xf32> to memref<4x2xf32, strided<[6, 1], offset: ?>>
  return
}

// CHECK-LABEL: func @every_second
// CHECK-NOT: memref.copy
// CHECK: linalg.generic
func.func @every_second(%x: memref<?xi8, strided<[2]>>, %y: memref<?xi8>) {
  memref.copy %x, %y : memref<?xi8, strided<[2]>> to memref<?xi8>
  return
}

// CHECK-LABEL: func @dense
// CHECK: memref.copy
// CHECK-NOT: linalg.generic
func.func @dense(%x: memref<?x2xf32>, %y: memref<?x2xf32>) {
  memref.copy %x, %y : memref<?x2xf32> to memref<?x2xf32>
  return
}
