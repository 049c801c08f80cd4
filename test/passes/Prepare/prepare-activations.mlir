// What products need of their activations is made once.

// RUN: mezzo-opt %s --pass-pipeline="builtin.module(func.func(mezzo-prepare-activations))" -verify-diagnostics | FileCheck %s

#int8 = #mezzo.layout<"bit=[b:8], lane=[k:4, n:8], line=[n@8:2], step=[k@4:*], group=[g:*], panel=[n@16:*]">
#dot = #mezzo.config<strategy = native_dot, rows = 4, groups = 2, unroll = 2, streams = 1, block = 64, chunk = 0>
#chunks = #mezzo.config<strategy = native_dot, rows = 4, groups = 2, unroll = 2, streams = 1, block = 64, chunk = 4>
#decode = #mezzo.config<strategy = dequant, rows = 4, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 0>

// Mode int reads int8 rows. 6 columns in groups of 5: each group is padded to 8 codes, and a row to whole lines of 64
// bytes.

// CHECK-LABEL: func @quantized
// CHECK-SAME: (%[[X:.*]]: tensor<?x6xf32>
// CHECK: %[[CODES:.*]], %[[SCALES:.*]], %[[SUMS:.*]] = mezzo.quantize_rows %[[X]] group = 5
// CHECK-SAME: (tensor<?x6xf32>) -> (tensor<?x64xi8>, tensor<?xf32>, tensor<?x2xi32>)
// CHECK: mezzo.packed_matmul(%[[CODES]], %[[SCALES]], %[[SUMS]])
func.func @quantized(%x: tensor<?x6xf32>, %w: tensor<512xi8>) -> tensor<?x2xf32> {
  %y = mezzo.packed_matmul(%x), %w {format = "int8", layout = #int8, scale_type = f32, mode = 1 : i32, config = #dot,
    rows = 2 : i64, columns = 6 : i64, group = 5 : i64} : (tensor<?x6xf32>, tensor<512xi8>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// Two products that read one activation in the same groups share its rows, which a remark tells. Other groups are
// other rows, and mode float reads the activation itself.

// CHECK-LABEL: func @shared
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>
// CHECK: %[[CODES:.*]], %[[SCALES:.*]], %[[SUMS:.*]] = mezzo.quantize_rows %[[X]] group = 8
// CHECK: mezzo.packed_matmul(%[[CODES]], %[[SCALES]], %[[SUMS]])
// CHECK-NOT: mezzo.quantize_rows
// CHECK: mezzo.packed_matmul(%[[CODES]], %[[SCALES]], %[[SUMS]])
// CHECK: %[[OTHERS:.*]], %{{.*}}, %{{.*}} = mezzo.quantize_rows %[[X]] group = 4
// CHECK: mezzo.packed_matmul(%[[OTHERS]],
// CHECK-NOT: mezzo.quantize_rows
// CHECK: mezzo.packed_matmul(%[[X]])
func.func @shared(%x: tensor<?x8xf32>, %w: tensor<256xi8>)
    -> (tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>) {
  // expected-remark @below {{quantized once, read by another product as well}}
  %0 = mezzo.packed_matmul(%x), %w {format = "int8", layout = #int8, scale_type = f32, mode = 1 : i32, config = #dot,
    rows = 2 : i64, columns = 8 : i64, group = 8 : i64} : (tensor<?x8xf32>, tensor<256xi8>) -> tensor<?x2xf32>
  %1 = mezzo.packed_matmul(%x), %w {format = "int8", layout = #int8, scale_type = f32, mode = 1 : i32, config = #dot,
    rows = 2 : i64, columns = 8 : i64, group = 8 : i64} : (tensor<?x8xf32>, tensor<256xi8>) -> tensor<?x2xf32>
  %2 = mezzo.packed_matmul(%x), %w {format = "int8", layout = #int8, scale_type = f32, mode = 1 : i32, config = #dot,
    rows = 2 : i64, columns = 8 : i64, group = 4 : i64} : (tensor<?x8xf32>, tensor<256xi8>) -> tensor<?x2xf32>
  %3 = mezzo.packed_matmul(%x), %w {format = "int8", layout = #int8, scale_type = f32, mode = 0 : i32, config = #decode,
    rows = 2 : i64, columns = 8 : i64, group = 8 : i64} : (tensor<?x8xf32>, tensor<256xi8>) -> tensor<?x2xf32>
  return %0, %1, %2, %3 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>
}

// Sums in 16 bits start from the sums of pairs, for each chunk of a group.

// CHECK-LABEL: func @chunked
// CHECK: %[[CODES:.*]], %[[SCALES:.*]], %[[SUMS:.*]], %[[PAIRS:.*]] = mezzo.quantize_rows %{{.*}} group = 8 chunk = 4
// CHECK-SAME: -> (tensor<?x64xi8>, tensor<?xf32>, tensor<?x1xi32>, tensor<?x2xi32>)
// CHECK: mezzo.packed_matmul(%[[CODES]], %[[SCALES]], %[[SUMS]], %[[PAIRS]])
func.func @chunked(%x: tensor<?x8xf32>, %w: tensor<256xi8>) -> tensor<?x2xf32> {
  %0 = mezzo.packed_matmul(%x), %w {format = "int8", layout = #int8, scale_type = f32, mode = 1 : i32, config = #chunks,
    rows = 2 : i64, columns = 8 : i64, group = 8 : i64} : (tensor<?x8xf32>, tensor<256xi8>) -> tensor<?x2xf32>
  return %0 : tensor<?x2xf32>
}

// Permuted columns are gathered, and the product knows nothing of the permutation any more.

mezzo.weight @order {type = tensor<8xi32>, data = dense<[7, 6, 5, 4, 3, 2, 1, 0]> : tensor<8xi32>}

// CHECK-LABEL: func @permuted
// CHECK-SAME: (%[[X:.*]]: tensor<3x8xf32>
// CHECK: %[[P:.*]] = mezzo.load_weight @order
// CHECK: %[[GATHERED:.*]] = linalg.generic {{.*}} ins(%[[P]] : tensor<8xi32>)
// CHECK: %[[COLUMN:.*]] = arith.index_cast %{{.*}} : i32 to index
// CHECK: %[[ROW:.*]] = linalg.index 0
// CHECK: tensor.extract %[[X]][%[[ROW]], %[[COLUMN]]]
// CHECK-NOT: permutation
// CHECK: mezzo.packed_matmul(%[[GATHERED]])
func.func @permuted(%x: tensor<3x8xf32>, %w: tensor<256xi8>) -> tensor<3x2xf32> {
  %p = mezzo.load_weight @order : tensor<8xi32>
  %0 = mezzo.packed_matmul(%x), %w permutation(%p) {format = "int8", layout = #int8, scale_type = f32, mode = 0 : i32, config = #decode,
    rows = 2 : i64, columns = 8 : i64, group = 8 : i64}
    : (tensor<3x8xf32>, tensor<256xi8>, tensor<8xi32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// Mode lut8 reads tables, and products share those of equal groups.

#lut2 = #mezzo.layout<"bit=[k:4, n@16:2], lane=[b:2, n:16], line=[n@32:2], step=[k@4:*], group=[g:*], panel=[n@64:*]">
#lut = #mezzo.config<strategy = lut, rows = 4, groups = 2, unroll = 4, streams = 2, block = 64, chunk = 64>

// CHECK-LABEL: func @tables
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>
// CHECK: %[[T:.*]], %[[S:.*]], %[[N:.*]], %[[A:.*]] = mezzo.lut_build %[[X]] group = 8
// CHECK-SAME: (tensor<?x8xf32>) -> (tensor<?x64xi8>, tensor<?x1xf32>, tensor<?x1xf32>, tensor<?x1xf32>)
// CHECK: mezzo.packed_matmul(%[[T]], %[[S]], %[[N]], %[[A]])
// CHECK-NOT: mezzo.lut_build
// CHECK: mezzo.packed_matmul(%[[T]], %[[S]], %[[N]], %[[A]])
func.func @tables(%x: tensor<?x8xf32>, %w: tensor<384xi8>) -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  // expected-remark @below {{tables built once, read by another product as well}}
  %0 = mezzo.packed_matmul(%x), %w {format = "int2", layout = #lut2, scale_type = f32, mode = 2 : i32, config = #lut,
    rows = 2 : i64, columns = 8 : i64, group = 8 : i64} : (tensor<?x8xf32>, tensor<384xi8>) -> tensor<?x2xf32>
  %1 = mezzo.packed_matmul(%x), %w {format = "int2", layout = #lut2, scale_type = f32, mode = 2 : i32, config = #lut,
    rows = 2 : i64, columns = 8 : i64, group = 8 : i64} : (tensor<?x8xf32>, tensor<384xi8>) -> tensor<?x2xf32>
  return %0, %1 : tensor<?x2xf32>, tensor<?x2xf32>
}

// Codes that the model has are arranged, once for all products; their scales stay as they are.

// CHECK-LABEL: func @arranged
// CHECK-SAME: (%[[Q:.*]]: tensor<?x6xi8>, %[[S:.*]]: tensor<?xf32>, %[[Z:.*]]: tensor<?xi32>
// CHECK: %[[CODES:.*]], %[[SUMS:.*]] = mezzo.arrange_rows %[[Q]] group = 5
// CHECK-SAME: (tensor<?x6xi8>) -> (tensor<?x64xi8>, tensor<?x2xi32>)
// CHECK: mezzo.packed_matmul(%[[CODES]], %[[S]], %[[SUMS]]) less(%[[Z]])
// CHECK-NOT: mezzo.arrange_rows
// CHECK: mezzo.packed_matmul(%[[CODES]], %[[S]], %[[SUMS]]), %{{.*}}
func.func @arranged(%q: tensor<?x6xi8>, %s: tensor<?xf32>, %z: tensor<?xi32>, %w: tensor<512xi8>)
    -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  // expected-remark @below {{arranged once, read by another product as well}}
  %0 = mezzo.packed_matmul(%q, %s) less(%z), %w {format = "int8", layout = #int8, scale_type = f32, mode = 1 : i32,
    config = #dot, rows = 2 : i64, columns = 6 : i64, group = 5 : i64, amax = 128 : i64, sums}
    : (tensor<?x6xi8>, tensor<?xf32>, tensor<?xi32>, tensor<512xi8>) -> tensor<?x2xf32>
  %1 = mezzo.packed_matmul(%q, %s), %w {format = "int8", layout = #int8, scale_type = f32, mode = 1 : i32,
    config = #dot, rows = 2 : i64, columns = 6 : i64, group = 5 : i64, amax = 128 : i64, sums}
    : (tensor<?x6xi8>, tensor<?xf32>, tensor<512xi8>) -> tensor<?x2xf32>
  return %0, %1 : tensor<?x2xf32>, tensor<?x2xf32>
}

// With a scale for 6 columns in groups of 3, a row has a scale for each group.

// CHECK-LABEL: func @scale_per_block
// CHECK: mezzo.quantize_rows %{{.*}} group = 3 block = 6
// CHECK-SAME: (tensor<2x7xf32>) -> (tensor<2x64xi8>, tensor<2x3xf32>, tensor<2x3xi32>)
func.func @scale_per_block(%x: tensor<2x7xf32>, %w: tensor<512xi8>) -> tensor<2x2xf32> {
  %0 = mezzo.packed_matmul(%x), %w {format = "int8", layout = #int8, scale_type = f32, mode = 1 : i32, config = #dot,
    rows = 2 : i64, columns = 7 : i64, group = 3 : i64, block = 6 : i64} : (tensor<2x7xf32>, tensor<512xi8>) -> tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}
// A minimum of mode float is multiplied by the sums of the activations' groups, which products share, too.

// CHECK-LABEL: func @minima
// CHECK-SAME: (%[[X:.*]]: tensor<?x6xf32>
// CHECK: %[[SUMS:.*]] = mezzo.group_sums %[[X]] group = 3 : (tensor<?x6xf32>) -> tensor<?x2xf32>
// CHECK: mezzo.packed_matmul(%[[X]], %[[SUMS]])
// CHECK-NOT: mezzo.group_sums
// CHECK: mezzo.packed_matmul(%[[X]], %[[SUMS]])
func.func @minima(%x: tensor<?x6xf32>, %w: tensor<512xi8>) -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  %0 = mezzo.packed_matmul(%x), %w {format = "int8", layout = #int8, scale_type = f32, offset_type = f16, minima,
    mode = 0 : i32, config = #decode, rows = 2 : i64, columns = 6 : i64, group = 3 : i64}
    : (tensor<?x6xf32>, tensor<512xi8>) -> tensor<?x2xf32>
  %1 = mezzo.packed_matmul(%x), %w {format = "int8", layout = #int8, scale_type = f32, offset_type = f16, minima,
    mode = 0 : i32, config = #decode, rows = 2 : i64, columns = 6 : i64, group = 3 : i64}
    : (tensor<?x6xf32>, tensor<512xi8>) -> tensor<?x2xf32>
  return %0, %1 : tensor<?x2xf32>, tensor<?x2xf32>
}
