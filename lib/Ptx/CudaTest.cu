//===- CudaTest.cu - Kernels as a CUDA compiler writes them ---------------===//

#include <cuda_fp16.h>
#include <cuda_pipeline.h>
#include <stdint.h>

extern "C" __global__ void saxpy(int n, float a, const float *x, float *y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    y[i] = a * x[i] + y[i];
}

// A tree in shared memory, then shuffles, then one atomic per block.
extern "C" __global__ void sum(int n, const int *x, int *y) {
  __shared__ int tree[256];
  int v = 0;
  for (int i = blockIdx.x * 256 + threadIdx.x; i < n; i += gridDim.x * 256)
    v += x[i];
  tree[threadIdx.x] = v;
  __syncthreads();
  for (int k = 128; k >= 32; k >>= 1) {
    if (threadIdx.x < k)
      tree[threadIdx.x] += tree[threadIdx.x + k];
    __syncthreads();
  }
  if (threadIdx.x < 32) {
    v = tree[threadIdx.x];
    for (int k = 16; k; k >>= 1)
      v += __shfl_down_sync(~0u, v, k);
    if (threadIdx.x == 0)
      atomicAdd(y, v);
  }
}

// Integer code that diverges: 64-bit division, shifts, a loop of its own length
// in each lane.
extern "C" __global__ void collatz(int n, uint64_t *x, unsigned *steps) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  uint64_t v = x[i];
  unsigned count = 0;
  while (v != 1) {
    v = v % 2 ? 3 * v + 1 : v / 2;
    ++count;
  }
  steps[i] = count;
  x[i] = v + x[i] / 7 + x[i] % 1000003;
}

// A tiled product of halves, four stages of cp.async deep.
constexpr int tile = 16, stages = 4;

extern "C" __global__ void product(int k, const half *a, const half *b,
                                   float *c) {
  __shared__ alignas(16) half as[stages][tile * tile];
  __shared__ alignas(16) half bs[stages][tile * tile];
  int t = threadIdx.x; // 256 threads, one element of c each.
  int row = t / tile, column = t % tile;
  auto copy = [&](int step) {
    if (step * tile < k && t < 64) {
      // 32 threads per operand, 16 bytes each.
      int part = t % 32, r = part / 2, offset = part % 2 * 8;
      half *to = (t < 32 ? as : bs)[step % stages] + r * tile + offset;
      const half *from = (t < 32 ? a : b) + r * k + step * tile + offset;
      __pipeline_memcpy_async(to, from, 16);
    }
    __pipeline_commit();
  };
  for (int s = 0; s < stages - 1; ++s)
    copy(s);
  float sum = 0;
  for (int step = 0; step * tile < k; ++step) {
    __pipeline_wait_prior(stages - 2);
    __syncthreads();
    copy(step + stages - 1);
    for (int i = 0; i < tile; ++i)
      sum = fmaf(__half2float(as[step % stages][row * tile + i]),
                 __half2float(bs[step % stages][column * tile + i]), sum);
  }
  c[row * tile + column] = sum;
}
