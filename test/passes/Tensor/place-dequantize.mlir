// Dequantization moves behind what moves data, to the product. The codes move at compile time.

// RUN: mezzo-opt %s -split-input-file --mezzo-place-dequantize -verify-diagnostics | FileCheck %s
// RUN: mezzo-opt %s -split-input-file --mezzo-place-dequantize --mezzo-form-matmul 2>/dev/null | FileCheck %s --check-prefix=FORMED

// A scale for each of four slices, whose six elements become a row of the product.

// CHECK: mezzo.weight @moved0 {data = dense_resource<moved0> : tensor<12xi8>, type = tensor<4x6x!mezzo.q<int4>>}
mezzo.weight @w {type = tensor<4x2x3x!mezzo.q<int4>>, data = dense<[33, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]> : tensor<12xi8>}

// CHECK-LABEL: func @reshape
// CHECK: %[[S:.*]] = arith.constant dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00]> : tensor<4xf32>
// CHECK: %[[D:.*]] = mezzo.dequantize %{{.*}} scales(%{{.*}}) : (tensor<4x6x!mezzo.q<int4>>, tensor<4xf32>) -> tensor<4x6xf32>
// CHECK: linalg.matmul {{.*}} ins(%{{.*}}, %[[D]] :
// FORMED-LABEL: func @reshape
// FORMED: mezzo.matmul {{.*}} mode = float group = 6 :
func.func @reshape(%x: tensor<2x6xf32>, %dest: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %zero = arith.constant 0.0 : f32
  %s = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %q = mezzo.load_weight @w : tensor<4x2x3x!mezzo.q<int4>>
  %d = mezzo.dequantize %q scales(%s) axis = 0 : (tensor<4x2x3x!mezzo.q<int4>>, tensor<4xf32>) -> tensor<4x2x3xf32>
  %m = tensor.collapse_shape %d [[0], [1, 2]] : tensor<4x2x3xf32> into tensor<4x6xf32>
  %init = linalg.fill ins(%zero : f32) outs(%dest : tensor<2x4xf32>) -> tensor<2x4xf32>
  // expected-remark @below {{the dequantization of its weight was moved behind reshape: a scale for each row}}
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %m : tensor<2x6xf32>, tensor<4x6xf32>) outs(%init : tensor<2x4xf32>) -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// -----

// A slice of a transposition, put beside another weight: blocks of 2 along K, and the zero points of both.

// CHECK-LABEL: func @slices
// CHECK-DAG: arith.constant dense<{{\[\[}}1.000000e+00, 2.000000e+00, 7.000000e+00], [3.000000e+00, 4.000000e+00, 8.000000e+00{{\]\]}}> : tensor<2x3xf32>
// CHECK-DAG: arith.constant dense<{{\[\[}}0, 0, 5], [0, 0, 6{{\]\]}}> : tensor<2x3xi16>
// CHECK: mezzo.dequantize {{.*}} block = 2 : (tensor<4x3x!mezzo.q<uint8>>, tensor<2x3xf32>, tensor<2x3xi16>) -> tensor<4x3xf32>
// FORMED-LABEL: func @slices
// FORMED: mezzo.matmul {{.*}} offsets({{.*}} mode = float group = 2 :
mezzo.weight @a {type = tensor<2x6x!mezzo.q<uint8>>, data = dense<[0, 1, 2, 3, 9, 9, 4, 5, 6, 7, 9, 9]> : tensor<12xi8>}
mezzo.weight @b {type = tensor<4x1x!mezzo.q<uint8>>, data = dense<[10, 11, 12, 13]> : tensor<4xi8>}
func.func @slices(%x: tensor<?x4xf32>, %dest: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %zero = arith.constant 0.0 : f32
  %sa = arith.constant dense<[[1.0, 3.0, 9.0], [2.0, 4.0, 9.0]]> : tensor<2x3xf32>
  %sb = arith.constant dense<[[7.0], [8.0]]> : tensor<2x1xf32>
  %zb = arith.constant dense<[[5], [6]]> : tensor<2x1xi8>
  %qa = mezzo.load_weight @a : tensor<2x6x!mezzo.q<uint8>>
  %qb = mezzo.load_weight @b : tensor<4x1x!mezzo.q<uint8>>
  %da = mezzo.dequantize %qa scales(%sa) axis = 1 block = 2 : (tensor<2x6x!mezzo.q<uint8>>, tensor<2x3xf32>) -> tensor<2x6xf32>
  %db = mezzo.dequantize %qb scales(%sb) zeros(%zb) axis = 0 block = 2
    : (tensor<4x1x!mezzo.q<uint8>>, tensor<2x1xf32>, tensor<2x1xi8>) -> tensor<4x1xf32>
  %e = tensor.empty() : tensor<6x2xf32>
  %t = linalg.transpose ins(%da : tensor<2x6xf32>) outs(%e : tensor<6x2xf32>) permutation = [1, 0]
  %cut = tensor.extract_slice %t[0, 0] [4, 2] [1, 1] : tensor<6x2xf32> to tensor<4x2xf32>
  %none = tensor.empty() : tensor<4x3xf32>
  %one = tensor.insert_slice %cut into %none[0, 0] [4, 2] [1, 1] : tensor<4x2xf32> into tensor<4x3xf32>
  %both = tensor.insert_slice %db into %one[0, 2] [4, 1] [1, 1] : tensor<4x1xf32> into tensor<4x3xf32>
  %init = linalg.fill ins(%zero : f32) outs(%dest : tensor<?x3xf32>) -> tensor<?x3xf32>
  // expected-remark @below {{the dequantization of its weight was moved behind concat: a scale for each row and 2 columns}}
  %y = linalg.matmul ins(%x, %both : tensor<?x4xf32>, tensor<4x3xf32>) outs(%init : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}

// -----

// What cannot move says why.

mezzo.weight @u {type = tensor<2x2x!mezzo.q<uint8>>, data = dense<[0, 1, 2, 3]> : tensor<4xi8>}
mezzo.weight @i {type = tensor<2x2x!mezzo.q<int8>>, data = dense<[0, 1, 2, 3]> : tensor<4xi8>}

// CHECK-LABEL: func @stays
// CHECK: tensor.insert_slice
// CHECK: tensor.collapse_shape
// CHECK: tensor.extract_slice
func.func @stays(%x: tensor<2x4xf32>, %x2: tensor<2x2xf32>, %dest: tensor<2x2xf32>, %other: tensor<2x2xf32>, %at: index)
    -> (tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>) {
  %zero = arith.constant 0.0 : f32
  %s = arith.constant dense<1.0> : tensor<f32>
  %columns = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %qu = mezzo.load_weight @u : tensor<2x2x!mezzo.q<uint8>>
  %qi = mezzo.load_weight @i : tensor<2x2x!mezzo.q<int8>>
  %du = mezzo.dequantize %qu scales(%s) : (tensor<2x2x!mezzo.q<uint8>>, tensor<f32>) -> tensor<2x2xf32>
  %di = mezzo.dequantize %qi scales(%s) : (tensor<2x2x!mezzo.q<int8>>, tensor<f32>) -> tensor<2x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%dest : tensor<2x2xf32>) -> tensor<2x2xf32>

  %none = tensor.empty() : tensor<4x2xf32>
  %one = tensor.insert_slice %du into %none[0, 0] [2, 2] [1, 1] : tensor<2x2xf32> into tensor<4x2xf32>
  %two = tensor.insert_slice %di into %one[2, 0] [2, 2] [1, 1] : tensor<2x2xf32> into tensor<4x2xf32>
  // expected-remark @below {{the dequantization of its weight stays where it is: it is put together of uint8 and int8}}
  %0 = linalg.matmul ins(%x, %two : tensor<2x4xf32>, tensor<4x2xf32>) outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>

  %mixed = tensor.insert_slice %other into %one[2, 0] [2, 2] [1, 1] : tensor<2x2xf32> into tensor<4x2xf32>
  %again = tensor.insert_slice %du into %mixed[0, 0] [2, 2] [1, 1] : tensor<2x2xf32> into tensor<4x2xf32>
  // expected-remark @below {{the dequantization of its weight stays where it is: a part of it is not dequantized}}
  %1 = linalg.matmul ins(%x, %again : tensor<2x4xf32>, tensor<4x2xf32>) outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>

  %dk = mezzo.dequantize %qu scales(%columns) axis = 0 : (tensor<2x2x!mezzo.q<uint8>>, tensor<2xf32>) -> tensor<2x2xf32>
  %flat = tensor.collapse_shape %dk [[0, 1]] : tensor<2x2xf32> into tensor<4xf32>
  %square = tensor.expand_shape %flat [[0, 1]] output_shape [2, 2] : tensor<4xf32> into tensor<2x2xf32>
  // expected-remark @below {{the dequantization of its weight stays where it is: behind the reshape, reshape, each column of a row would have a scale of its own}}
  %2 = linalg.matmul ins(%x2, %square : tensor<2x2xf32>, tensor<2x2xf32>) outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>

  %part = tensor.extract_slice %two[%at, 0] [2, 2] [1, 1] : tensor<4x2xf32> to tensor<2x2xf32>
  // expected-remark @below {{the dequantization of its weight stays where it is: where it is sliced is known at run time only}}
  %3 = linalg.matmul ins(%x2, %part : tensor<2x2xf32>, tensor<2x2xf32>) outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %0, %1, %2, %3 : tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>
}
