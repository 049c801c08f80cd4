// Every weight gets its place in the weight file, and products read packed weights.

// RUN: mezzo-opt %s -split-input-file --mezzo-pack-weights -verify-diagnostics | FileCheck %s

// A quantized weight is one array of records, and a plain one is its bytes. Places are multiples of 64, and where the last
// weight ends is the length of the payload. Here a record is 8 steps of 64 bytes, 32 scales and 32 zero points that fit a
// byte: 672 bytes for each of two groups. Two rows are padded to a panel.

// CHECK: module attributes {mezzo.weight_bytes = 1408 : i64}
// CHECK: mezzo.weight @w {
// CHECK-SAME: place = 0 : i64
// CHECK: mezzo.weight @norm {{.*}} place = 1344 : i64
// CHECK-NOT: mezzo.weight @unread
// CHECK-LABEL: func @product
// CHECK-SAME: (%[[X:.*]]: tensor<?x64xf32>, %[[B:.*]]: tensor<2xf32>)
// CHECK-NOT: mezzo.matmul
// CHECK-NOT: mezzo.load_weight @w
// CHECK: %[[W:.*]] = mezzo.load_packed @w : tensor<1344xi8>
// CHECK: mezzo.packed_matmul(%[[X]]), %[[W]] bias(%[[B]])
// CHECK-SAME: columns = 64 : i64
// CHECK-SAME: config = #mezzo.config<strategy = native_dot, rows = 4,
// CHECK-SAME: format = "uint4"
// CHECK-SAME: group = 32 : i64
// CHECK-SAME: offset_type = i8
// CHECK-SAME: rows = 2 : i64
// CHECK-SAME: scale_type = f32
// CHECK: mezzo.load_weight @norm
mezzo.weight @w {spec = "uint4/g32+zp", type = tensor<2x64x!mezzo.q<uint4>>, group = 32 : i64,
  data = dense<1> : tensor<64xi8>, layout = #mezzo.layout<"bit=[b:4, k:2], line=[k@2:*], tile=[n:*]">,
  packed = #mezzo.layout<"bit=[b:4, n@8:2], lane=[k:4, n:8], line=[n@16:2], step=[k@4:*], group=[g:*], panel=[n@32:*]">,
  scales = dense<1.0> : tensor<2x2xf32>, offsets = dense<[[8, 7], [6, 5]]> : tensor<2x2xi16>}
mezzo.weight @norm {type = tensor<3xf32>, data = dense<1.0> : tensor<3xf32>}
mezzo.weight @unread {type = tensor<3xf32>, data = dense<1.0> : tensor<3xf32>}
func.func @product(%x: tensor<?x64xf32>, %b: tensor<2xf32>) -> (tensor<?x2xf32>, tensor<3xf32>) {
  %c, %s, %z = mezzo.load_weight @w : tensor<2x64x!mezzo.q<uint4>>, tensor<2x2xf32>, tensor<2x2xi16>
  %unread = mezzo.load_weight @unread : tensor<3xf32>
  %0 = mezzo.matmul %x, %c scales(%s) offsets(%z) bias(%b) mode = int group = 32
    config = <strategy = native_dot, rows = 4, groups = 2, unroll = 2, streams = 2, block = 64, chunk = 0>
    : (tensor<?x64xf32>, tensor<2x64x!mezzo.q<uint4>>, tensor<2x2xf32>, tensor<2x2xi16>, tensor<2xf32>) -> tensor<?x2xf32>
  %n = mezzo.load_weight @norm : tensor<3xf32>
  return %0, %n : tensor<?x2xf32>, tensor<3xf32>
}

// -----

// 5 rows of 6 columns in groups of 4 are one panel of 16 rows and two groups: two records of 64 bytes of codes and 64 of
// scales.

// CHECK: mezzo.weight @small
// CHECK-LABEL: func @padded
// CHECK: mezzo.load_packed @small : tensor<256xi8>
mezzo.weight @small {spec = "int8/g4", type = tensor<5x6x!mezzo.q<int8>>, group = 4 : i64, data = dense<1> : tensor<30xi8>,
  layout = #mezzo.layout<"bit=[b:8], line=[k:*], tile=[n:*]">,
  packed = #mezzo.layout<"bit=[b:8], lane=[k:4, n:8], line=[n@8:2], step=[k@4:*], group=[g:*], panel=[n@16:*]">,
  scales = dense<1.0> : tensor<5x2xf32>}
func.func @padded(%x: tensor<1x6xf32>) -> tensor<1x5xf32> {
  %c, %s = mezzo.load_weight @small : tensor<5x6x!mezzo.q<int8>>, tensor<5x2xf32>
  %0 = mezzo.matmul %x, %c scales(%s) mode = float group = 4 config = <strategy = dequant, rows = 1, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 0>
    : (tensor<1x6xf32>, tensor<5x6x!mezzo.q<int8>>, tensor<5x2xf32>) -> tensor<1x5xf32>
  return %0 : tensor<1x5xf32>
}

// -----

// A permutation becomes a plain weight, which the activations are gathered by.

// CHECK: mezzo.weight @p.permutation {{.*}} type = tensor<4xi32>
// CHECK-LABEL: func @permuted
// CHECK: %[[P:.*]] = mezzo.load_weight @p.permutation : tensor<4xi32>
// CHECK: mezzo.packed_matmul({{.*}} permutation(%[[P]])
mezzo.weight @p {spec = "int8/ch", type = tensor<5x4x!mezzo.q<int8>>, group = 4 : i64, data = dense<1> : tensor<20xi8>,
  layout = #mezzo.layout<"bit=[b:8], line=[k:*], tile=[n:*]">,
  packed = #mezzo.layout<"bit=[b:8], lane=[k:4, n:8], line=[n@8:2], step=[k@4:*], group=[g:*], panel=[n@16:*]">,
  scales = dense<1.0> : tensor<5x1xf32>, permutation = dense<[3, 1, 0, 2]> : tensor<4xi32>}
func.func @permuted(%x: tensor<1x4xf32>) -> tensor<1x5xf32> {
  %c, %s, %p = mezzo.load_weight @p : tensor<5x4x!mezzo.q<int8>>, tensor<5x1xf32>, tensor<4xi32>
  %0 = mezzo.matmul %x, %c scales(%s) permutation(%p) mode = float group = 4
    config = <strategy = dequant, rows = 1, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 0>
    : (tensor<1x4xf32>, tensor<5x4x!mezzo.q<int8>>, tensor<5x1xf32>, tensor<4xi32>) -> tensor<1x5xf32>
  return %0 : tensor<1x5xf32>
}

// -----

mezzo.weight @w {spec = "int8/ch", type = tensor<5x4x!mezzo.q<int8>>, group = 4 : i64, data = dense<1> : tensor<20xi8>,
  layout = #mezzo.layout<"bit=[b:8], line=[k:*], tile=[n:*]">, scales = dense<1.0> : tensor<5x1xf32>}
func.func @not_selected(%x: tensor<1x4xf32>) -> tensor<1x5xf32> {
  %c, %s = mezzo.load_weight @w : tensor<5x4x!mezzo.q<int8>>, tensor<5x1xf32>
  // expected-error @below {{has no strategy or layout: run mezzo-select-strategy first}}
  %0 = mezzo.matmul %x, %c scales(%s) mode = float group = 4
    : (tensor<1x4xf32>, tensor<5x4x!mezzo.q<int8>>, tensor<5x1xf32>) -> tensor<1x5xf32>
  return %0 : tensor<1x5xf32>
}
