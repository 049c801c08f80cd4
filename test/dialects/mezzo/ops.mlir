// Every type, attribute and op of the dialect, as it is read and printed.

// RUN: mezzo-opt %s | FileCheck %s
// RUN: mezzo-opt %s --mlir-print-op-generic | mezzo-opt | FileCheck %s

// Names of formats are words, or strings where they are more.

// CHECK-LABEL: func private @types
// CHECK-SAME: tensor<4x!mezzo.q<int3>>
// CHECK-SAME: tensor<4x!mezzo.q<ternary>>
// CHECK-SAME: tensor<4x!mezzo.q<e2m1>>
// CHECK-SAME: tensor<4x!mezzo.q<"float<3,2,3,finite>">>
// CHECK-SAME: memref<4x!mezzo.q<uint4>>
func.func private @types(tensor<4x!mezzo.q<int3>>, tensor<4x!mezzo.q<ternary>>, tensor<4x!mezzo.q<e2m1>>,
                         tensor<4x!mezzo.q<"float<3,2,3,finite>">>, memref<4x!mezzo.q<uint4>>)

// CHECK-LABEL: func private @attributes
// CHECK-SAME: config = #mezzo.config<strategy = native_dot, rows = 4, groups = 2, unroll = 2, streams = 2, block = 64, chunk = 32>
// CHECK-SAME: layout = #mezzo.layout<"bit=[b:4, k:2], line=[k@2:*], tile=[n:*]">
func.func private @attributes() attributes {
  config = #mezzo.config<strategy = native_dot, rows = 4, groups = 2, unroll = 2, streams = 2, block = 64, chunk = 32>,
  layout = #mezzo.layout<"bit=[b:4, k:2], line=[k@2:*], tile=[n:*]">}

//===------------------------------------------------------------------------===//
// What a model says
//===------------------------------------------------------------------------===//

// CHECK: mezzo.weight @plain {data = dense<{{.*}}> : tensor<2x2xf32>, type = tensor<2x2xf32>}
mezzo.weight @plain {type = tensor<2x2xf32>, data = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>}

// CHECK: mezzo.weight @w
// CHECK-SAME: group = 4 : i64
// CHECK-SAME: spec = "uint4/g4+zp"
// CHECK-SAME: type = tensor<2x8x!mezzo.q<uint4>>
mezzo.weight @w {spec = "uint4/g4+zp", type = tensor<2x8x!mezzo.q<uint4>>, group = 4 : i64,
  data = dense<[1, 2, 3, 4, 5, 6, 7, 8]> : tensor<8xi8>,
  layout = #mezzo.layout<"bit=[b:4, k:2], line=[k@2:*], tile=[n:*]">,
  scales = dense<[[1.0, 2.0], [0.5, 0.25]]> : tensor<2x2xf32>, offsets = dense<8> : tensor<2x2xi16>,
  permutation = dense<[7, 6, 5, 4, 3, 2, 1, 0]> : tensor<8xi32>}

// CHECK-LABEL: func @load_weight
// CHECK: mezzo.load_weight @plain : tensor<2x2xf32>
// CHECK: mezzo.load_weight @w : tensor<2x8x!mezzo.q<uint4>>, tensor<2x2xf32>, tensor<2x2xi16>, tensor<8xi32>
func.func @load_weight() -> (tensor<2x2xf32>, tensor<2x8x!mezzo.q<uint4>>) {
  %p = mezzo.load_weight @plain : tensor<2x2xf32>
  %c, %s, %z, %o = mezzo.load_weight @w
    : tensor<2x8x!mezzo.q<uint4>>, tensor<2x2xf32>, tensor<2x2xi16>, tensor<8xi32>
  return %p, %c : tensor<2x2xf32>, tensor<2x8x!mezzo.q<uint4>>
}

// Codes of at most eight bits may be loaded as bytes.

// CHECK-LABEL: func @load_bytes
// CHECK: mezzo.load_weight @w : tensor<2x8xi8>, tensor<2x2xf32>, tensor<2x2xi16>, tensor<8xi32>
func.func @load_bytes() -> tensor<2x8xi8> {
  %c, %s, %z, %o = mezzo.load_weight @w : tensor<2x8xi8>, tensor<2x2xf32>, tensor<2x2xi16>, tensor<8xi32>
  return %c : tensor<2x8xi8>
}

// One scale, one scale per slice of an axis, one scale per block. The default axis 0 and block 0 are not printed.

// CHECK-LABEL: func @quantize
// CHECK: mezzo.quantize %{{.*}} scales(%{{.*}}) : (tensor<4x64xf32>, tensor<f32>) -> tensor<4x64x!mezzo.q<int8>>
// CHECK: mezzo.quantize %{{.*}} scales(%{{.*}}) zeros(%{{.*}}) axis = 1 :
// CHECK: mezzo.quantize %{{.*}} scales(%{{.*}}) axis = 1 block = 32 :
func.func @quantize(%x: tensor<4x64xf32>, %s: tensor<f32>, %v: tensor<64xf32>, %z: tensor<64x!mezzo.q<uint8>>,
                    %b: tensor<4x2xf32>)
    -> (tensor<4x64x!mezzo.q<int8>>, tensor<4x64x!mezzo.q<uint8>>, tensor<4x64x!mezzo.q<int4>>) {
  %0 = mezzo.quantize %x scales(%s) : (tensor<4x64xf32>, tensor<f32>) -> tensor<4x64x!mezzo.q<int8>>
  %1 = mezzo.quantize %x scales(%v) zeros(%z) axis = 1
    : (tensor<4x64xf32>, tensor<64xf32>, tensor<64x!mezzo.q<uint8>>) -> tensor<4x64x!mezzo.q<uint8>>
  %2 = mezzo.quantize %x scales(%b) axis = 1 block = 32
    : (tensor<4x64xf32>, tensor<4x2xf32>) -> tensor<4x64x!mezzo.q<int4>>
  return %0, %1, %2 : tensor<4x64x!mezzo.q<int8>>, tensor<4x64x!mezzo.q<uint8>>, tensor<4x64x!mezzo.q<int4>>
}

// CHECK-LABEL: func @dequantize
// CHECK: mezzo.dequantize %{{.*}} scales(%{{.*}}) block = 32 :
// CHECK: mezzo.dequantize %{{.*}} scales(%{{.*}}) zeros(%{{.*}}) :
func.func @dequantize(%q: tensor<?x64x!mezzo.q<int4>>, %b: tensor<8x64xf16>, %c: tensor<4xi32>, %s: tensor<f32>,
                      %z: tensor<i32>) -> (tensor<?x64xf16>, tensor<4xf32>) {
  %0 = mezzo.dequantize %q scales(%b) block = 32 : (tensor<?x64x!mezzo.q<int4>>, tensor<8x64xf16>) -> tensor<?x64xf16>
  %1 = mezzo.dequantize %c scales(%s) zeros(%z) : (tensor<4xi32>, tensor<f32>, tensor<i32>) -> tensor<4xf32>
  return %0, %1 : tensor<?x64xf16>, tensor<4xf32>
}

// CHECK-LABEL: func @matmul
// CHECK: mezzo.matmul %{{.*}}, %{{.*}} scales(%{{.*}}) mode = float group = 64 :
// CHECK: mezzo.matmul %{{.*}}, %{{.*}} scales(%{{.*}}) offsets(%{{.*}}) permutation(%{{.*}}) bias(%{{.*}}) mode = int
// CHECK-SAME: group = 48
// CHECK-SAME: config = <strategy = native_dot, rows = 1, groups = 2, unroll = 2, streams = 1, block = 48, chunk = 16> :
func.func @matmul(%x: tensor<?x64xf32>, %c: tensor<8x64x!mezzo.q<uint4>>, %one: tensor<8x1xf32>, %s: tensor<8x2xf32>,
                  %z: tensor<8x2xi16>, %p: tensor<64xi32>, %b: tensor<8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %0 = mezzo.matmul %x, %c scales(%one) mode = float group = 64
    : (tensor<?x64xf32>, tensor<8x64x!mezzo.q<uint4>>, tensor<8x1xf32>) -> tensor<?x8xf32>
  // 64 columns in groups of 48: the second is shorter.
  %1 = mezzo.matmul %x, %c scales(%s) offsets(%z) permutation(%p) bias(%b) mode = int group = 48
    config = <strategy = native_dot, rows = 1, groups = 2, unroll = 2, streams = 1, block = 48, chunk = 16>
    : (tensor<?x64xf32>, tensor<8x64x!mezzo.q<uint4>>, tensor<8x2xf32>, tensor<8x2xi16>, tensor<64xi32>, tensor<8xf32>)
    -> tensor<?x8xf32>
  return %0, %1 : tensor<?x8xf32>, tensor<?x8xf32>
}

// CHECK-LABEL: func @rows
// CHECK: mezzo.softmax %{{.*}} : (tensor<?x100xf32>) -> tensor<?x100xf32>
// CHECK: mezzo.layer_norm %{{.*}}, %{{.*}} epsilon = {{.*}} :
// CHECK: mezzo.layer_norm %{{.*}}, %{{.*}} bias(%{{.*}}) epsilon = {{.*}} :
// CHECK: mezzo.rms_norm %{{.*}}, %{{.*}} epsilon = {{.*}} :
func.func @rows(%x: tensor<?x100xf32>, %s: tensor<100xf32>, %b: tensor<100xf32>) -> tensor<?x100xf32> {
  %0 = mezzo.softmax %x : (tensor<?x100xf32>) -> tensor<?x100xf32>
  %1 = mezzo.layer_norm %0, %s epsilon = 1.0e-5 : (tensor<?x100xf32>, tensor<100xf32>) -> tensor<?x100xf32>
  %2 = mezzo.layer_norm %1, %s bias(%b) epsilon = 1.0e-5
    : (tensor<?x100xf32>, tensor<100xf32>, tensor<100xf32>) -> tensor<?x100xf32>
  %3 = mezzo.rms_norm %2, %s epsilon = 0.0 : (tensor<?x100xf32>, tensor<100xf32>) -> tensor<?x100xf32>
  return %3 : tensor<?x100xf32>
}

//===------------------------------------------------------------------------===//
// What was decided
//===------------------------------------------------------------------------===//

// CHECK: mezzo.weight @packed
// CHECK-SAME: packed = #mezzo.layout<"
// CHECK-SAME: place = 128 : i64
mezzo.weight @packed {spec = "int8/ch", type = tensor<2x4x!mezzo.q<int8>>, group = 4 : i64,
  data = dense<[1, 2, 3, 4, 5, 6, 7, 8]> : tensor<8xi8>, layout = #mezzo.layout<"bit=[b:8], line=[k:*], tile=[n:*]">,
  scales = dense<1.0> : tensor<2x1xf32>,
  packed = #mezzo.layout<"bit=[b:8], lane=[k:4, n:8], step=[n@8:2, k@4:*], panel=[g:*, n@16:*]">,
  place = 128 : i64}

// 6 columns in groups of 5: each group is padded to 8 codes, and a row to whole lines of 64 bytes. Two chunks of 4 columns
// in each group.

// CHECK-LABEL: func @packed_product
// CHECK: mezzo.load_packed @packed : tensor<128xi8>
// CHECK: mezzo.quantize_rows %{{.*}} group = 4 :
// CHECK: mezzo.quantize_rows %{{.*}} group = 5 chunk = 4 :
// CHECK-SAME: (tensor<?x6xf32>) -> (tensor<?x64xi8>, tensor<?xf32>, tensor<?x2xi32>, tensor<?x4xi32>)
// CHECK: mezzo.packed_matmul(%{{.*}}, %{{.*}}, %{{.*}}), %{{.*}} {
// CHECK-SAME: scale_type = f32
// CHECK: mezzo.packed_matmul(%{{.*}}), %{{.*}} permutation(%{{.*}}) bias(%{{.*}}) {
// CHECK-SAME: offset_type = i8
// CHECK-SAME: scale_type = f16
func.func @packed_product(%x: tensor<?x4xf32>, %y: tensor<?x6xf32>, %p: tensor<4xi32>, %b: tensor<2xf32>)
    -> (tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x64xi8>) {
  %w = mezzo.load_packed @packed : tensor<128xi8>
  %a, %as, %sums = mezzo.quantize_rows %x group = 4
    : (tensor<?x4xf32>) -> (tensor<?x64xi8>, tensor<?xf32>, tensor<?x1xi32>)
  %d, %ds, %dsums, %pairs = mezzo.quantize_rows %y group = 5 chunk = 4
    : (tensor<?x6xf32>) -> (tensor<?x64xi8>, tensor<?xf32>, tensor<?x2xi32>, tensor<?x4xi32>)
  %0 = mezzo.packed_matmul(%a, %as, %sums), %w {
      format = "int8", layout = #mezzo.layout<"bit=[b:8], lane=[k:4, n:8], step=[n@8:2, k@4:*], panel=[g:*, n@16:*]">,
      scale_type = f32, mode = 1 : i32,
      config = #mezzo.config<strategy = native_dot, rows = 4, groups = 2, unroll = 2, streams = 2, block = 64, chunk = 0>,
      rows = 2 : i64, columns = 4 : i64, group = 4 : i64}
    : (tensor<?x64xi8>, tensor<?xf32>, tensor<?x1xi32>, tensor<128xi8>) -> tensor<?x2xf32>
  %1 = mezzo.packed_matmul(%x), %w permutation(%p) bias(%b) {
      format = "int8", layout = #mezzo.layout<"bit=[b:8], lane=[k:4, n:8], step=[n@8:2, k@4:*], panel=[g:*, n@16:*]">,
      scale_type = f16, offset_type = i8, mode = 0 : i32,
      config = #mezzo.config<strategy = dequant, rows = 4, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 0>,
      rows = 2 : i64, columns = 4 : i64, group = 4 : i64}
    : (tensor<?x4xf32>, tensor<128xi8>, tensor<4xi32>, tensor<2xf32>) -> tensor<?x2xf32>
  return %0, %1, %d : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x64xi8>
}

//===------------------------------------------------------------------------===//
// What runs
//===------------------------------------------------------------------------===//

func.func private @kernel(memref<?x4xf32>, index, memref<?x4xf32>, index, index)

// CHECK-LABEL: func @launch_tensors
// CHECK: mezzo.launch @kernel count(%{{.*}}) grain = 8 ins(%{{.*}}, %{{.*}} : tensor<?x4xf32>, index)
// CHECK-SAME: outs(%{{.*}} : tensor<?x4xf32>) -> tensor<?x4xf32>
func.func @launch_tensors(%x: tensor<?x4xf32>, %init: tensor<?x4xf32>, %n: index) -> tensor<?x4xf32> {
  %y = mezzo.launch @kernel count(%n) grain = 8 ins(%x, %n : tensor<?x4xf32>, index) outs(%init : tensor<?x4xf32>)
    -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// CHECK-LABEL: func @launch_buffers
// CHECK: mezzo.launch @kernel count(%{{.*}}) grain = 1 ins(%{{.*}}, %{{.*}} : memref<?x4xf32>, index)
// CHECK-SAME: outs(%{{.*}} : memref<?x4xf32>){{$}}
func.func @launch_buffers(%x: memref<?x4xf32>, %y: memref<?x4xf32>, %n: index) {
  mezzo.launch @kernel count(%n) grain = 1 ins(%x, %n : memref<?x4xf32>, index) outs(%y : memref<?x4xf32>)
  return
}

func.func private @fill(memref<4xf32>, index, index)

// CHECK-LABEL: func @launch_without_inputs
// CHECK: mezzo.launch @fill count(%{{.*}}) grain = 1 ins() outs(%{{.*}} : memref<4xf32>)
func.func @launch_without_inputs(%y: memref<4xf32>, %n: index) {
  mezzo.launch @fill count(%n) grain = 1 ins() outs(%y : memref<4xf32>)
  return
}

// CHECK-LABEL: func @frame
// CHECK: mezzo.check %{{.*}}, "index out of range"
// CHECK: mezzo.weight_view 64 : memref<4x8xf32>
// CHECK: mezzo.arena : memref<?xi8>
// CHECK: mezzo.alloc %{{.*}} : memref<?xi8>
func.func @frame(%ok: i1, %bytes: index) -> (memref<4x8xf32>, memref<?xi8>, memref<?xi8>) {
  mezzo.check %ok, "index out of range"
  %w = mezzo.weight_view 64 : memref<4x8xf32>
  %a = mezzo.arena : memref<?xi8>
  %m = mezzo.alloc %bytes : memref<?xi8>
  return %w, %a, %m : memref<4x8xf32>, memref<?xi8>, memref<?xi8>
}

// CHECK-LABEL: func @looked_up_product
// CHECK: mezzo.lut_build %{{.*}} group = 4 : (tensor<?x6xf32>)
// CHECK-SAME: -> (tensor<?x64xi8>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>)
// CHECK: mezzo.packed_matmul(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}), %{{.*}} {
// CHECK-SAME: mode = 2 : i32
func.func @looked_up_product(%x: tensor<?x6xf32>, %w: tensor<640xi8>) -> tensor<?x2xf32> {
  %t, %s, %n, %a = mezzo.lut_build %x group = 4
    : (tensor<?x6xf32>) -> (tensor<?x64xi8>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>)
  %y = mezzo.packed_matmul(%t, %s, %n, %a), %w {
      format = "int2", layout = #mezzo.layout<"bit=[k:4, n@16:2], lane=[b:2, n:16], line=[n@32:2], step=[k@4:*], group=[g:*], panel=[n@64:*]">,
      scale_type = f32, mode = 2 : i32,
      config = #mezzo.config<strategy = lut, rows = 4, groups = 2, unroll = 4, streams = 2, block = 64, chunk = 64>,
      rows = 2 : i64, columns = 6 : i64, group = 4 : i64}
    : (tensor<?x64xi8>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<640xi8>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// Activations that are codes: quantized dynamically, read with scales and zero points, summed without any.

// CHECK-LABEL: func @coded_product
// CHECK: mezzo.dynamic_quantize %{{.*}} : (tensor<?x4xf32>) -> (tensor<?x4x!mezzo.q<uint8>>, tensor<f32>, tensor<!mezzo.q<uint8>>)
// CHECK: mezzo.matmul %{{.*}} by(%{{.*}}) less(%{{.*}}), %{{.*}} scales(%{{.*}}) mode = int group = 4 :
// CHECK: mezzo.matmul %{{.*}} by(%{{.*}}), %{{.*}} scales(%{{.*}}) mode = int group = 4 : {{.*}} -> tensor<?x3xi32>
// CHECK: mezzo.matmul %{{.*}}, %{{.*}} scales(%{{.*}}) mode = int group = 4 block = 2 :
// CHECK: mezzo.arrange_rows %{{.*}} group = 4 chunk = 8 centre = 3 :
func.func @coded_product(%x: tensor<?x4xf32>, %q: tensor<?x4xi8>, %s: tensor<?xf32>, %z: tensor<?xi32>,
    %w: tensor<3x4x!mezzo.q<int8>>, %t: tensor<3x1xf32>)
    -> (tensor<?x4x!mezzo.q<uint8>>, tensor<?x3xf32>, tensor<?x3xi32>, tensor<?x3xf32>, tensor<?x64xi8>) {
  %d, %ds, %dz = mezzo.dynamic_quantize %x
    : (tensor<?x4xf32>) -> (tensor<?x4x!mezzo.q<uint8>>, tensor<f32>, tensor<!mezzo.q<uint8>>)
  %0 = mezzo.matmul %q by(%s) less(%z), %w scales(%t) mode = int group = 4
    : (tensor<?x4xi8>, tensor<?xf32>, tensor<?xi32>, tensor<3x4x!mezzo.q<int8>>, tensor<3x1xf32>) -> tensor<?x3xf32>
  %1 = mezzo.matmul %q by(%s), %w scales(%t) mode = int group = 4
    : (tensor<?x4xi8>, tensor<?xf32>, tensor<3x4x!mezzo.q<int8>>, tensor<3x1xf32>) -> tensor<?x3xi32>
  %2 = mezzo.matmul %x, %w scales(%t) mode = int group = 4 block = 2
    : (tensor<?x4xf32>, tensor<3x4x!mezzo.q<int8>>, tensor<3x1xf32>) -> tensor<?x3xf32>
  %c, %sums, %pairs = mezzo.arrange_rows %q group = 4 chunk = 8 centre = 3
    : (tensor<?x4xi8>) -> (tensor<?x64xi8>, tensor<?x1xi32>, tensor<?x1xi32>)
  return %d, %0, %1, %2, %c : tensor<?x4x!mezzo.q<uint8>>, tensor<?x3xf32>, tensor<?x3xi32>, tensor<?x3xf32>, tensor<?x64xi8>
}

//===------------------------------------------------------------------------===//
// Windows
//===------------------------------------------------------------------------===//

// CHECK-LABEL: func @dense
// CHECK: mezzo.dense_matmul
func.func @dense(%x: tensor<8x?x64xf32>, %w: tensor<1x64x48xf32>) -> tensor<8x?x48xf32> {
  %0 = mezzo.dense_matmul %x, %w : (tensor<8x?x64xf32>, tensor<1x64x48xf32>) -> tensor<8x?x48xf32>
  return %0 : tensor<8x?x48xf32>
}

// CHECK-LABEL: func @windows
// CHECK: mezzo.conv %{{.*}}, %{{.*}} bias(%{{.*}}) kernel(%{{.*}}, %{{.*}}) pads(%{{.*}}, %{{.*}}) init(%{{.*}}) strides = [1, 1] dilations = [1, 1] groups = 1
// CHECK: mezzo.pool average %{{.*}} kernel(%{{.*}}, %{{.*}}) pads(%{{.*}}, %{{.*}}) margins(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) init(%{{.*}}) strides = [2, 2] dilations = [1, 1]
// CHECK: mezzo.sized %{{.*}}[%{{.*}}] : tensor<?x16x4x4xf32>
func.func @windows(%x: tensor<?x8x8x8xf32>, %w: tensor<16x72xf32>, %b: tensor<16xf32>, %y: tensor<?x16x8x8xf32>,
                   %z: tensor<?x16x4x4xf32>, %n: index) -> tensor<?x16x4x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %0 = mezzo.conv %x, %w bias(%b) kernel(%c3, %c3) pads(%c1, %c1) init(%y) strides = [1, 1] dilations = [1, 1] groups = 1
    : (tensor<?x8x8x8xf32>, tensor<16x72xf32>, tensor<16xf32>, index, index, index, index, tensor<?x16x8x8xf32>)
    -> tensor<?x16x8x8xf32>
  %1 = mezzo.pool average %0 kernel(%c2, %c2) pads(%c0, %c0) margins(%c0, %c0, %c0, %c0) init(%z) strides = [2, 2]
    dilations = [1, 1]
    : (tensor<?x16x8x8xf32>, index, index, index, index, index, index, index, index, tensor<?x16x4x4xf32>)
    -> tensor<?x16x4x4xf32>
  %2 = mezzo.sized %1[%n] : tensor<?x16x4x4xf32>
  return %2 : tensor<?x16x4x4xf32>
}
// CHECK-LABEL: func @sums_of_groups
// CHECK: mezzo.group_sums %{{.*}} group = 32 : (tensor<?x256xf32>) -> tensor<?x8xf32>
func.func @sums_of_groups(%x: tensor<?x256xf32>) -> tensor<?x8xf32> {
  %s = mezzo.group_sums %x group = 32 : (tensor<?x256xf32>) -> tensor<?x8xf32>
  return %s : tensor<?x8xf32>
}

// Scales and minima of six bits that count in factors of super-blocks. A load gives the numbers that they stand for.

// CHECK: mezzo.weight @k_quant
// CHECK-SAME: super = 8 : i64
mezzo.weight @k_quant {spec = "uint4/g4:u6^g8:f16+min:u6^g8:f16", type = tensor<2x16x!mezzo.q<uint4>>, group = 4 : i64,
  data = dense<0> : tensor<16xi8>, layout = #mezzo.layout<"bit=[b:4, k:2], line=[k@2:*], tile=[n:*]">,
  scales = dense<1> : tensor<2x4xui8>, offsets = dense<1> : tensor<2x4xui8>, super = 8 : i64,
  super_scales = dense<1.0> : tensor<2x2xf16>, super_offsets = dense<-1.0> : tensor<2x2xf16>}

// CHECK-LABEL: func @two_levels
// CHECK: mezzo.load_weight @k_quant : tensor<2x16x!mezzo.q<uint4>>, tensor<2x4xf32>, tensor<2x4xf32>
// CHECK: mezzo.matmul {{.*}} mode = float group = 4 {minima}
func.func @two_levels(%x: tensor<?x16xf32>) -> tensor<?x2xf32> {
  %q, %s, %m = mezzo.load_weight @k_quant : tensor<2x16x!mezzo.q<uint4>>, tensor<2x4xf32>, tensor<2x4xf32>
  %y = mezzo.matmul %x, %q scales(%s) offsets(%m) mode = float group = 4 {minima}
    : (tensor<?x16xf32>, tensor<2x16x!mezzo.q<uint4>>, tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// CHECK: mezzo.weight @table
// CHECK-SAME: codebook = dense<{{.*}}> : tensor<4xf32>
mezzo.weight @table {spec = "codebook2/g8:e8m0", type = tensor<2x8x!mezzo.q<codebook2>>, group = 8 : i64,
  data = dense<0> : tensor<4xi8>, layout = #mezzo.layout<"bit=[b:2, k:4], line=[k@4:*], tile=[n:*]">,
  scales = dense<1.0> : tensor<2x1xf8E8M0FNU>, codebook = dense<[-1.0, -0.25, 0.25, 1.0]> : tensor<4xf32>}
