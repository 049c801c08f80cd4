// Records decide before prices do, if they are legal; whatever is left out is a remark.

// RUN: mezzo-opt %s --mezzo-select-strategy="target=x86-64-v3 tuning-db=%S/Inputs/records.jsonl" 2>&1 | FileCheck %s
// RUN: mezzo-opt %s --mezzo-select-strategy="target=x86-64-v3+generic tuning-db=%S/Inputs/records.jsonl" 2>&1 | FileCheck %s --check-prefix=OTHER
// RUN: not mezzo-opt %s --mezzo-select-strategy="target=aarch64 tuning-db=%S/Inputs/records.jsonl require-tuned" 2>&1 | FileCheck %s --check-prefix=REQUIRED
// RUN: not mezzo-opt %s --mezzo-select-strategy=tuning-db=%S 2>&1 | FileCheck %s --check-prefix=FOLDER

// CHECK: remark: line 6 of {{.*}}records.jsonl is left out: its checksum is wrong: it was cut off or changed by hand
// CHECK: remark: line 7 of {{.*}}records.jsonl is left out: it has no checksum: it was cut off, or is no tuning record
// CHECK: remark: a tuning record is left out, native_dot rows=4,groups=2,unroll=2,streams=2,block=512,chunk=128: a chunk of 128 columns: 16 bits hold the sums of 64
// CHECK: remark: a tuning record is left out, guesswork {{.*}}: strategy guesswork does not compute this product
// CHECK: remark: strategy native_dot for uint4/g32+zp in mode int: rows=2,groups=2,unroll=4,streams=1,block=512,chunk=32 (measured on another machine of this target: {{.*}} us)
// CHECK: remark: strategy dequant for uint4/g32+zp in mode float: rows=3,{{.*}} (measured for a shape nearby: {{.*}} us at m = any, n = 128, k = 64)
// CHECK: mezzo.matmul {{.*}} mode = int group = 32 config = <strategy = native_dot, rows = 2, groups = 2, unroll = 4, streams = 1, block = 512, chunk = 32>

// OTHER: remark: strategy native_dot for uint4/g32+zp in mode int: {{.*}} (the default: too small to be priced), scaled after each of 2 groups
// OTHER: remark: strategy dequant for uint4/g32+zp in mode float: {{.*}} (the default: too small to be priced)
// OTHER: remark: strategy native_dot for int8/ch in mode int: {{.*}} (priced at {{[0-9.]+}} us: computing {{.*}}), scaled after the whole reduction
// OTHER: mezzo.choices = [{candidates = [],
// OTHER-SAME: candidates = ["native_dot rows={{.*}} us: computing

// REQUIRED: error: has no tuning record that can be used (int uint4/g32+zp g32, m = any, n = 64, k = 64, aarch64): run mezzo tune, or leave --require-tuned out

// FOLDER: error: cannot read the tuning records in '{{.*}}': {{.*}}directory

mezzo.weight @w {spec = "uint4/g32+zp", type = tensor<64x64x!mezzo.q<uint4>>, group = 32 : i64,
  data = dense<1> : tensor<2048xi8>, layout = #mezzo.layout<"bit=[b:4, k:2], line=[k@2:*], tile=[n:*]">,
  scales = dense<1.0> : tensor<64x2xf32>, offsets = dense<8> : tensor<64x2xi16>}

func.func @modes(%x: tensor<?x64xf32>) -> (tensor<?x64xf32>, tensor<?x64xf32>) {
  %c, %s, %z = mezzo.load_weight @w : tensor<64x64x!mezzo.q<uint4>>, tensor<64x2xf32>, tensor<64x2xi16>
  %0 = mezzo.matmul %x, %c scales(%s) offsets(%z) mode = int group = 32
    : (tensor<?x64xf32>, tensor<64x64x!mezzo.q<uint4>>, tensor<64x2xf32>, tensor<64x2xi16>) -> tensor<?x64xf32>
  %1 = mezzo.matmul %x, %c scales(%s) offsets(%z) mode = float group = 32
    : (tensor<?x64xf32>, tensor<64x64x!mezzo.q<uint4>>, tensor<64x2xf32>, tensor<64x2xi16>) -> tensor<?x64xf32>
  return %0, %1 : tensor<?x64xf32>, tensor<?x64xf32>
}

mezzo.weight @large {spec = "int8/ch", type = tensor<256x256x!mezzo.q<int8>>, group = 256 : i64,
  data = dense<1> : tensor<65536xi8>, layout = #mezzo.layout<"flat=[b:8, k:256, n:*]">, scales = dense<1.0> : tensor<256x1xf32>}

func.func @scale_per_row(%x: tensor<1x256xf32>) -> tensor<1x256xf32> {
  %c, %s = mezzo.load_weight @large : tensor<256x256x!mezzo.q<int8>>, tensor<256x1xf32>
  %0 = mezzo.matmul %x, %c scales(%s) mode = int group = 256
    : (tensor<1x256xf32>, tensor<256x256x!mezzo.q<int8>>, tensor<256x1xf32>) -> tensor<1x256xf32>
  return %0 : tensor<1x256xf32>
}
