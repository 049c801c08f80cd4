// A dense buffer is reshaped by its sizes, however many of them are open.

// RUN: mezzo-opt %s --mezzo-lower-reshapes | FileCheck %s

// Batch and sequence come out of one dimension: two open sizes in a group.

// CHECK-LABEL: func @two_open_sizes
// CHECK-SAME: (%[[M:.*]]: memref<?x64xf32>, %[[B:.*]]: index, %[[S:.*]]: index)
// CHECK-NOT: memref.expand_shape
// CHECK: %[[STRIDE:.*]] = arith.muli
// CHECK: memref.reinterpret_cast %[[M]] to offset: [0], sizes: [%[[B]], %[[S]], 64], strides: [%[[STRIDE]], 64, 1]
// CHECK-SAME: memref<?x64xf32> to memref<?x?x64xf32
func.func @two_open_sizes(%m: memref<?x64xf32>, %b: index, %s: index) -> memref<?x?x64xf32> {
  %0 = memref.expand_shape %m [[0, 1], [2]] output_shape [%b, %s, 64] : memref<?x64xf32> into memref<?x?x64xf32>
  return %0 : memref<?x?x64xf32>
}

// CHECK-LABEL: func @static
// CHECK: memref.reinterpret_cast %{{.*}} to offset: [0], sizes: [2, 3, 4], strides: [12, 4, 1]
func.func @static(%m: memref<6x4xf32>) -> memref<2x3x4xf32> {
  %0 = memref.expand_shape %m [[0, 1], [2]] output_shape [2, 3, 4] : memref<6x4xf32> into memref<2x3x4xf32>
  return %0 : memref<2x3x4xf32>
}

// A buffer with strides of its own is left to upstream.

// CHECK-LABEL: func @strided
// CHECK: memref.expand_shape
func.func @strided(%m: memref<6x4xf32, strided<[8, 1]>>) -> memref<2x3x4xf32, strided<[24, 8, 1]>> {
  %0 = memref.expand_shape %m [[0, 1], [2]] output_shape [2, 3, 4] : memref<6x4xf32, strided<[8, 1]>> into memref<2x3x4xf32, strided<[24, 8, 1]>>
  return %0 : memref<2x3x4xf32, strided<[24, 8, 1]>>
}

// Unless there are two open sizes in a group, which upstream does not take.

// CHECK-LABEL: func @strided_two_open_sizes
// CHECK: memref.extract_strided_metadata
// CHECK: memref.reinterpret_cast {{.*}} to offset: [1], sizes: [%{{.*}}, %{{.*}}, 1], strides: [%{{.*}}, 2, 1]
func.func @strided_two_open_sizes(%m: memref<?x1xf32, strided<[2, 1], offset: 1>>, %b: index, %s: index)
    -> memref<?x?x1xf32, strided<[?, 2, 1], offset: 1>> {
  %0 = memref.expand_shape %m [[0, 1], [2]] output_shape [%b, %s, 1]
    : memref<?x1xf32, strided<[2, 1], offset: 1>> into memref<?x?x1xf32, strided<[?, 2, 1], offset: 1>>
  return %0 : memref<?x?x1xf32, strided<[?, 2, 1], offset: 1>>
}
