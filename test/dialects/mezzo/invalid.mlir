// What the verifiers refuse, and what they say.

// RUN: mezzo-opt %s -split-input-file -verify-diagnostics

//===------------------------------------------------------------------------===//
// Types and attributes
//===------------------------------------------------------------------------===//

// expected-error @below {{'int9' is not a format: 9 bits; it has 1 to 8, or 16}}
func.func private @no_format(tensor<4x!mezzo.q<int9>>)

// -----

// expected-error @below {{layout: axis k: nothing places k@2, the next digit is k@3}}
func.func private @no_layout() attributes {layout = #mezzo.layout<"bit=[b:4, k:2], line=[k@3:*], tile=[n:*]">}

// -----

// expected-error @+2 {{the knob rows is 17: use 1..16}}
func.func private @too_many_rows() attributes {
  config = #mezzo.config<strategy = native_dot, rows = 17, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 0>}

// -----

// expected-error @+2 {{the knob groups is 0: use 1..8}}
func.func private @no_groups() attributes {
  config = #mezzo.config<strategy = native_dot, rows = 1, groups = 0, unroll = 1, streams = 1, block = 64, chunk = 0>}

// -----

// expected-error @+2 {{the knob unroll is 9: use 1..8}}
func.func private @unrolled_too_often() attributes {
  config = #mezzo.config<strategy = native_dot, rows = 1, groups = 2, unroll = 9, streams = 1, block = 64, chunk = 0>}

// -----

// expected-error @+2 {{the knob streams is 5: use 1..4}}
func.func private @too_many_streams() attributes {
  config = #mezzo.config<strategy = native_dot, rows = 1, groups = 2, unroll = 1, streams = 5, block = 64, chunk = 0>}

// -----

// expected-error @+2 {{the knob block is 0: use 4..4096}}
func.func private @no_block() attributes {
  config = #mezzo.config<strategy = native_dot, rows = 1, groups = 2, unroll = 1, streams = 1, block = 0, chunk = 0>}

// -----

// expected-error @+2 {{the knob chunk is 8192: use 0..4096}}
func.func private @long_chunk() attributes {
  config = #mezzo.config<strategy = native_dot, rows = 1, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 8192>}

// -----

// expected-error @+2 {{a block of 64 and a chunk of 6 columns: use multiples of 4}}
func.func private @half_a_step() attributes {
  config = #mezzo.config<strategy = native_dot, rows = 1, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 6>}

// -----

// expected-error @+2 {{a block of 64 columns is cut by chunks of 48: use a multiple of the chunk}}
func.func private @block_of_half_chunks() attributes {
  config = #mezzo.config<strategy = native_dot, rows = 1, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 48>}

// -----

//===------------------------------------------------------------------------===//
// weight
//===------------------------------------------------------------------------===//

// expected-error @below {{'mezzo.weight' op has the type 'tensor<?x2xf32>': a weight needs a static shape}}
mezzo.weight @dynamic {type = tensor<?x2xf32>, data = dense<1.0> : tensor<2x2xf32>}

// -----

// expected-error @below {{'mezzo.weight' op is plain, but has scales, offsets}}
mezzo.weight @plain_with_scales {type = tensor<2x2xf32>, data = dense<1.0> : tensor<2x2xf32>,
  scales = dense<1.0> : tensor<2x1xf32>}

// -----

// expected-error @below {{'mezzo.weight' op has a spec, so its type must be a matrix of codes [N, K], not 'tensor<2x2xf32>'}}
mezzo.weight @spec_without_codes {spec = "int8", type = tensor<2x2xf32>, data = dense<1.0> : tensor<2x2xf32>}

// -----

// expected-error @below {{'mezzo.weight' op has a spec, so its type must be a matrix of codes [N, K], not 'tensor<4x!mezzo.q<int8>>'}}
mezzo.weight @no_matrix {spec = "int8", type = tensor<4x!mezzo.q<int8>>, data = dense<1> : tensor<4xi8>}

// -----

// expected-error @below {{'mezzo.weight' op quantization spec 'int8/g0': 'g0' is not a group: a block has at least one element}}
mezzo.weight @unreadable_spec {spec = "int8/g0", type = tensor<2x4x!mezzo.q<int8>>, data = dense<1> : tensor<8xi8>}

// -----

// expected-error @below {{'mezzo.weight' op has the spec int8/ch, but its codes are '!mezzo.q<uint8>'}}
mezzo.weight @other_format {spec = "int8/ch", type = tensor<2x4x!mezzo.q<uint8>>, data = dense<1> : tensor<8xi8>}

// -----

// expected-error @below {{'mezzo.weight' op is quantized and needs `group`, `layout` and `scales`}}
mezzo.weight @no_scales {spec = "int8/ch", type = tensor<2x4x!mezzo.q<int8>>, data = dense<1> : tensor<8xi8>,
  group = 4 : i64, layout = #mezzo.layout<"bit=[b:8], line=[k:*], tile=[n:*]">}

// -----

// expected-error @below {{'mezzo.weight' op has a group of 0 columns: at least 1 is needed}}
mezzo.weight @empty_group {spec = "int8/ch", type = tensor<2x4x!mezzo.q<int8>>, data = dense<1> : tensor<8xi8>,
  group = 0 : i64, layout = #mezzo.layout<"bit=[b:8], line=[k:*], tile=[n:*]">, scales = dense<1.0> : tensor<2x1xf32>}

// -----

// 4 columns in groups of 3 are two groups.

// expected-error @below {{'mezzo.weight' op scales have shape 'tensor<2x1xf32>', but [2, 2] is needed, one per row and group}}
mezzo.weight @too_few_scales {spec = "int8/g3", type = tensor<2x4x!mezzo.q<int8>>, data = dense<1> : tensor<8xi8>,
  group = 3 : i64, layout = #mezzo.layout<"bit=[b:8], line=[k:*], tile=[n:*]">, scales = dense<1.0> : tensor<2x1xf32>}

// -----

// expected-error @below {{'mezzo.weight' op offsets have shape 'tensor<1x2xi16>', but [2, 2] is needed, one per row and group}}
mezzo.weight @too_few_offsets {spec = "int8/g3+zp", type = tensor<2x4x!mezzo.q<int8>>, data = dense<1> : tensor<8xi8>,
  group = 3 : i64, layout = #mezzo.layout<"bit=[b:8], line=[k:*], tile=[n:*]">, scales = dense<1.0> : tensor<2x2xf32>,
  offsets = dense<1> : tensor<1x2xi16>}

// -----

// expected-error @below {{'mezzo.weight' op has a permutation of 'tensor<3xi32>', but 4 columns}}
mezzo.weight @short_permutation {spec = "int8/ch", type = tensor<2x4x!mezzo.q<int8>>, data = dense<1> : tensor<8xi8>,
  group = 4 : i64, layout = #mezzo.layout<"bit=[b:8], line=[k:*], tile=[n:*]">, scales = dense<1.0> : tensor<2x1xf32>,
  permutation = dense<[2, 1, 0]> : tensor<3xi32>}

// -----

// expected-error @below {{'mezzo.weight' op is unsorted, but has no `permutation` to sort it by}}
mezzo.weight @no_order {spec = "int8/ch", type = tensor<2x4x!mezzo.q<int8>>, data = dense<1> : tensor<8xi8>,
  group = 4 : i64, layout = #mezzo.layout<"bit=[b:8], line=[k:*], tile=[n:*]">, scales = dense<1.0> : tensor<2x1xf32>,
  unsorted}

// -----

//===------------------------------------------------------------------------===//
// load_weight, load_packed
//===------------------------------------------------------------------------===//

func.func private @not_a_weight()
func.func @load_of_a_function() -> tensor<2x2xf32> {
  // expected-error @below {{'mezzo.load_weight' op refers to @not_a_weight, which is no `mezzo.weight` of this module}}
  %w = mezzo.load_weight @not_a_weight : tensor<2x2xf32>
  return %w : tensor<2x2xf32>
}

// -----

mezzo.weight @w {type = tensor<2x2xf32>, data = dense<1.0> : tensor<2x2xf32>}
func.func @load_of_another_type() -> tensor<2x3xf32> {
  // expected-error @below {{'mezzo.load_weight' op loads the types 'tensor<2x3xf32>', but @w is 'tensor<2x2xf32>'}}
  %w = mezzo.load_weight @w : tensor<2x3xf32>
  return %w : tensor<2x3xf32>
}

// -----

mezzo.weight @w {spec = "int8/ch", type = tensor<2x4x!mezzo.q<int8>>, data = dense<1> : tensor<8xi8>, group = 4 : i64,
  layout = #mezzo.layout<"bit=[b:8], line=[k:*], tile=[n:*]">, scales = dense<1.0> : tensor<2x1xf32>}
func.func @load_without_scales() -> tensor<2x4x!mezzo.q<int8>> {
  // expected-error @below {{loads the types 'tensor<2x4x!mezzo.q<int8>>', but @w is 'tensor<2x4x!mezzo.q<int8>>', 'tensor<2x1xf32>'}}
  %w = mezzo.load_weight @w : tensor<2x4x!mezzo.q<int8>>
  return %w : tensor<2x4x!mezzo.q<int8>>
}

// -----

func.func @load_of_nothing() -> tensor<64xi8> {
  // expected-error @below {{'mezzo.load_packed' op refers to @nothing, which is no `mezzo.weight` of this module}}
  %w = mezzo.load_packed @nothing : tensor<64xi8>
  return %w : tensor<64xi8>
}

// -----

mezzo.weight @w {type = tensor<2x2xf32>, data = dense<1.0> : tensor<2x2xf32>}
func.func @load_of_a_weight_without_a_place() -> tensor<64xi8> {
  // expected-error @below {{'mezzo.load_packed' op loads @w, which has no packed layout yet: run mezzo-pack-weights}}
  %w = mezzo.load_packed @w : tensor<64xi8>
  return %w : tensor<64xi8>
}

// -----

//===------------------------------------------------------------------------===//
// quantize, dequantize
//===------------------------------------------------------------------------===//

func.func @quantize_to_another_shape(%x: tensor<4x64xf32>, %s: tensor<f32>) -> tensor<4x32x!mezzo.q<int8>> {
  // expected-error @below {{'mezzo.quantize' op maps 'tensor<4x64xf32>' to 'tensor<4x32x!mezzo.q<int8>>': the shapes must be equal}}
  %q = mezzo.quantize %x scales(%s) : (tensor<4x64xf32>, tensor<f32>) -> tensor<4x32x!mezzo.q<int8>>
  return %q : tensor<4x32x!mezzo.q<int8>>
}

// -----

func.func @dequantize_to_another_shape(%q: tensor<4x64x!mezzo.q<int8>>, %s: tensor<f32>) -> tensor<4x32xf32> {
  // expected-error @below {{'mezzo.dequantize' op maps 'tensor<4x64x!mezzo.q<int8>>' to 'tensor<4x32xf32>': the shapes must be equal}}
  %x = mezzo.dequantize %q scales(%s) : (tensor<4x64x!mezzo.q<int8>>, tensor<f32>) -> tensor<4x32xf32>
  return %x : tensor<4x32xf32>
}

// -----

func.func @zeros_of_another_shape(%q: tensor<4x64x!mezzo.q<int8>>, %s: tensor<4xf32>, %z: tensor<i8>) -> tensor<4x64xf32> {
  // expected-error @below {{has zero points of type 'tensor<i8>' beside scales of type 'tensor<4xf32>': their shapes must be equal}}
  %x = mezzo.dequantize %q scales(%s) zeros(%z)
    : (tensor<4x64x!mezzo.q<int8>>, tensor<4xf32>, tensor<i8>) -> tensor<4x64xf32>
  return %x : tensor<4x64xf32>
}

// -----

func.func @vector_of_scales_for_a_scalar(%x: tensor<f32>, %s: tensor<1xf32>) -> tensor<!mezzo.q<int8>> {
  // expected-error @below {{'mezzo.quantize' op has scales of type 'tensor<1xf32>' for a scalar: use a scalar scale}}
  %q = mezzo.quantize %x scales(%s) : (tensor<f32>, tensor<1xf32>) -> tensor<!mezzo.q<int8>>
  return %q : tensor<!mezzo.q<int8>>
}

// -----

func.func @scales_of_unknown_rank(%x: tensor<4x64xf32>, %s: tensor<*xf32>) -> tensor<4x64x!mezzo.q<int8>> {
  // expected-error @below {{'mezzo.quantize' op operand #1 must be ranked tensor of 32-bit float or 16-bit float or bfloat16 type values}}
  %q = mezzo.quantize %x scales(%s) axis = 1 : (tensor<4x64xf32>, tensor<*xf32>) -> tensor<4x64x!mezzo.q<int8>>
  return %q : tensor<4x64x!mezzo.q<int8>>
}

// -----

func.func @axis_beyond_the_rank(%x: tensor<4x64xf32>, %s: tensor<4xf32>) -> tensor<4x64x!mezzo.q<int8>> {
  // expected-error @below {{'mezzo.quantize' op has axis 2, but the input has rank 2: use 0..1}}
  %q = mezzo.quantize %x scales(%s) axis = 2 : (tensor<4x64xf32>, tensor<4xf32>) -> tensor<4x64x!mezzo.q<int8>>
  return %q : tensor<4x64x!mezzo.q<int8>>
}

// -----

func.func @negative_block(%x: tensor<4x64xf32>, %s: tensor<4x64xf32>) -> tensor<4x64x!mezzo.q<int8>> {
  // expected-error @below {{'mezzo.quantize' op has a block of -1: use the length of a block, or 0 for none}}
  %q = mezzo.quantize %x scales(%s) block = -1 : (tensor<4x64xf32>, tensor<4x64xf32>) -> tensor<4x64x!mezzo.q<int8>>
  return %q : tensor<4x64x!mezzo.q<int8>>
}

// -----

func.func @matrix_of_scales_without_a_block(%x: tensor<4x64xf32>, %s: tensor<4x2xf32>) -> tensor<4x64x!mezzo.q<int8>> {
  // expected-error @below {{has scales of rank 2: without a block they are a scalar or a vector along the axis}}
  %q = mezzo.quantize %x scales(%s) : (tensor<4x64xf32>, tensor<4x2xf32>) -> tensor<4x64x!mezzo.q<int8>>
  return %q : tensor<4x64x!mezzo.q<int8>>
}

// -----

func.func @too_few_slices(%x: tensor<4x64xf32>, %s: tensor<4xf32>) -> tensor<4x64x!mezzo.q<int8>> {
  // expected-error @below {{'mezzo.quantize' op has 4 scales for 64 slices along axis 1}}
  %q = mezzo.quantize %x scales(%s) axis = 1 : (tensor<4x64xf32>, tensor<4xf32>) -> tensor<4x64x!mezzo.q<int8>>
  return %q : tensor<4x64x!mezzo.q<int8>>
}

// -----

func.func @vector_of_scales_with_a_block(%x: tensor<4x64xf32>, %s: tensor<2xf32>) -> tensor<4x64x!mezzo.q<int8>> {
  // expected-error @below {{'mezzo.quantize' op has a block of 32, so its scales must have rank 2, not 1}}
  %q = mezzo.quantize %x scales(%s) axis = 1 block = 32 : (tensor<4x64xf32>, tensor<2xf32>) -> tensor<4x64x!mezzo.q<int8>>
  return %q : tensor<4x64x!mezzo.q<int8>>
}

// -----

func.func @too_few_blocks(%q: tensor<4x65x!mezzo.q<int8>>, %s: tensor<4x2xf32>) -> tensor<4x65xf32> {
  // expected-error @below {{'mezzo.dequantize' op has 2 scales along dimension 1, but 3 are needed for 65 elements}}
  %x = mezzo.dequantize %q scales(%s) axis = 1 block = 32 : (tensor<4x65x!mezzo.q<int8>>, tensor<4x2xf32>) -> tensor<4x65xf32>
  return %x : tensor<4x65xf32>
}

// -----

//===------------------------------------------------------------------------===//
// group_sums
//===------------------------------------------------------------------------===//

func.func @dynamic_columns_of_sums(%x: tensor<4x?xf32>) -> tensor<4x2xf32> {
  // expected-error @below {{'mezzo.group_sums' op needs a static number of columns: groups of the weight are counted along them}}
  %s = mezzo.group_sums %x group = 32 : (tensor<4x?xf32>) -> tensor<4x2xf32>
  return %s : tensor<4x2xf32>
}

// -----

func.func @no_group_of_sums(%x: tensor<4x6xf32>) -> tensor<4x2xf32> {
  // expected-error @below {{'mezzo.group_sums' op has a group of 0 columns: at least 1 is needed}}
  %s = mezzo.group_sums %x group = 0 : (tensor<4x6xf32>) -> tensor<4x2xf32>
  return %s : tensor<4x2xf32>
}

// -----

func.func @too_few_sums(%x: tensor<4x6xf32>) -> tensor<4x1xf32> {
  // expected-error @below {{'mezzo.group_sums' op has 1 sums a row for 2 groups}}
  %s = mezzo.group_sums %x group = 3 : (tensor<4x6xf32>) -> tensor<4x1xf32>
  return %s : tensor<4x1xf32>
}

// -----

//===------------------------------------------------------------------------===//
// weights on two levels, and with code books
//===------------------------------------------------------------------------===//

// expected-error @below {{has integer scales without super-scales that they count in}}
mezzo.weight @no_super {spec = "int4/g4:u6^g8:f16", type = tensor<2x8x!mezzo.q<int4>>, group = 4 : i64, data = dense<0> : tensor<8xi8>,
  layout = #mezzo.layout<"bit=[b:4, k:2], line=[k@2:*], tile=[n:*]">, scales = dense<1> : tensor<2x2xui8>}

// -----

// expected-error @below {{has super-blocks of 6 columns, which do not hold whole groups of 4}}
mezzo.weight @cut_super {spec = "int4/g4:u6^g8:f16", type = tensor<2x8x!mezzo.q<int4>>, group = 4 : i64, data = dense<0> : tensor<8xi8>,
  layout = #mezzo.layout<"bit=[b:4, k:2], line=[k@2:*], tile=[n:*]">, scales = dense<1> : tensor<2x2xui8>,
  super_scales = dense<1.0> : tensor<2x1xf16>, super = 6 : i64}

// -----

// expected-error @below {{super-factors have shape 'tensor<2x2xf16>', but [2, 1] is needed, one per row and group}}
mezzo.weight @many_supers {spec = "int4/g4:u6^g8:f16", type = tensor<2x8x!mezzo.q<int4>>, group = 4 : i64, data = dense<0> : tensor<8xi8>,
  layout = #mezzo.layout<"bit=[b:4, k:2], line=[k@2:*], tile=[n:*]">, scales = dense<1> : tensor<2x2xui8>,
  super_scales = dense<1.0> : tensor<2x2xf16>, super = 8 : i64}

// -----

// expected-error @below {{has codes of codebook4 without their `codebook`}}
mezzo.weight @no_codebook {spec = "codebook4/g4", type = tensor<2x8x!mezzo.q<codebook4>>, group = 4 : i64, data = dense<0> : tensor<8xi8>,
  layout = #mezzo.layout<"bit=[b:4, k:2], line=[k@2:*], tile=[n:*]">, scales = dense<1.0> : tensor<2x2xf32>}

// -----

// expected-error @below {{has a code book of 'tensor<4xf32>' for codes of codebook4: 16 floats are needed, for all rows or for each, and a format codebook<n>}}
mezzo.weight @short_codebook {spec = "codebook4/g4", type = tensor<2x8x!mezzo.q<codebook4>>, group = 4 : i64, data = dense<0> : tensor<8xi8>,
  layout = #mezzo.layout<"bit=[b:4, k:2], line=[k@2:*], tile=[n:*]">, scales = dense<1.0> : tensor<2x2xf32>,
  codebook = dense<1.0> : tensor<4xf32>}

// -----

//===------------------------------------------------------------------------===//
// lut_build
//===------------------------------------------------------------------------===//

func.func @tables_of_unknown_length(%x: tensor<4x?xf32>) -> tensor<4x64xi8> {
  // expected-error @below {{'mezzo.lut_build' op needs a static number of columns: groups of the weight are counted along them}}
  %t, %s, %n, %a = mezzo.lut_build %x group = 32 : (tensor<4x?xf32>) -> (tensor<4x64xi8>, tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>)
  return %t : tensor<4x64xi8>
}

// -----

func.func @tables_of_empty_groups(%x: tensor<4x6xf32>) -> tensor<4x64xi8> {
  // expected-error @below {{'mezzo.lut_build' op has a group of 0 columns: at least 1 is needed}}
  %t, %s, %n, %a = mezzo.lut_build %x group = 0 : (tensor<4x6xf32>) -> (tensor<4x64xi8>, tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>)
  return %t : tensor<4x64xi8>
}

// -----

func.func @tables_without_padding(%x: tensor<4x6xf32>) -> tensor<4x32xi8> {
  // expected-error @below {{'mezzo.lut_build' op has 32 bytes of tables a row, but 2 groups of 1 tables take 64}}
  %t, %s, %n, %a = mezzo.lut_build %x group = 3 : (tensor<4x6xf32>) -> (tensor<4x32xi8>, tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>)
  return %t : tensor<4x32xi8>
}

// -----

func.func @tables_with_too_few_sums(%x: tensor<4x6xf32>) -> tensor<4x64xi8> {
  // expected-error @below {{'mezzo.lut_build' op has 1 steps, negatives or sums a row for 2 groups}}
  %t, %s, %n, %a = mezzo.lut_build %x group = 3 : (tensor<4x6xf32>) -> (tensor<4x64xi8>, tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x1xf32>)
  return %t : tensor<4x64xi8>
}

// -----

//===------------------------------------------------------------------------===//
// quantize_rows
//===------------------------------------------------------------------------===//

func.func @rows_of_unknown_length(%x: tensor<4x?xf32>) -> tensor<4x64xi8> {
  // expected-error @below {{'mezzo.quantize_rows' op needs a static number of columns: groups of the weight are counted along them}}
  %c, %s, %t = mezzo.quantize_rows %x group = 32 : (tensor<4x?xf32>) -> (tensor<4x64xi8>, tensor<4xf32>, tensor<4x2xi32>)
  return %c : tensor<4x64xi8>
}

// -----

func.func @rows_in_empty_groups(%x: tensor<4x64xf32>) -> tensor<4x64xi8> {
  // expected-error @below {{'mezzo.quantize_rows' op has a group of 0 columns: at least 1 is needed}}
  %c, %s, %t = mezzo.quantize_rows %x group = 0 : (tensor<4x64xf32>) -> (tensor<4x64xi8>, tensor<4xf32>, tensor<4x2xi32>)
  return %c : tensor<4x64xi8>
}

// -----

// Each group is padded to a multiple of four, and rows to whole lines of 64 bytes.

func.func @rows_without_padding(%x: tensor<4x6xf32>) -> tensor<4x6xi8> {
  // expected-error @below {{'mezzo.quantize_rows' op has 6 columns of codes, but 2 groups of 4 take 64}}
  %c, %s, %t = mezzo.quantize_rows %x group = 3 : (tensor<4x6xf32>) -> (tensor<4x6xi8>, tensor<4xf32>, tensor<4x2xi32>)
  return %c : tensor<4x6xi8>
}

// -----

func.func @rows_with_too_few_sums(%x: tensor<4x64xf32>) -> tensor<4x64xi8> {
  // expected-error @below {{'mezzo.quantize_rows' op has 1 sums a row for 2 groups}}
  %c, %s, %t = mezzo.quantize_rows %x group = 32 : (tensor<4x64xf32>) -> (tensor<4x64xi8>, tensor<4xf32>, tensor<4x1xi32>)
  return %c : tensor<4x64xi8>
}

// -----

func.func @rows_in_chunks_of_half_steps(%x: tensor<4x64xf32>) -> tensor<4x64xi8> {
  // expected-error @below {{'mezzo.quantize_rows' op has chunks of 6 columns: use a multiple of 4, or 0 for none}}
  %c, %s, %t, %p = mezzo.quantize_rows %x group = 32 chunk = 6
    : (tensor<4x64xf32>) -> (tensor<4x64xi8>, tensor<4xf32>, tensor<4x2xi32>, tensor<4x12xi32>)
  return %c : tensor<4x64xi8>
}

// -----

func.func @rows_with_too_few_pairs(%x: tensor<4x64xf32>) -> tensor<4x64xi8> {
  // expected-error @below {{'mezzo.quantize_rows' op has 2 pairs a row for 4 chunks}}
  %c, %s, %t, %p = mezzo.quantize_rows %x group = 32 chunk = 16
    : (tensor<4x64xf32>) -> (tensor<4x64xi8>, tensor<4xf32>, tensor<4x2xi32>, tensor<4x2xi32>)
  return %c : tensor<4x64xi8>
}

// -----

//===------------------------------------------------------------------------===//
// matmul
//===------------------------------------------------------------------------===//

func.func @weight_of_unknown_size(%x: tensor<4x64xf32>, %c: tensor<?x64x!mezzo.q<int4>>, %s: tensor<8x1xf32>) -> tensor<4x8xf32> {
  // expected-error @below {{'mezzo.matmul' op has codes of type 'tensor<?x64x!mezzo.q<int4>>': a weight needs a static shape}}
  %y = mezzo.matmul %x, %c scales(%s) mode = float group = 64
    : (tensor<4x64xf32>, tensor<?x64x!mezzo.q<int4>>, tensor<8x1xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

func.func @other_columns(%x: tensor<4x32xf32>, %c: tensor<8x64x!mezzo.q<int4>>, %s: tensor<8x1xf32>) -> tensor<4x8xf32> {
  // expected-error @below {{'mezzo.matmul' op multiplies 'tensor<4x32xf32>' by a weight of 64 columns: the sizes must be equal and static}}
  %y = mezzo.matmul %x, %c scales(%s) mode = float group = 64
    : (tensor<4x32xf32>, tensor<8x64x!mezzo.q<int4>>, tensor<8x1xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

func.func @other_result(%x: tensor<?x64xf32>, %c: tensor<8x64x!mezzo.q<int4>>, %s: tensor<8x1xf32>) -> tensor<4x8xf32> {
  // expected-error @below {{'mezzo.matmul' op has the result 'tensor<4x8xf32>', but 'tensor<?x8xf32>' follows}}
  %y = mezzo.matmul %x, %c scales(%s) mode = float group = 64
    : (tensor<?x64xf32>, tensor<8x64x!mezzo.q<int4>>, tensor<8x1xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

func.func @empty_groups(%x: tensor<4x64xf32>, %c: tensor<8x64x!mezzo.q<int4>>, %s: tensor<8x1xf32>) -> tensor<4x8xf32> {
  // expected-error @below {{'mezzo.matmul' op has a group of 0 columns: at least 1 is needed}}
  %y = mezzo.matmul %x, %c scales(%s) mode = float group = 0
    : (tensor<4x64xf32>, tensor<8x64x!mezzo.q<int4>>, tensor<8x1xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

func.func @too_few_scales(%x: tensor<4x64xf32>, %c: tensor<8x64x!mezzo.q<int4>>, %s: tensor<8x1xf32>) -> tensor<4x8xf32> {
  // expected-error @below {{'mezzo.matmul' op has scales of type 'tensor<8x1xf32>', but 8x2 are needed for groups of 32}}
  %y = mezzo.matmul %x, %c scales(%s) mode = float group = 32
    : (tensor<4x64xf32>, tensor<8x64x!mezzo.q<int4>>, tensor<8x1xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

func.func @too_few_offsets(%x: tensor<4x64xf32>, %c: tensor<8x64x!mezzo.q<int4>>, %s: tensor<8x2xf32>, %z: tensor<8xi16>) -> tensor<4x8xf32> {
  // expected-error @below {{'mezzo.matmul' op has offsets of type 'tensor<8xi16>', but 8x2 are needed for groups of 32}}
  %y = mezzo.matmul %x, %c scales(%s) offsets(%z) mode = float group = 32
    : (tensor<4x64xf32>, tensor<8x64x!mezzo.q<int4>>, tensor<8x2xf32>, tensor<8xi16>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

func.func @short_permutation(%x: tensor<4x64xf32>, %c: tensor<8x64x!mezzo.q<int4>>, %s: tensor<8x1xf32>, %p: tensor<63xi32>) -> tensor<4x8xf32> {
  // expected-error @below {{'mezzo.matmul' op has a permutation of type 'tensor<63xi32>' for 64 columns}}
  %y = mezzo.matmul %x, %c scales(%s) permutation(%p) mode = float group = 64
    : (tensor<4x64xf32>, tensor<8x64x!mezzo.q<int4>>, tensor<8x1xf32>, tensor<63xi32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

func.func @short_bias(%x: tensor<4x64xf32>, %c: tensor<8x64x!mezzo.q<int4>>, %s: tensor<8x1xf32>, %b: tensor<7xf32>) -> tensor<4x8xf32> {
  // expected-error @below {{'mezzo.matmul' op has a bias of type 'tensor<7xf32>' for 8 rows}}
  %y = mezzo.matmul %x, %c scales(%s) bias(%b) mode = float group = 64
    : (tensor<4x64xf32>, tensor<8x64x!mezzo.q<int4>>, tensor<8x1xf32>, tensor<7xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

func.func @planned_mode(%x: tensor<4x64xf32>, %c: tensor<8x64x!mezzo.q<int4>>, %s: tensor<8x1xf32>) -> tensor<4x8xf32> {
  // expected-error @below {{'mezzo.matmul' op has mode `integer_only`, which no strategy computes yet: use `float`, `int` or `lut8`}}
  %y = mezzo.matmul %x, %c scales(%s) mode = integer_only group = 64
    : (tensor<4x64xf32>, tensor<8x64x!mezzo.q<int4>>, tensor<8x1xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

func.func @wide_codes_in_tables(%x: tensor<4x64xf32>, %c: tensor<8x64x!mezzo.q<int5>>, %s: tensor<8x1xf32>) -> tensor<4x8xf32> {
  // expected-error @below {{'mezzo.matmul' op has codes of format int5 in mode `lut8`, whose time grows with the bits: it takes formats of at most 4 bits; use mode `int`}}
  %y = mezzo.matmul %x, %c scales(%s) mode = lut8 group = 64
    : (tensor<4x64xf32>, tensor<8x64x!mezzo.q<int5>>, tensor<8x1xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

func.func @no_whole_numbers(%x: tensor<4x64xf32>, %c: tensor<8x64x!mezzo.q<e4m3fn>>, %s: tensor<8x1xf32>) -> tensor<4x8xf32> {
  // expected-error @below {{has codes of format e4m3fn in mode `int`, which needs values that are whole numbers of one byte times a power of two: use mode `float`}}
  %y = mezzo.matmul %x, %c scales(%s) mode = int group = 64
    : (tensor<4x64xf32>, tensor<8x64x!mezzo.q<e4m3fn>>, tensor<8x1xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

func.func @no_planes(%x: tensor<4x64xf32>, %c: tensor<8x64x!mezzo.q<e2m1>>, %s: tensor<8x1xf32>) -> tensor<4x8xf32> {
  // expected-error @below {{has codes of format e2m1 in mode `lut8`, which adds up bit planes of integers: use mode `float`}}
  %y = mezzo.matmul %x, %c scales(%s) mode = lut8 group = 64
    : (tensor<4x64xf32>, tensor<8x64x!mezzo.q<e2m1>>, tensor<8x1xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

//===------------------------------------------------------------------------===//
// packed_matmul
//===------------------------------------------------------------------------===//

func.func @no_values(%x: tensor<4x4xf32>, %w: tensor<128xi8>) -> tensor<4x2xf32> {
  // expected-error @below {{has codes of codebook4, but their values are neither in the records (`table`) nor given (`codebook`)}}
  %y = mezzo.packed_matmul(%x), %w {
      format = "codebook4", layout = #mezzo.layout<"bit=[b:4, n@8:2], lane=[k:4, n:8], line=[n@16:2], step=[k@4:*], group=[g:*], panel=[n@32:*]">, scale_type = f32, mode = 0 : i32,
      config = #mezzo.config<strategy = dequant, rows = 4, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 0>,
      rows = 2 : i64, columns = 4 : i64, group = 4 : i64}
    : (tensor<4x4xf32>, tensor<128xi8>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

func.func @short_codebook(%x: tensor<4x4xf32>, %w: tensor<128xi8>) -> tensor<4x2xf32> {
  // expected-error @below {{has a code book of 2 entries for codes of codebook4: 2^n finite ones of a codebook<n> are needed}}
  %y = mezzo.packed_matmul(%x), %w {
      format = "codebook4", layout = #mezzo.layout<"bit=[b:4, n@8:2], lane=[k:4, n:8], line=[n@16:2], step=[k@4:*], group=[g:*], panel=[n@32:*]">, scale_type = f32, mode = 0 : i32,
      config = #mezzo.config<strategy = dequant, rows = 4, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 0>,
      rows = 2 : i64, columns = 4 : i64, group = 4 : i64, codebook = array<f32: 1.0, 2.0>}
    : (tensor<4x4xf32>, tensor<128xi8>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

func.func @values_in_mode_int(%x: tensor<4x4xf32>, %w: tensor<128xi8>) -> tensor<4x2xf32> {
  // expected-error @below {{has codes of codebook4 in mode `int` without their `codebook`}}
  %y = mezzo.packed_matmul(%x), %w {
      format = "codebook4", layout = #mezzo.layout<"bit=[b:4, n@8:2], lane=[k:4, n:8], line=[n@16:2], step=[k@4:*], group=[g:*], panel=[n@32:*]">, scale_type = f32, mode = 1 : i32,
      config = #mezzo.config<strategy = dequant, rows = 4, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 0>,
      rows = 2 : i64, columns = 4 : i64, group = 4 : i64, table = 2 : i32}
    : (tensor<4x4xf32>, tensor<128xi8>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

func.func @minima_of_nothing(%x: tensor<4x4xf32>, %w: tensor<128xi8>) -> tensor<4x2xf32> {
  // expected-error @below {{has minima, but no `offset_type`}}
  %y = mezzo.packed_matmul(%x), %w {
      format = "int4", layout = #mezzo.layout<"bit=[b:4, n@8:2], lane=[k:4, n:8], line=[n@16:2], step=[k@4:*], group=[g:*], panel=[n@32:*]">, scale_type = f32, mode = 0 : i32,
      config = #mezzo.config<strategy = dequant, rows = 4, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 0>,
      rows = 2 : i64, columns = 4 : i64, group = 4 : i64, minima}
    : (tensor<4x4xf32>, tensor<128xi8>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

func.func @cut_super_block(%x: tensor<4x4xf32>, %w: tensor<128xi8>) -> tensor<4x2xf32> {
  // expected-error @below {{has super-blocks of 6 columns, which do not hold whole groups of 4}}
  %y = mezzo.packed_matmul(%x), %w {
      format = "int4", layout = #mezzo.layout<"bit=[b:4, n@8:2], lane=[k:4, n:8], line=[n@16:2], step=[k@4:*], group=[g:*], panel=[n@32:*]">, scale_type = f32, mode = 0 : i32,
      config = #mezzo.config<strategy = dequant, rows = 4, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 0>,
      rows = 2 : i64, columns = 4 : i64, group = 4 : i64, super = 6 : i64, super_scale_type = f16}
    : (tensor<4x4xf32>, tensor<128xi8>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

func.func @two_activations(%x: tensor<4x4xf32>, %w: tensor<128xi8>) -> tensor<4x2xf32> {
  // expected-error @below {{has 2 activation operands in mode `int` with a chunk of 0: one is needed (or codes and scales), or in mode `int` three (codes, scales, sums), and pairs where there is a chunk}}
  %y = mezzo.packed_matmul(%x, %x), %w {
      format = "int8", layout = #mezzo.layout<"bit=[b:8], lane=[k:4, n:8], step=[n@8:2, k@4:*], panel=[g:*, n@16:*]">, scale_type = f32, mode = 1 : i32,
      config = #mezzo.config<strategy = native_dot, rows = 4, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 0>,
      rows = 2 : i64, columns = 4 : i64, group = 4 : i64}
    : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<128xi8>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

func.func @rows_in_mode_float(%x: tensor<4x64xi8>, %xs: tensor<4xf32>, %t: tensor<4x1xi32>, %w: tensor<128xi8>) -> tensor<4x2xf32> {
  // expected-error @below {{has 3 activation operands in mode `float` with a chunk of 0: one is needed}}
  %y = mezzo.packed_matmul(%x, %xs, %t), %w {
      format = "int8", layout = #mezzo.layout<"bit=[b:8], lane=[k:4, n:8], step=[n@8:2, k@4:*], panel=[g:*, n@16:*]">, scale_type = f32, mode = 0 : i32,
      config = #mezzo.config<strategy = dequant, rows = 4, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 0>,
      rows = 2 : i64, columns = 4 : i64, group = 4 : i64}
    : (tensor<4x64xi8>, tensor<4xf32>, tensor<4x1xi32>, tensor<128xi8>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

func.func @chunks_without_pairs(%x: tensor<4x64xi8>, %xs: tensor<4xf32>, %t: tensor<4x1xi32>, %w: tensor<128xi8>) -> tensor<4x2xf32> {
  // expected-error @below {{has 3 activation operands in mode `int` with a chunk of 4: one is needed}}
  %y = mezzo.packed_matmul(%x, %xs, %t), %w {
      format = "int8", layout = #mezzo.layout<"bit=[b:8], lane=[k:4, n:8], step=[n@8:2, k@4:*], panel=[g:*, n@16:*]">, scale_type = f32, mode = 1 : i32,
      config = #mezzo.config<strategy = native_dot, rows = 4, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 4>,
      rows = 2 : i64, columns = 4 : i64, group = 4 : i64}
    : (tensor<4x64xi8>, tensor<4xf32>, tensor<4x1xi32>, tensor<128xi8>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

func.func @packed_without_a_format(%x: tensor<4x4xf32>, %w: tensor<128xi8>) -> tensor<4x2xf32> {
  // expected-error @below {{'mezzo.packed_matmul' op 'eight' is not a format: unknown name; write int<n>}}
  %y = mezzo.packed_matmul(%x), %w {
      format = "eight", layout = #mezzo.layout<"bit=[b:8], lane=[k:4, n:8], step=[n@8:2, k@4:*], panel=[g:*, n@16:*]">, scale_type = f32, mode = 0 : i32,
      config = #mezzo.config<strategy = dequant, rows = 4, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 0>,
      rows = 2 : i64, columns = 4 : i64, group = 4 : i64}
    : (tensor<4x4xf32>, tensor<128xi8>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

func.func @codes_for_tables(%x: tensor<4x4xf32>, %w: tensor<128xi8>) -> tensor<4x2xf32> {
  // expected-error @below {{'mezzo.packed_matmul' op has a layout that no kernel reads: not a panel of indices: bit 1 of row 0 lies at bit 1, not in a nibble}}
  %y = mezzo.packed_matmul(%x), %w {
      format = "int2", layout = #mezzo.layout<"bit=[b:2, n@8:4], lane=[k:4, n:8], line=[n@32:2], step=[k@4:*], group=[g:*], panel=[n@64:*]">, scale_type = f32, mode = 2 : i32,
      config = #mezzo.config<strategy = lut, rows = 4, groups = 2, unroll = 4, streams = 2, block = 64, chunk = 64>,
      rows = 2 : i64, columns = 4 : i64, group = 4 : i64}
    : (tensor<4x4xf32>, tensor<128xi8>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

func.func @entries_that_overflow(%x: tensor<4x4xf32>, %w: tensor<128xi8>) -> tensor<4x2xf32> {
  // expected-error @below {{'mezzo.packed_matmul' op adds up chunks of 512 columns, but 16 bits hold 256 columns of int2}}
  %y = mezzo.packed_matmul(%x), %w {
      format = "int2", layout = #mezzo.layout<"bit=[k:4, n@16:2], lane=[b:2, n:16], line=[n@32:2], step=[k@4:*], group=[g:*], panel=[n@64:*]">, scale_type = f32, mode = 2 : i32,
      config = #mezzo.config<strategy = lut, rows = 4, groups = 2, unroll = 4, streams = 2, block = 512, chunk = 512>,
      rows = 2 : i64, columns = 4 : i64, group = 4 : i64}
    : (tensor<4x4xf32>, tensor<128xi8>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

func.func @no_panel(%x: tensor<4x4xf32>, %w: tensor<128xi8>) -> tensor<4x2xf32> {
  // expected-error @below {{'mezzo.packed_matmul' op has a layout that no kernel reads: not a panel: steps must be counted by k@4:*, not k@1:*}}
  %y = mezzo.packed_matmul(%x), %w {
      format = "int8", layout = #mezzo.layout<"bit=[b:8], line=[k:*], tile=[n:*]">, scale_type = f32, mode = 0 : i32,
      config = #mezzo.config<strategy = dequant, rows = 4, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 0>,
      rows = 2 : i64, columns = 4 : i64, group = 4 : i64}
    : (tensor<4x4xf32>, tensor<128xi8>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

func.func @packed_without_groups(%x: tensor<4x4xf32>, %w: tensor<128xi8>) -> tensor<4x2xf32> {
  // expected-error @below {{'mezzo.packed_matmul' op is a product with 2x4 in groups of 0: at least 1 of each is needed}}
  %y = mezzo.packed_matmul(%x), %w {
      format = "int8", layout = #mezzo.layout<"bit=[b:8], lane=[k:4, n:8], step=[n@8:2, k@4:*], panel=[g:*, n@16:*]">, scale_type = f32, mode = 0 : i32,
      config = #mezzo.config<strategy = dequant, rows = 4, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 0>,
      rows = 2 : i64, columns = 4 : i64, group = 0 : i64}
    : (tensor<4x4xf32>, tensor<128xi8>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

func.func @chunk_that_overflows(%x: tensor<4x4xf32>, %w: tensor<128xi8>) -> tensor<4x2xf32> {
  // expected-error @below {{'mezzo.packed_matmul' op adds up chunks of 64 columns, but 16 bits hold 4 columns of int8}}
  %y = mezzo.packed_matmul(%x), %w {
      format = "int8", layout = #mezzo.layout<"bit=[b:8], lane=[k:4, n:8], step=[n@8:2, k@4:*], panel=[g:*, n@16:*]">, scale_type = f32, mode = 1 : i32,
      config = #mezzo.config<strategy = native_dot, rows = 4, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 64>,
      rows = 2 : i64, columns = 4 : i64, group = 4 : i64}
    : (tensor<4x4xf32>, tensor<128xi8>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

//===------------------------------------------------------------------------===//
// softmax, layer_norm, rms_norm
//===------------------------------------------------------------------------===//

func.func @softmax_to_another_type(%x: tensor<?x64xf32>) -> tensor<4x64xf32> {
  // expected-error @below {{'mezzo.softmax' op maps 'tensor<?x64xf32>' to 'tensor<4x64xf32>': the types must be equal}}
  %y = mezzo.softmax %x : (tensor<?x64xf32>) -> tensor<4x64xf32>
  return %y : tensor<4x64xf32>
}

// -----

func.func @norm_with_too_few_scales(%x: tensor<?x64xf32>, %s: tensor<63xf32>) -> tensor<?x64xf32> {
  // expected-error @below {{'mezzo.rms_norm' op has 63 scales or biases for rows of 64 columns}}
  %y = mezzo.rms_norm %x, %s epsilon = 0.0 : (tensor<?x64xf32>, tensor<63xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

func.func @norm_with_too_many_biases(%x: tensor<?x64xf32>, %s: tensor<64xf32>, %b: tensor<65xf32>) -> tensor<?x64xf32> {
  // expected-error @below {{'mezzo.layer_norm' op has 65 scales or biases for rows of 64 columns}}
  %y = mezzo.layer_norm %x, %s bias(%b) epsilon = 0.0
    : (tensor<?x64xf32>, tensor<64xf32>, tensor<65xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

//===------------------------------------------------------------------------===//
// launch
//===------------------------------------------------------------------------===//

mezzo.weight @w {type = tensor<2x2xf32>, data = dense<1.0> : tensor<2x2xf32>}
func.func @launch_of_a_weight(%y: memref<4xf32>, %n: index) {
  // expected-error @below {{'mezzo.launch' op launches @w, which is no function of this module}}
  mezzo.launch @w count(%n) grain = 1 ins() outs(%y : memref<4xf32>)
  return
}

// -----

func.func private @kernel(memref<4xf32>, index)
func.func @launch_without_a_range(%y: memref<4xf32>, %n: index) {
  // expected-error @below {{'mezzo.launch' op passes 3 arguments (inputs, outputs, begin, end), but @kernel takes 2}}
  mezzo.launch @kernel count(%n) grain = 1 ins() outs(%y : memref<4xf32>)
  return
}

// -----

//===------------------------------------------------------------------------===//
// Activations that are codes
//===------------------------------------------------------------------------===//

func.func @numbers_with_scales(%x: tensor<2x4xf32>, %s: tensor<2xf32>, %q: tensor<3x4x!mezzo.q<int8>>, %t: tensor<3x1xf32>) {
  // expected-error @below {{has scales or zero points of activations, or a result of i32, but multiplies numbers of type 'f32', not codes of i8}}
  %y = mezzo.matmul %x by(%s), %q scales(%t) mode = int group = 4
    : (tensor<2x4xf32>, tensor<2xf32>, tensor<3x4x!mezzo.q<int8>>, tensor<3x1xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @codes_in_float(%x: tensor<2x4xi8>, %s: tensor<2xf32>, %q: tensor<3x4x!mezzo.q<int8>>, %t: tensor<3x1xf32>) {
  // expected-error @below {{multiplies codes in mode `float`: use `int`, or numbers}}
  %y = mezzo.matmul %x by(%s), %q scales(%t) mode = float group = 4
    : (tensor<2x4xi8>, tensor<2xf32>, tensor<3x4x!mezzo.q<int8>>, tensor<3x1xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @codes_of_no_scale(%x: tensor<2x4xi8>, %q: tensor<3x4x!mezzo.q<int8>>, %t: tensor<3x1xf32>) {
  // expected-error @below {{multiplies codes of no scale: give one for each row (1 where they are numbers themselves)}}
  %y = mezzo.matmul %x, %q scales(%t) mode = int group = 4
    : (tensor<2x4xi8>, tensor<3x4x!mezzo.q<int8>>, tensor<3x1xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @zeros_of_other_rows(%x: tensor<2x4xi8>, %s: tensor<2xf32>, %z: tensor<3xi32>, %q: tensor<3x4x!mezzo.q<int8>>, %t: tensor<3x1xf32>) {
  // expected-error @below {{has scales or zero points of type 'tensor<3xi32>' for activations of type 'tensor<2x4xi8>'}}
  %y = mezzo.matmul %x by(%s) less(%z), %q scales(%t) mode = int group = 4
    : (tensor<2x4xi8>, tensor<2xf32>, tensor<3xi32>, tensor<3x4x!mezzo.q<int8>>, tensor<3x1xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @block_in_float(%x: tensor<2x4xf32>, %q: tensor<3x4x!mezzo.q<int8>>, %t: tensor<3x1xf32>) {
  // expected-error @below {{has a block of 2 columns, which mode `int` has for activations that are numbers}}
  %y = mezzo.matmul %x, %q scales(%t) mode = float group = 4 block = 2
    : (tensor<2x4xf32>, tensor<3x4x!mezzo.q<int8>>, tensor<3x1xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @block_across_groups(%x: tensor<2x12xf32>, %q: tensor<3x12x!mezzo.q<int8>>, %t: tensor<3x2xf32>) {
  // expected-error @below {{has scales for 4 columns of activations and 6 of the weight: one must divide the other}}
  %y = mezzo.matmul %x, %q scales(%t) mode = int group = 6 block = 4
    : (tensor<2x12xf32>, tensor<3x12x!mezzo.q<int8>>, tensor<3x2xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @sum_of_groups(%x: tensor<2x4xi8>, %s: tensor<2xf32>, %q: tensor<3x4x!mezzo.q<int8>>, %t: tensor<3x2xf32>) {
  // expected-error @below {{is a sum of i32, which has one group, no bias and no float zero points}}
  %y = mezzo.matmul %x by(%s), %q scales(%t) mode = int group = 2
    : (tensor<2x4xi8>, tensor<2xf32>, tensor<3x4x!mezzo.q<int8>>, tensor<3x2xf32>) -> tensor<2x3xi32>
  return
}

// -----

func.func @dynamic_int8(%x: tensor<2x4xf32>) {
  // expected-error @below {{makes 'tensor<2x4x!mezzo.q<int8>>': codes and zero point are of format uint8}}
  %q, %s, %z = mezzo.dynamic_quantize %x : (tensor<2x4xf32>) -> (tensor<2x4x!mezzo.q<int8>>, tensor<f32>, tensor<!mezzo.q<uint8>>)
  return
}

// -----

func.func @dynamic_of_other_shape(%x: tensor<2x4xf32>) {
  // expected-error @below {{the codes have the shape of the input, and the zero point is a scalar}}
  %q, %s, %z = mezzo.dynamic_quantize %x : (tensor<2x4xf32>) -> (tensor<2x4x!mezzo.q<uint8>>, tensor<f32>, tensor<2x!mezzo.q<uint8>>)
  return
}

// -----

func.func @block_within_a_group(%x: tensor<2x8xf32>) {
  // expected-error @below {{has a scale for 2 columns, which is no multiple of its group of 4}}
  %c, %s, %sums = mezzo.quantize_rows %x group = 4 block = 2
    : (tensor<2x8xf32>) -> (tensor<2x64xi8>, tensor<2x2xf32>, tensor<2x2xi32>)
  return
}

// -----

func.func @one_scale_for_blocks(%x: tensor<2x8xf32>) {
  // expected-error @below {{has scales of type 'tensor<2xf32>', but one for each row and group is needed}}
  %c, %s, %sums = mezzo.quantize_rows %x group = 4 block = 4
    : (tensor<2x8xf32>) -> (tensor<2x64xi8>, tensor<2xf32>, tensor<2x2xi32>)
  return
}

// -----

func.func @arranged_in_no_group(%x: tensor<2x8xi8>) {
  // expected-error @below {{has a group of 0 columns: at least 1 is needed}}
  %c, %sums = mezzo.arrange_rows %x group = 0 : (tensor<2x8xi8>) -> (tensor<2x64xi8>, tensor<2x2xi32>)
  return
}

// -----

#int8 = #mezzo.layout<"bit=[b:8], lane=[k:4, n:8], line=[n@8:2], step=[k@4:*], group=[g:*], panel=[n@16:*]">
func.func @zeros_without_sums(%q: tensor<2x4xi8>, %s: tensor<2xf32>, %z: tensor<2xi32>, %w: tensor<512xi8>) {
  // expected-error @below {{takes zero points off its activations, for which the records need `sums`}}
  %0 = mezzo.packed_matmul(%q, %s) less(%z), %w {format = "int8", layout = #int8, scale_type = f32, mode = 1 : i32,
    config = #mezzo.config<strategy = native_dot, rows = 4, groups = 2, unroll = 2, streams = 1, block = 64, chunk = 0>,
    rows = 2 : i64, columns = 4 : i64, group = 4 : i64} : (tensor<2x4xi8>, tensor<2xf32>, tensor<2xi32>, tensor<512xi8>) -> tensor<2x2xf32>
  return
}

// -----

//===------------------------------------------------------------------------===//
// Windows
//===------------------------------------------------------------------------===//

func.func @dense_sizes(%x: tensor<8x4x64xf32>, %w: tensor<1x63x48xf32>) {
  // expected-error @below {{the sizes do not follow}}
  %0 = mezzo.dense_matmul %x, %w : (tensor<8x4x64xf32>, tensor<1x63x48xf32>) -> tensor<8x4x48xf32>
  return
}

// -----

func.func @conv_stride(%x: tensor<1x8x8xf32>, %w: tensor<16x24xf32>, %y: tensor<1x16x8xf32>, %c: index) {
  // expected-error @below {{has a stride or dilation of 0: at least 1 is needed}}
  %0 = mezzo.conv %x, %w kernel(%c) pads(%c) init(%y) strides = [0] dilations = [1] groups = 1
    : (tensor<1x8x8xf32>, tensor<16x24xf32>, index, index, tensor<1x16x8xf32>) -> tensor<1x16x8xf32>
  return
}

// -----

func.func @conv_pads(%x: tensor<1x8x8xf32>, %w: tensor<16x24xf32>, %y: tensor<1x16x8xf32>, %c: index) {
  // expected-error @below {{has 2 pads for 1 spatial dimensions}}
  %0 = mezzo.conv %x, %w kernel(%c) pads(%c, %c) init(%y) strides = [1] dilations = [1] groups = 1
    : (tensor<1x8x8xf32>, tensor<16x24xf32>, index, index, index, tensor<1x16x8xf32>) -> tensor<1x16x8xf32>
  return
}

// -----

func.func @pool_margins(%x: tensor<1x8x8xf32>, %y: tensor<1x8x8xf32>, %c: index) {
  // expected-error @below {{has 1 margins, but 0 are needed}}
  %0 = mezzo.pool max %x kernel(%c) pads(%c) margins(%c) init(%y) strides = [1] dilations = [1]
    : (tensor<1x8x8xf32>, index, index, index, tensor<1x8x8xf32>) -> tensor<1x8x8xf32>
  return
}

// -----

func.func @pool_places(%x: tensor<1x8x8xf32>, %y: tensor<1x8x8xf32>, %c: index) {
  // expected-error @below {{argmax gives i64, other kinds the type that they read}}
  %0 = mezzo.pool argmax %x kernel(%c) pads(%c) margins() init(%y) strides = [1] dilations = [1]
    : (tensor<1x8x8xf32>, index, index, tensor<1x8x8xf32>) -> tensor<1x8x8xf32>
  return
}

// -----

func.func @sized(%x: tensor<?x?xf32>, %n: index) {
  // expected-error @below {{has 1 sizes for 'tensor<?x?xf32>': 2 are needed}}
  %0 = mezzo.sized %x[%n] : tensor<?x?xf32>
  return
}
