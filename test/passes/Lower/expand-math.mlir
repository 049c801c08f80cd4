// Elementary functions on f32 become arithmetic, on single numbers and on vectors. That it equals the programs of lib/Math
// bit for bit is tested where it runs, in test/exec and test/models.

// RUN: mezzo-opt %s --mezzo-expand-math | FileCheck %s

// exp: clamped, split into n ln 2 + r, a polynomial in r by Horner's rule, and 2^n made of bits.

// CHECK-LABEL: func @exp
// CHECK-SAME: (%[[X:.*]]: f32)
// CHECK-NOT: math.exp
// CHECK: arith.cmpf olt, %[[X]], %{{.*}} : f32
// CHECK: math.fma
// CHECK: %[[BITS:.*]] = arith.shli %{{.*}}, %{{.*}} : i32
// CHECK: arith.bitcast %[[BITS]] : i32 to f32
// CHECK: arith.mulf
// CHECK: return
func.func @exp(%x: f32) -> f32 {
  %y = math.exp %x : f32
  return %y : f32
}

// CHECK-LABEL: func @vectors
// CHECK-NOT: math.{{exp|tanh|erf|log}}
// CHECK: arith.cmpf olt, %{{.*}}, %{{.*}} : vector<16xf32>
// CHECK: math.fma %{{.*}}, %{{.*}}, %{{.*}} : vector<16xf32>
// CHECK: return
func.func @vectors(%x: vector<16xf32>) -> vector<16xf32> {
  %0 = math.exp %x : vector<16xf32>
  %1 = math.tanh %0 : vector<16xf32>
  %2 = math.erf %1 : vector<16xf32>
  %3 = math.log %2 : vector<16xf32>
  return %3 : vector<16xf32>
}

// CHECK-LABEL: func @angles
// CHECK-NOT: math.{{sin|cos}}
// CHECK: return
func.func @angles(%x: f32) -> (f32, f32) {
  %0 = math.sin %x : f32
  %1 = math.cos %x : f32
  return %0, %1 : f32, f32
}

// A power is exp(b log(a)), so both programs.

// CHECK-LABEL: func @power
// CHECK-NOT: math.{{powf|exp|log}}
// CHECK: return
func.func @power(%a: f32, %b: f32) -> f32 {
  %0 = math.powf %a, %b : f32
  return %0 : f32
}

// What has one exactly rounded result on every machine stays, and so do other types.

// CHECK-LABEL: func @kept
// CHECK: math.sqrt
// CHECK: math.roundeven
// CHECK: math.sin %{{.*}} : f64
func.func @kept(%x: f32, %y: f64) -> (f32, f32, f64) {
  %0 = math.sqrt %x : f32
  %1 = math.roundeven %x : f32
  %2 = math.sin %y : f64
  return %0, %1, %2 : f32, f32, f64
}

// CHECK-LABEL: func @others
// CHECK-NOT: math.{{tan|asin|acos|atan|sinh|cosh|asinh|acosh|atanh}}
// CHECK: return
func.func @others(%x: f32) -> f32 {
  %0 = math.tan %x : f32
  %1 = math.asin %0 : f32
  %2 = math.acos %1 : f32
  %3 = math.atan %2 : f32
  %4 = math.sinh %3 : f32
  %5 = math.cosh %4 : f32
  %6 = math.asinh %5 : f32
  %7 = math.acosh %6 : f32
  %8 = math.atanh %7 : f32
  return %8 : f32
}

// CHECK-LABEL: func @doubles
// CHECK-NOT: math.{{exp|log}}
// CHECK: arith.shli %{{.*}}, %{{.*}} : i64
// CHECK: return
func.func @doubles(%x: f64) -> f64 {
  %0 = math.exp %x : f64
  %1 = math.log %0 : f64
  return %1 : f64
}
