// The LLVM dialect, and the C interface of a compiled model.

// RUN: mezzo-opt %s -split-input-file --mezzo-lower-to-llvm --reconcile-unrealized-casts | FileCheck %s

// A launch stores its operands in a struct on the stack, once per function, and calls the parallel loop of the runtime
// with a task that unpacks them. Launches of one kernel share the task.

// CHECK-LABEL: llvm.func @launches
// CHECK-SAME: (%[[FRAME:[a-z0-9]+]]: !llvm.ptr,
// CHECK-COUNT-2: llvm.alloca
// CHECK: llvm.store
// CHECK: %[[TASK:.*]] = llvm.mlir.addressof @kernel.task : !llvm.ptr
// CHECK: llvm.call @mezzo_rt_parallel_for(%[[FRAME]], %[[TASK]], %{{.*}}, %{{.*}}, %{{.*}}) : (!llvm.ptr, !llvm.ptr, !llvm.ptr, i64, i64) -> ()
// CHECK: llvm.call @mezzo_rt_parallel_for(%[[FRAME]],
// CHECK: llvm.func internal @kernel.task(%[[ARGS:[a-z0-9]+]]: !llvm.ptr, %[[BEGIN:[a-z0-9]+]]: i64, %[[END:[a-z0-9]+]]: i64)
// CHECK: llvm.getelementptr %[[ARGS]][0, 0]
// CHECK: llvm.call @kernel({{.*}}, %[[BEGIN]], %[[END]])
// CHECK-NOT: @kernel.task(
func.func private @kernel(%x: memref<?x4xf32>, %n: index, %y: memref<?x4xf32>, %begin: index, %end: index) {
  return
}
func.func @launches(%frame: !llvm.ptr, %x: memref<?x4xf32>, %y: memref<?x4xf32>, %n: index) {
  mezzo.launch @kernel count(%n) grain = 8 ins(%x, %n : memref<?x4xf32>, index) outs(%y : memref<?x4xf32>)
  mezzo.launch @kernel count(%n) grain = 8 ins(%y, %n : memref<?x4xf32>, index) outs(%x : memref<?x4xf32>)
  return
}

// -----

// Weights and the arena are pointers in the frame; what is allocated comes from the runtime, and where there is nothing,
// the function returns. The weight itself is gone.

mezzo.weight @w {type = tensor<4xf32>, data = dense<1.0> : tensor<4xf32>, parts = array<i64: 128>}

// CHECK-NOT: mezzo.weight
// CHECK-LABEL: llvm.func @memory
// CHECK-SAME: (%[[FRAME:[a-z0-9]+]]: !llvm.ptr, %[[BYTES:[a-z0-9]+]]: i64)
// CHECK: llvm.getelementptr %[[FRAME]][0]
// CHECK: %[[WEIGHTS:.*]] = llvm.load
// CHECK: %[[AT:.*]] = llvm.mlir.constant(128 : i64)
// CHECK: llvm.getelementptr %[[WEIGHTS]][%[[AT]]]
// CHECK: llvm.getelementptr %[[FRAME]][8]
// CHECK: llvm.load
// CHECK: %[[MEMORY:.*]] = llvm.call @mezzo_rt_alloc(%[[FRAME]], %[[BYTES]]) : (!llvm.ptr, i64) -> !llvm.ptr
// CHECK: %[[THERE:.*]] = llvm.icmp "ne" %[[MEMORY]]
// CHECK: llvm.cond_br %[[THERE]], ^[[ON:.*]], ^[[OUT:.*]]
// CHECK: ^[[OUT]]:
// CHECK-NEXT: llvm.return
// CHECK: ^[[ON]]:
// CHECK: llvm.call @use(
func.func private @use(memref<4xf32>, memref<?xi8>, memref<?xi8>)
func.func @memory(%frame: !llvm.ptr, %bytes: index) {
  %w = mezzo.weight_view 128 : memref<4xf32>
  %a = mezzo.arena : memref<?xi8>
  %m = mezzo.alloc %bytes : memref<?xi8>
  func.call @use(%w, %a, %m) : (memref<4xf32>, memref<?xi8>, memref<?xi8>) -> ()
  return
}

// -----

// A check that does not hold is told to the runtime, and the function returns. Status 12 is MEZZO_ERROR_RUNTIME.

// CHECK: llvm.mlir.global internal constant @[[MESSAGE:mezzo.message.[0-9]+]]("no rows\00")
// CHECK-LABEL: llvm.func @checks
// CHECK-SAME: (%[[FRAME:[a-z0-9]+]]: !llvm.ptr, %[[OK:[a-z0-9]+]]: i1)
// CHECK: llvm.cond_br %[[OK]], ^[[ON:.*]], ^[[OUT:.*]]
// CHECK: ^[[OUT]]:
// CHECK: %[[STATUS:.*]] = llvm.mlir.constant(12 : i64)
// CHECK: %[[TEXT:.*]] = llvm.mlir.addressof @[[MESSAGE]]
// CHECK: llvm.call @mezzo_rt_fail(%[[FRAME]], %[[STATUS]], %[[TEXT]])
// CHECK-NEXT: llvm.return
// CHECK: ^[[ON]]:
// CHECK: llvm.call @after()
func.func private @after()
func.func @checks(%frame: !llvm.ptr, %ok: i1) {
  mezzo.check %ok, "no rows"
  func.call @after() : () -> ()
  return
}

// -----

// With a signature, the module describes itself to the runtime and exports one symbol.

// CHECK: module attributes
// CHECK-DAG: llvm.mlir.global internal constant @mezzo.inputs()
// CHECK-DAG: llvm.mlir.global internal constant @mezzo.outputs()
// CHECK-DAG: llvm.mlir.global external constant @mezzo_rt_module()
// CHECK-DAG: llvm.func internal @mezzo.run(
// CHECK-DAG: llvm.func internal @mezzo.shapes(
// CHECK-DAG: llvm.func @tiny_api(%{{.*}}: i32) -> !llvm.ptr
// CHECK-NOT: mezzo.entry
module attributes {mezzo.prefix = "tiny", mezzo.signature = "{}", mezzo.arena_bytes = 0 : i64, mezzo.weight_bytes = 0 : i64} {
  func.func private @shapes(%m: index) -> (index, index) {
    %c4 = arith.constant 4 : index
    return %m, %c4 : index, index
  }
  func.func @main(%frame: !llvm.ptr, %x: memref<?x4xf32>, %y: memref<?x4xf32>) attributes {mezzo.entry,
      mezzo.inputs = [{name = "x", dtype = "f32", dims = array<i64: -1, 4>, dim_names = ["rows", ""]}],
      mezzo.outputs = [{name = "y", dtype = "f32", dims = array<i64: -1, 4>, dim_names = ["rows", ""]}]} {
    memref.copy %x, %y : memref<?x4xf32> to memref<?x4xf32>
    return
  }
}
