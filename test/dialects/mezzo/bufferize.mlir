// What bufferization makes of launches and loads.

// RUN: mezzo-opt %s -split-input-file --one-shot-bufferize -verify-diagnostics | FileCheck %s

// A launch writes into the buffer of its destination: no copy, no result.

// CHECK-LABEL: func @launch
// CHECK-SAME: (%{{.*}}: tensor<4xf32>, %[[COUNT:.*]]: index)
// CHECK: %[[Y:.*]] = memref.alloc() {{.*}}: memref<4xf32>
// CHECK-NOT: memref.alloc
// CHECK: mezzo.launch @kernel count(%[[COUNT]]) grain = 2 ins(%{{.*}}, %[[COUNT]] : memref<4xf32, strided<[?], offset: ?>>, index)
// CHECK-SAME: outs(%[[Y]] : memref<4xf32>){{$}}
func.func private @kernel(memref<4xf32, strided<[?], offset: ?>>, index, memref<4xf32>, index, index)
func.func @launch(%x: tensor<4xf32>, %n: index) -> tensor<4xf32> {
  %init = tensor.empty() : tensor<4xf32>
  %y = mezzo.launch @kernel count(%n) grain = 2 ins(%x, %n : tensor<4xf32>, index) outs(%init : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// A destination that is read later is copied first.

// CHECK-LABEL: func @launch_into_something_read
// CHECK: memref.copy
// CHECK: mezzo.launch
func.func private @kernel(memref<4xf32>, index, index)
func.func @launch_into_something_read(%n: index) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %f = arith.constant 1.0 : f32
  %empty = tensor.empty() : tensor<4xf32>
  %x = tensor.insert %f into %empty[%c0] : tensor<4xf32>
  %y = mezzo.launch @kernel count(%n) grain = 2 ins() outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return %x, %y : tensor<4xf32>, tensor<4xf32>
}

// -----

// Loads of weights are views of the mapped weight file.

mezzo.weight @plain {type = tensor<2x2xf32>, data = dense<1.0> : tensor<2x2xf32>, place = 192 : i64}
mezzo.weight @w {spec = "int8/ch", type = tensor<2x4x!mezzo.q<int8>>, data = dense<1> : tensor<8xi8>, group = 4 : i64,
  layout = #mezzo.layout<"bit=[b:8], line=[k:*], tile=[n:*]">, scales = dense<1.0> : tensor<2x1xf32>,
  packed = #mezzo.layout<"bit=[b:8], lane=[k:4, n:8], step=[n@8:2, k@4:*], panel=[g:*, n@16:*]">,
  place = 0 : i64}

// CHECK-LABEL: func @loads
// CHECK-DAG: mezzo.weight_view 0 : memref<128xi8>
// CHECK-DAG: mezzo.weight_view 192 : memref<2x2xf32>
func.func @loads() -> (tensor<128xi8>, tensor<2x2xf32>) {
  %w = mezzo.load_packed @w : tensor<128xi8>
  %p = mezzo.load_weight @plain : tensor<2x2xf32>
  return %w, %p : tensor<128xi8>, tensor<2x2xf32>
}

// -----

// A weight is never written: what writes to it gets a copy.

mezzo.weight @plain {type = tensor<2x2xf32>, data = dense<1.0> : tensor<2x2xf32>, place = 0 : i64}

// CHECK-LABEL: func @written
// CHECK: %[[W:.*]] = mezzo.weight_view 0 : memref<2x2xf32>
// CHECK: %[[COPY:.*]] = memref.alloc
// CHECK: memref.copy %[[W]], %[[COPY]]
// CHECK: memref.store %{{.*}}, %[[COPY]]
func.func @written(%f: f32, %i: index) -> tensor<2x2xf32> {
  %p = mezzo.load_weight @plain : tensor<2x2xf32>
  %y = tensor.insert %f into %p[%i, %i] : tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// -----

func.func private @kernel(memref<4x2xf32>, index, index)
func.func @launch_of_a_kernel_for_something_else(%n: index) -> tensor<4xf32> {
  %init = tensor.empty() : tensor<4xf32>
  // expected-error @below {{a kernel takes 'memref<4x2xf32>', but the buffer is 'memref<4xf32>'}}
  // expected-error @below {{failed to bufferize op}}
  %y = mezzo.launch @kernel count(%n) grain = 2 ins() outs(%init : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

llvm.func @kernel(!llvm.ptr)
func.func @launch_of_something_lowered(%n: index) -> tensor<4xf32> {
  %init = tensor.empty() : tensor<4xf32>
  // expected-error @below {{'mezzo.launch' op launches @kernel, which is no func.func: kernels are functions on memrefs}}
  // expected-error @below {{failed to bufferize op}}
  %y = mezzo.launch @kernel count(%n) grain = 2 ins() outs(%init : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

mezzo.weight @plain {type = tensor<2x2xf32>, data = dense<1.0> : tensor<2x2xf32>}
func.func @load_without_a_place() -> tensor<2x2xf32> {
  // expected-error @below {{'mezzo.load_weight' op loads @plain, which has no place yet: run mezzo-pack-weights}}
  // expected-error @below {{failed to bufferize op}}
  %p = mezzo.load_weight @plain : tensor<2x2xf32>
  return %p : tensor<2x2xf32>
}

// -----

mezzo.weight @w {spec = "int8/ch", type = tensor<2x4x!mezzo.q<int8>>, data = dense<1> : tensor<8xi8>, group = 4 : i64,
  layout = #mezzo.layout<"bit=[b:8], line=[k:*], tile=[n:*]">, scales = dense<1.0> : tensor<2x1xf32>,
  packed = #mezzo.layout<"bit=[b:8], lane=[k:4, n:8], step=[n@8:2, k@4:*], panel=[g:*, n@16:*]">,
  place = 0 : i64}
func.func @load_of_a_packed_weight() -> tensor<2x4x!mezzo.q<int8>> {
  // expected-error @below {{'mezzo.load_weight' op loads 2 tensors from @w, which is one array in the weight file}}
  // expected-error @below {{failed to bufferize op}}
  %c, %s = mezzo.load_weight @w : tensor<2x4x!mezzo.q<int8>>, tensor<2x1xf32>
  return %c : tensor<2x4x!mezzo.q<int8>>
}
