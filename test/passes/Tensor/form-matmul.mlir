// A product with a dequantized weight becomes a product with a quantized one: rows by columns, groups along K.

// RUN: mezzo-opt %s --mezzo-form-matmul | FileCheck %s
// RUN: mezzo-opt %s --mezzo-form-matmul=compute=int | FileCheck %s --check-prefix=INT
// RUN: not mezzo-opt %s --mezzo-form-matmul=compute=integer_only 2>&1 | FileCheck %s --check-prefix=PLANNED
// RUN: not mezzo-opt %s --mezzo-form-matmul=compute=quick 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// PLANNED: error: cannot compute products in mode 'integer_only': use float, int or lut8
// UNKNOWN: error: cannot compute products in mode 'quick': use float, int or lut8

// Codes stay where they are, W[K, N] in the model's order: the layout says how rows are read. Scales and zero points, one
// per column and block of 2 along K, are turned to [N, G]; the file ends with their bytes.

// CHECK: mezzo.weight @blocks.rows
// CHECK-SAME: data = dense<1> : tensor<6xi8>
// CHECK-SAME: group = 2 : i64
// CHECK-SAME: layout = #mezzo.layout<"flat=[b:4, n:3, k:*]">
// CHECK-SAME: offsets = dense_resource<blocks.zeros> : tensor<3x2xi16>
// CHECK-SAME: scales = dense_resource<blocks.scales> : tensor<3x2xf32>
// CHECK-SAME: spec = "uint4/g2+zp"
// CHECK-SAME: type = tensor<3x4x!mezzo.q<uint4>>
mezzo.weight @blocks {type = tensor<4x3x!mezzo.q<uint4>>, data = dense<1> : tensor<6xi8>}

// CHECK-LABEL: func @blocks_along_k
// CHECK-SAME: (%[[X:.*]]: tensor<?x4xf32>, %{{.*}}: tensor<?x3xf32>)
// CHECK: %[[W:.*]]:3 = mezzo.load_weight @blocks.rows : tensor<3x4x!mezzo.q<uint4>>, tensor<3x2xf32>, tensor<3x2xi16>
// CHECK: %[[Y:.*]] = mezzo.matmul %[[X]], %[[W]]#0 scales(%[[W]]#1) offsets(%[[W]]#2) mode = float group = 2 :
// CHECK: return %[[Y]]
// INT-LABEL: func @blocks_along_k
// INT: mezzo.matmul {{.*}} mode = int group = 2 :
func.func @blocks_along_k(%x: tensor<?x4xf32>, %dest: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %zero = arith.constant 0.0 : f32
  %s = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %z = arith.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi8>
  %q = mezzo.load_weight @blocks : tensor<4x3x!mezzo.q<uint4>>
  %w = mezzo.dequantize %q scales(%s) zeros(%z) axis = 0 block = 2
    : (tensor<4x3x!mezzo.q<uint4>>, tensor<2x3xf32>, tensor<2x3xi8>) -> tensor<4x3xf32>
  %init = linalg.fill ins(%zero : f32) outs(%dest : tensor<?x3xf32>) -> tensor<?x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<?x4xf32>, tensor<4x3xf32>) outs(%init : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}

// A weight that is stored as [N, K], read through a transposition by one product and in place by another: both use one
// weight. One scale per row is a group as long as K. Zero points that are all zero are none.

// CHECK: mezzo.weight @channel.rows
// CHECK-NOT: offsets
// CHECK-SAME: layout = #mezzo.layout<"flat=[b:8, k:4, n:*]">
// CHECK-NOT: offsets
// CHECK-SAME: spec = "int8/ch"
// CHECK-NOT: mezzo.weight
mezzo.weight @channel {type = tensor<3x4x!mezzo.q<int8>>, data = dense<1> : tensor<12xi8>}

// CHECK-LABEL: func @scale_per_row
// CHECK-SAME: (%[[X:.*]]: tensor<2x4xf32>, %{{.*}}: tensor<2x3xf32>)
// CHECK-COUNT-2: mezzo.matmul %[[X]], %{{.*}}#0 scales(%{{.*}}#1) mode = float group = 4 :
// CHECK-NOT: linalg.transpose
// CHECK: return
func.func @scale_per_row(%x: tensor<2x4xf32>, %dest: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %zero = arith.constant 0.0 : f32
  %s = arith.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %z = arith.constant dense<0> : tensor<3xi8>
  %q = mezzo.load_weight @channel : tensor<3x4x!mezzo.q<int8>>
  %w = mezzo.dequantize %q scales(%s) zeros(%z) axis = 0
    : (tensor<3x4x!mezzo.q<int8>>, tensor<3xf32>, tensor<3xi8>) -> tensor<3x4xf32>
  %empty = tensor.empty() : tensor<4x3xf32>
  %t = linalg.transpose ins(%w : tensor<3x4xf32>) outs(%empty : tensor<4x3xf32>) permutation = [1, 0]
  %init = linalg.fill ins(%zero : f32) outs(%dest : tensor<2x3xf32>) -> tensor<2x3xf32>
  %y = linalg.matmul ins(%x, %t : tensor<2x4xf32>, tensor<4x3xf32>) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  %y2 = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,
                                       affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<2x4xf32>, tensor<3x4xf32>) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y, %y2 : tensor<2x3xf32>, tensor<2x3xf32>
}

// Codes that two products read with other scales, or by rows and by columns, are a weight for each.

// CHECK: mezzo.weight @shared {
// CHECK-COUNT-3: mezzo.weight @shared.rows
// CHECK-NOT: mezzo.weight
mezzo.weight @shared {type = tensor<2x2x!mezzo.q<int8>>, data = dense<1> : tensor<4xi8>}

// CHECK-LABEL: func @shared_codes
// CHECK: mezzo.load_weight @[[FIRST:shared.rows[0-9]*]] :
// CHECK-NOT: mezzo.load_weight @[[FIRST]] :
// CHECK: mezzo.load_weight @[[SECOND:shared.rows[0-9]*]] :
// CHECK-NOT: mezzo.load_weight @[[FIRST]] :
// CHECK-NOT: mezzo.load_weight @[[SECOND]] :
// CHECK: mezzo.load_weight @shared.rows
func.func @shared_codes(%x: tensor<2x2xf32>, %dest: tensor<2x2xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>) {
  %zero = arith.constant 0.0 : f32
  %s = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %others = arith.constant dense<[3.0, 4.0]> : tensor<2xf32>
  %q = mezzo.load_weight @shared : tensor<2x2x!mezzo.q<int8>>
  %init = linalg.fill ins(%zero : f32) outs(%dest : tensor<2x2xf32>) -> tensor<2x2xf32>
  %w = mezzo.dequantize %q scales(%s) axis = 1 : (tensor<2x2x!mezzo.q<int8>>, tensor<2xf32>) -> tensor<2x2xf32>
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>
  %w1 = mezzo.dequantize %q scales(%others) axis = 1 : (tensor<2x2x!mezzo.q<int8>>, tensor<2xf32>) -> tensor<2x2xf32>
  %y1 = linalg.matmul ins(%x, %w1 : tensor<2x2xf32>, tensor<2x2xf32>) outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>
  %w2 = mezzo.dequantize %q scales(%s) : (tensor<2x2x!mezzo.q<int8>>, tensor<2xf32>) -> tensor<2x2xf32>
  %y2 = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,
                                       affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w2 : tensor<2x2xf32>, tensor<2x2xf32>) outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y, %y1, %y2 : tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>
}

// What is no product of this form stays as it is: a scale along K belongs to the activations, a destination that is not
// zero is added to, and --strict-dq wants each weight rounded.

// CHECK-LABEL: func @other_products
// CHECK-NOT: mezzo.matmul
// CHECK: mezzo.dequantize
// CHECK-COUNT-2: linalg.matmul
// CHECK: mezzo.dequantize {{.*}} {mezzo.strict}
// CHECK-COUNT-1: linalg.matmul
// CHECK: return
mezzo.weight @plain {type = tensor<4x3x!mezzo.q<int8>>, data = dense<1> : tensor<12xi8>}
func.func @other_products(%x: tensor<2x4xf32>, %dest: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
  %zero = arith.constant 0.0 : f32
  %along_k = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %one = arith.constant dense<0.5> : tensor<f32>
  %q = mezzo.load_weight @plain : tensor<4x3x!mezzo.q<int8>>
  %init = linalg.fill ins(%zero : f32) outs(%dest : tensor<2x3xf32>) -> tensor<2x3xf32>
  %w = mezzo.dequantize %q scales(%along_k) : (tensor<4x3x!mezzo.q<int8>>, tensor<4xf32>) -> tensor<4x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<2x4xf32>, tensor<4x3xf32>) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  %added = linalg.matmul ins(%x, %w : tensor<2x4xf32>, tensor<4x3xf32>) outs(%dest : tensor<2x3xf32>) -> tensor<2x3xf32>
  %strict = mezzo.dequantize %q scales(%one) {mezzo.strict} : (tensor<4x3x!mezzo.q<int8>>, tensor<f32>) -> tensor<4x3xf32>
  %rounded = linalg.matmul ins(%x, %strict : tensor<2x4xf32>, tensor<4x3xf32>) outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y, %added, %rounded : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
}

// Four bytes of alignment, then the numbers: 1 4, 2 5, 3 6.

// CHECK-DAG: blocks.scales: "0x040000000000803F00008040000000400000A040000040400000C040"
// CHECK-DAG: blocks.zeros: "0x02000000010004000200050003000600"
