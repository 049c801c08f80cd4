// Products and row operations become launches of kernels, and ops with equal keys share one. What the kernels compute is
// tested where they run, in test/exec.

// RUN: mezzo-opt %s -split-input-file --mezzo-emit-kernels -verify-diagnostics | FileCheck %s

#panel = #mezzo.layout<"bit=[b:4, n@8:2], lane=[k:4, n:8], line=[n@16:2], step=[k@4:*], group=[g:*], panel=[n@32:*]">
#dot = #mezzo.config<strategy = native_dot, rows = 4, groups = 2, unroll = 2, streams = 1, block = 64, chunk = 0>

// Sizes are arguments of the kernel: products of other sizes share it. Tasks are panels of 32 rows.

// CHECK-LABEL: func @products
// CHECK-NOT: mezzo.packed_matmul
// CHECK-NOT: mezzo.quantize_rows
// CHECK: tensor.empty(%{{.*}}) : tensor<?x64xi8>
// CHECK: mezzo.launch @[[ROWS:[^ ]+]] count(%{{.*}}) grain = {{[0-9]+}} ins(%{{.*}} : tensor<?x64xf32>)
// CHECK-SAME: outs(%{{.*}}, %{{.*}}, %{{.*}} : tensor<?x64xi8>, tensor<?xf32>, tensor<?x2xi32>)
// CHECK: mezzo.launch @[[KEY:[^ ]+]] count(%{{.*}}) grain = {{[0-9]+}} ins(
// CHECK-SAME: outs(%{{.*}} : tensor<?x64xf32>) -> tensor<?x64xf32>
// CHECK: mezzo.launch @[[KEY]] count(
// CHECK-SAME: outs(%{{.*}} : tensor<?x33xf32>) -> tensor<?x33xf32>
// CHECK: return
// CHECK: func.func private @[[ROWS]](%{{.*}}: memref<?x?xf32, {{.*}}>, {{.*}}, %{{.*}}: index, %{{.*}}: index)
// CHECK: func.func private @[[KEY]](%{{.*}}: memref<?x?xi8, {{.*}}>, {{.*}}, %{{.*}}: index, %{{.*}}: index)
// CHECK: tile.
// CHECK-NOT: func.func private @[[KEY]](
func.func @products(%x: tensor<?x64xf32>, %w: tensor<2688xi8>) -> (tensor<?x64xf32>, tensor<?x33xf32>) {
  %a, %as, %sums = mezzo.quantize_rows %x group = 32
    : (tensor<?x64xf32>) -> (tensor<?x64xi8>, tensor<?xf32>, tensor<?x2xi32>)
  %0 = mezzo.packed_matmul(%a, %as, %sums), %w {format = "uint4", layout = #panel, scale_type = f32, mode = 1 : i32, config = #dot,
    rows = 64 : i64, columns = 64 : i64, group = 32 : i64}
    : (tensor<?x64xi8>, tensor<?xf32>, tensor<?x2xi32>, tensor<2688xi8>) -> tensor<?x64xf32>
  %1 = mezzo.packed_matmul(%a, %as, %sums), %w {format = "uint4", layout = #panel, scale_type = f32, mode = 1 : i32, config = #dot,
    rows = 33 : i64, columns = 64 : i64, group = 32 : i64}
    : (tensor<?x64xi8>, tensor<?xf32>, tensor<?x2xi32>, tensor<2688xi8>) -> tensor<?x33xf32>
  return %0, %1 : tensor<?x64xf32>, tensor<?x33xf32>
}

// -----

// A bias, zero points, another mode: each is another kernel. In mode float, a step of a group is an fma.

#panel = #mezzo.layout<"bit=[b:4, n@8:2], lane=[k:4, n:8], line=[n@16:2], step=[k@4:*], group=[g:*], panel=[n@32:*]">
#decode = #mezzo.config<strategy = dequant, rows = 4, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 0>

// CHECK-LABEL: func @keys
// CHECK: mezzo.launch @[[PLAIN:[^ ]+]] count(
// CHECK: mezzo.launch @[[BIAS:[^ ]+]] count(
// CHECK: mezzo.launch @[[ZEROS:[^ ]+]] count(
// CHECK: return
// CHECK: func.func private @[[PLAIN]](
// CHECK: fma
// CHECK: func.func private @[[BIAS]](
// CHECK: func.func private @[[ZEROS]](
func.func @keys(%x: tensor<1x64xf32>, %w: tensor<2688xi8>, %b: tensor<64xf32>)
    -> (tensor<1x64xf32>, tensor<1x64xf32>, tensor<1x64xf32>) {
  %0 = mezzo.packed_matmul(%x), %w {format = "uint4", layout = #panel, scale_type = f32, mode = 0 : i32, config = #decode,
    rows = 64 : i64, columns = 64 : i64, group = 32 : i64}
    : (tensor<1x64xf32>, tensor<2688xi8>) -> tensor<1x64xf32>
  %1 = mezzo.packed_matmul(%x), %w bias(%b) {format = "uint4", layout = #panel, scale_type = f32, mode = 0 : i32, config = #decode,
    rows = 64 : i64, columns = 64 : i64, group = 32 : i64}
    : (tensor<1x64xf32>, tensor<2688xi8>, tensor<64xf32>) -> tensor<1x64xf32>
  %2 = mezzo.packed_matmul(%x), %w {format = "uint4", layout = #panel, scale_type = f32, offset_type = i8, mode = 0 : i32, config = #decode,
    rows = 64 : i64, columns = 64 : i64, group = 32 : i64}
    : (tensor<1x64xf32>, tensor<2688xi8>) -> tensor<1x64xf32>
  return %0, %1, %2 : tensor<1x64xf32>, tensor<1x64xf32>, tensor<1x64xf32>
}

// -----

// Row operations: a task is a row. Equal ones of other sizes share a kernel, those with another epsilon do not.

// CHECK-LABEL: func @rows
// CHECK: mezzo.launch @[[SOFTMAX:[^ ]+]] count(%{{.*}}) grain = {{[0-9]+}} ins(%{{.*}} : tensor<?x100xf32>) outs(%{{.*}} : tensor<?x100xf32>)
// CHECK: mezzo.launch @[[SOFTMAX]] count(%{{.*}}) grain = {{[0-9]+}} ins(%{{.*}} : tensor<4x8xf32>) outs(%{{.*}} : tensor<4x8xf32>)
// CHECK: mezzo.launch @[[NORM:[^ ]+]] count(
// CHECK: mezzo.launch @[[OTHER:[^ ]+]] count(
// CHECK: return
// CHECK: func.func private @[[SOFTMAX]](
// CHECK: math.exp
// CHECK: func.func private @[[NORM]](
// CHECK: func.func private @[[OTHER]](
func.func @rows(%x: tensor<?x100xf32>, %y: tensor<4x8xf32>, %s: tensor<100xf32>) -> (tensor<?x100xf32>, tensor<4x8xf32>) {
  %0 = mezzo.softmax %x : (tensor<?x100xf32>) -> tensor<?x100xf32>
  %1 = mezzo.softmax %y : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = mezzo.rms_norm %0, %s epsilon = 1.0e-5 : (tensor<?x100xf32>, tensor<100xf32>) -> tensor<?x100xf32>
  %3 = mezzo.rms_norm %2, %s epsilon = 1.0e-6 : (tensor<?x100xf32>, tensor<100xf32>) -> tensor<?x100xf32>
  return %3, %1 : tensor<?x100xf32>, tensor<4x8xf32>
}
