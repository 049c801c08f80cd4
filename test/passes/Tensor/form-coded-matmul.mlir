// Products whose activations are codes.

// RUN: mezzo-opt %s --mezzo-form-matmul | FileCheck %s
// RUN: mezzo-opt %s --mezzo-form-matmul=compute=float | FileCheck %s --check-prefix=FLOAT

// Activations that are codes are the model's word for mode int. Unsigned bytes lose their top bit's weight, 128, and so do
// their zero points; the zero point of 128 is none then. In mode float, numbers are multiplied.

mezzo.weight @coded {type = tensor<3x4x!mezzo.q<int8>>, data = dense<1> : tensor<12xi8>}

// CHECK-LABEL: func @coded_activations
// CHECK-SAME: (%[[Q:[^:]*]]: tensor<?x4x!mezzo.q<uint8>>
// CHECK-DAG: %[[TOP:.*]] = arith.constant -128 : i8
// CHECK-DAG: %[[SHIFT:.*]] = arith.constant 128 : i32
// CHECK-DAG: builtin.unrealized_conversion_cast %[[Q]] : tensor<?x4x!mezzo.q<uint8>> to tensor<?x4xi8>
// CHECK-DAG: arith.xori %{{.*}}, %[[TOP]] : i8
// CHECK-DAG: arith.subi %{{.*}}, %[[SHIFT]] : i32
// CHECK: mezzo.matmul %{{.*}} by(%{{.*}}) less(%{{.*}}), %{{.*}} scales(%{{.*}}) mode = int group = 4 :
// CHECK-SAME: (tensor<?x4xi8>, tensor<?xf32>, tensor<?xi32>, tensor<3x4x!mezzo.q<int8>>, tensor<3x1xf32>) -> tensor<?x3xf32>
// CHECK: mezzo.matmul %{{.*}} by(%{{.*}}), %{{.*}} scales(%{{.*}}) mode = int group = 4 :
// FLOAT-LABEL: func @coded_activations
// FLOAT-COUNT-2: mezzo.matmul %{{.*}}, %{{.*}} scales(%{{.*}}) mode = float group = 4 : (tensor<?x4xf32>,
func.func @coded_activations(%q: tensor<?x4x!mezzo.q<uint8>>, %s: tensor<f32>, %z: tensor<!mezzo.q<uint8>>,
    %dest: tensor<?x3xf32>) -> (tensor<?x3xf32>, tensor<?x3xf32>) {
  %zero = arith.constant 0.0 : f32
  %middle = arith.constant dense<-128> : tensor<i8>
  %scale = arith.constant dense<0.5> : tensor<3xf32>
  %codes = mezzo.load_weight @coded : tensor<3x4x!mezzo.q<int8>>
  %w = mezzo.dequantize %codes scales(%scale) axis = 0 : (tensor<3x4x!mezzo.q<int8>>, tensor<3xf32>) -> tensor<3x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%dest : tensor<?x3xf32>) -> tensor<?x3xf32>
  %x = mezzo.dequantize %q scales(%s) zeros(%z)
    : (tensor<?x4x!mezzo.q<uint8>>, tensor<f32>, tensor<!mezzo.q<uint8>>) -> tensor<?x4xf32>
  %v = mezzo.dequantize %q scales(%s) zeros(%middle)
    : (tensor<?x4x!mezzo.q<uint8>>, tensor<f32>, tensor<i8>) -> tensor<?x4xf32>
  %y0 = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<?x4xf32>, tensor<3x4xf32>) outs(%init : tensor<?x3xf32>) -> tensor<?x3xf32>
  %y1 = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%v, %w : tensor<?x4xf32>, tensor<3x4xf32>) outs(%init : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %y0, %y1 : tensor<?x3xf32>, tensor<?x3xf32>
}
