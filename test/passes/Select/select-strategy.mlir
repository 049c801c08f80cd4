// Every product gets a strategy and a tile, every weight one layout, and every choice is a remark that says why.

// RUN: mezzo-opt %s -split-input-file --mezzo-select-strategy -verify-diagnostics | FileCheck %s
// RUN: not mezzo-opt %s -split-input-file --mezzo-select-strategy=config=rows=2,unroll=1 2>&1 | FileCheck %s --check-prefix=FORCED
// RUN: not mezzo-opt %s -split-input-file --mezzo-select-strategy=config=columns=2 2>&1 | FileCheck %s --check-prefix=NO-KNOB
// RUN: not mezzo-opt %s -split-input-file --mezzo-select-strategy=config=rows=many 2>&1 | FileCheck %s --check-prefix=WORD
// RUN: not mezzo-opt %s -split-input-file --mezzo-select-strategy=config=rows=99 2>&1 | FileCheck %s --check-prefix=LARGE
// RUN: not mezzo-opt %s -split-input-file --mezzo-select-strategy=config=chunk=128 2>&1 | FileCheck %s --check-prefix=CHUNK
// RUN: not mezzo-opt %s -split-input-file --mezzo-select-strategy=config=chunk=0,block=4096 2>&1 | FileCheck %s --check-prefix=NO-CHUNK
// RUN: not mezzo-opt %s -split-input-file --mezzo-select-strategy=config=strategy=dequant,rows=2 2>&1 | FileCheck %s --check-prefix=STRATEGY

// FORCED: remark: strategy native_dot for uint4/g32+zp in mode int
// FORCED-SAME: (forced)
// FORCED: mezzo.matmul {{.*}} config = <strategy = native_dot, rows = 2, groups = {{[0-9]+}}, unroll = 1,
// FORCED: mezzo.matmul {{.*}} config = <strategy = dequant, rows = 2, groups = {{[0-9]+}}, unroll = 1,
// NO-KNOB: error: has no knob 'columns': it has rows, groups, unroll
// WORD: error: has the knob 'rows=many': write a number, such as rows=4
// LARGE: error: the knob rows is 99: use 1..16
// CHUNK: error: a chunk of 128 columns: 16 bits hold the sums of 64 columns of these codes, use chunk=64 at most
// NO-CHUNK: remark: strategy native_dot for uint4/g32+zp in mode int: rows=4,{{.*}},block=4096,chunk=0 (forced)
// NO-CHUNK: remark: strategy dequant for uint4/g32+zp in mode float: rows=6,{{.*}},block=4096,chunk=0 (forced)
// NO-CHUNK: error: a chunk of 0 columns: look-ups are added up in 16 bits, use chunk=256
// STRATEGY: error: is not computed by strategy 'dequant' in mode int: use native_dot

// The mode decides the strategy. One weight that both products read has one layout.

// CHECK: mezzo.weight @w
// CHECK-SAME: packed = #mezzo.layout<"bit=[b:4, {{.*}}">
mezzo.weight @w {spec = "uint4/g32+zp", type = tensor<64x64x!mezzo.q<uint4>>, group = 32 : i64,
  data = dense<1> : tensor<2048xi8>, layout = #mezzo.layout<"bit=[b:4, k:2], line=[k@2:*], tile=[n:*]">,
  scales = dense<1.0> : tensor<64x2xf32>, offsets = dense<8> : tensor<64x2xi16>}

// CHECK-LABEL: func @modes
// CHECK: mezzo.matmul {{.*}} mode = int group = 32 config = <strategy = native_dot, rows = {{.*}}>
// CHECK: mezzo.matmul {{.*}} mode = float group = 32 config = <strategy = dequant, rows = {{.*}}>
func.func @modes(%x: tensor<?x64xf32>) -> (tensor<?x64xf32>, tensor<?x64xf32>) {
  %c, %s, %z = mezzo.load_weight @w : tensor<64x64x!mezzo.q<uint4>>, tensor<64x2xf32>, tensor<64x2xi16>
  // expected-remark @below {{strategy native_dot for uint4/g32+zp in mode int: rows=4,groups=2,unroll=2,streams=4,block=512,chunk=64}}
  %0 = mezzo.matmul %x, %c scales(%s) offsets(%z) mode = int group = 32
    : (tensor<?x64xf32>, tensor<64x64x!mezzo.q<uint4>>, tensor<64x2xf32>, tensor<64x2xi16>) -> tensor<?x64xf32>
  // expected-remark @below {{strategy dequant for uint4/g32+zp in mode float}}
  %1 = mezzo.matmul %x, %c scales(%s) offsets(%z) mode = float group = 32
    : (tensor<?x64xf32>, tensor<64x64x!mezzo.q<uint4>>, tensor<64x2xf32>, tensor<64x2xi16>) -> tensor<?x64xf32>
  return %0, %1 : tensor<?x64xf32>, tensor<?x64xf32>
}

// -----

// Codes of three bits lie in pieces.

// CHECK: mezzo.weight @three
// CHECK-SAME: packed = #mezzo.layout<"{{.*}}; {{.*}}; {{.*}}">
mezzo.weight @three {spec = "int3/ch", type = tensor<64x64x!mezzo.q<int3>>, group = 64 : i64,
  data = dense<1> : tensor<1536xi8>, layout = #mezzo.layout<"flat=[b:3, k:64, n:*]">, scales = dense<1.0> : tensor<64x1xf32>}

// CHECK-LABEL: func @three_bits
// CHECK: mezzo.matmul {{.*}} config = <strategy = dequant
func.func @three_bits(%x: tensor<1x64xf32>) -> tensor<1x64xf32> {
  %c, %s = mezzo.load_weight @three : tensor<64x64x!mezzo.q<int3>>, tensor<64x1xf32>
  // expected-remark @below {{strategy dequant for int3/ch in mode float}}
  %0 = mezzo.matmul %x, %c scales(%s) mode = float group = 64
    : (tensor<1x64xf32>, tensor<64x64x!mezzo.q<int3>>, tensor<64x1xf32>) -> tensor<1x64xf32>
  return %0 : tensor<1x64xf32>
}

// -----

func.func @computed_codes(%x: tensor<1x64xf32>, %c: tensor<64x64x!mezzo.q<int8>>, %s: tensor<64x1xf32>) -> tensor<1x64xf32> {
  // expected-error @below {{multiplies by codes that are computed at run time, which no strategy does yet: use a constant weight, or dequantize it}}
  %0 = mezzo.matmul %x, %c scales(%s) mode = float group = 64
    : (tensor<1x64xf32>, tensor<64x64x!mezzo.q<int8>>, tensor<64x1xf32>) -> tensor<1x64xf32>
  return %0 : tensor<1x64xf32>
}

// -----

// Tables want a layout of their own, which another mode cannot read.

mezzo.weight @two {spec = "int2/ch", type = tensor<64x64x!mezzo.q<int2>>, group = 64 : i64, data = dense<1> : tensor<1024xi8>,
  layout = #mezzo.layout<"bit=[b:2, k:4], line=[k@4:*], tile=[n:*]">, scales = dense<1.0> : tensor<64x1xf32>}
func.func @two_layouts(%x: tensor<1x64xf32>) -> (tensor<1x64xf32>, tensor<1x64xf32>) {
  %c, %s = mezzo.load_weight @two : tensor<64x64x!mezzo.q<int2>>, tensor<64x1xf32>
  // expected-remark @below {{strategy lut for int2/ch in mode lut8}}
  %0 = mezzo.matmul %x, %c scales(%s) mode = lut8 group = 64
    : (tensor<1x64xf32>, tensor<64x64x!mezzo.q<int2>>, tensor<64x1xf32>) -> tensor<1x64xf32>
  // expected-error @below {{reads two in mode `int`, which wants another layout than a product before it: give both one mode, or each a weight of its own}}
  %1 = mezzo.matmul %x, %c scales(%s) mode = int group = 64
    : (tensor<1x64xf32>, tensor<64x64x!mezzo.q<int2>>, tensor<64x1xf32>) -> tensor<1x64xf32>
  return %0, %1 : tensor<1x64xf32>, tensor<1x64xf32>
}

// -----

// Scales on two levels keep both, where they are known; where they came multiplied out, a remark says what that costs.

mezzo.weight @product {spec = "uint4/g32:u6^g64:f16", type = tensor<64x64x!mezzo.q<uint4>>, group = 32 : i64,
  data = dense<1> : tensor<2048xi8>, layout = #mezzo.layout<"bit=[b:4, k:2], line=[k@2:*], tile=[n:*]">,
  scales = dense<1.0> : tensor<64x2xf32>}

func.func @multiplied_out(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %c, %s = mezzo.load_weight @product : tensor<64x64x!mezzo.q<uint4>>, tensor<64x2xf32>
  // expected-remark @below {{strategy dequant}}
  // expected-remark @below {{scales of uint4/g32:u6^g64:f16 are stored as the f32 products of their two levels, since their factors are not known}}
  %y = mezzo.matmul %x, %c scales(%s) mode = float group = 32
    : (tensor<?x64xf32>, tensor<64x64x!mezzo.q<uint4>>, tensor<64x2xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

// A table that is looked up as bytes is one for all rows, and of whole numbers.

mezzo.weight @rows {spec = "codebook2/ch", type = tensor<2x8x!mezzo.q<codebook2>>, group = 8 : i64,
  data = dense<0> : tensor<4xi8>, layout = #mezzo.layout<"bit=[b:2, k:4], line=[k@4:*], tile=[n:*]">,
  scales = dense<1.0> : tensor<2x1xf32>, codebook = dense<1.0> : tensor<2x4xf32>}

func.func @table_per_row(%x: tensor<?x8xf32>) -> tensor<?x2xf32> {
  %c, %s = mezzo.load_weight @rows : tensor<2x8x!mezzo.q<codebook2>>, tensor<2x1xf32>
  // expected-error @below {{has a code book for each row in mode `int`, which takes one for all: use mode `float`}}
  %y = mezzo.matmul %x, %c scales(%s) mode = int group = 8
    : (tensor<?x8xf32>, tensor<2x8x!mezzo.q<codebook2>>, tensor<2x1xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

mezzo.weight @thirds {spec = "codebook2/ch", type = tensor<2x8x!mezzo.q<codebook2>>, group = 8 : i64,
  data = dense<0> : tensor<4xi8>, layout = #mezzo.layout<"bit=[b:2, k:4], line=[k@4:*], tile=[n:*]">,
  scales = dense<1.0> : tensor<2x1xf32>, codebook = dense<[0.0, 0.333, 0.667, 1.0]> : tensor<4xf32>}

func.func @fractions(%x: tensor<?x8xf32>) -> tensor<?x2xf32> {
  %c, %s = mezzo.load_weight @thirds : tensor<2x8x!mezzo.q<codebook2>>, tensor<2x1xf32>
  // expected-error @below {{has codes of format codebook2 in mode `int`, which needs values that are whole numbers of one byte}}
  %y = mezzo.matmul %x, %c scales(%s) mode = int group = 8
    : (tensor<?x8xf32>, tensor<2x8x!mezzo.q<codebook2>>, tensor<2x1xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}
