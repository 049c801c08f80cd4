//===- CudaTest.cpp - Kernels as a CUDA compiler writes them --------------===//
//
// CudaTest.cu through nvcc, where there is one: code that was not written with
// this interpreter in mind.
//
//===----------------------------------------------------------------------===//

#include "lib/Number/Half.h"
#include "lib/Ptx/Device.h"

#include "llvm/Support/MemoryBuffer.h"

#include "gtest/gtest.h"

#include <cmath>
#include <cstdlib>
#include <random>

using namespace mezzo;
using namespace mezzo::ptx;

namespace {

class PtxCuda : public ::testing::Test {
protected:
  Device device;
  std::shared_ptr<const Program> program;
  std::mt19937 random{5};

  void SetUp() override {
    if (std::string(MEZZO_CUDA_TEST_PTX).empty())
      GTEST_SKIP() << "no nvcc: install CUDA's compiler to run these tests";
    auto text = llvm::MemoryBuffer::getFile(MEZZO_CUDA_TEST_PTX);
    ASSERT_TRUE(bool(text));
    program = cantFail(device.load((*text)->getBuffer(), "CudaTest.ptx"));
  }

  template <typename T>
  uint64_t upload(const std::vector<T> &data) {
    uint64_t address = device.allocate(data.size() * sizeof(T));
    cantFail(device.write(address, data.data(), data.size() * sizeof(T)));
    return address;
  }
  template <typename T>
  std::vector<T> download(uint64_t address, size_t n) {
    std::vector<T> data(n);
    cantFail(device.read(address, data.data(), n * sizeof(T)));
    return data;
  }
  LaunchReport launch(const char *kernel, unsigned blocks, unsigned threads,
                      const Arguments &arguments) {
    return cantFail(device.launch(*program, kernel, {blocks, 1, 1},
                                  {threads, 1, 1}, 0, arguments));
  }
};

TEST_F(PtxCuda, Saxpy) {
  std::vector<float> x(1000), y(1000);
  for (unsigned i = 0; i < 1000; ++i) {
    x[i] = float(random()) * 0x1p-16f;
    y[i] = float(random());
  }
  uint64_t px = upload(x), py = upload(y);
  launch("saxpy", 8, 128, Arguments().add(1000).add(1.5f).add(px).add(py));
  std::vector<float> result = download<float>(py, 1000);
  for (unsigned i = 0; i < 1000; ++i)
    ASSERT_EQ(result[i], std::fmaf(1.5f, x[i], y[i]));
}

TEST_F(PtxCuda, Sum) {
  std::vector<int> x(5000), y(1, 0);
  int expected = 0;
  for (int &v : x)
    expected += v = int(random() % 1000) - 500;
  uint64_t px = upload(x), py = upload(y);
  launch("sum", 3, 256, Arguments().add(5000).add(px).add(py));
  EXPECT_EQ(download<int>(py, 1)[0], expected);
}

TEST_F(PtxCuda, Collatz) {
  std::vector<uint64_t> x(300);
  for (uint64_t &v : x)
    v = 1 + random() % 100000;
  std::vector<unsigned> steps(300);
  uint64_t px = upload(x), ps = upload(steps);
  launch("collatz", 3, 128, Arguments().add(300).add(px).add(ps));
  std::vector<unsigned> got = download<unsigned>(ps, 300);
  std::vector<uint64_t> values = download<uint64_t>(px, 300);
  for (unsigned i = 0; i < 300; ++i) {
    unsigned count = 0;
    for (uint64_t v = x[i]; v != 1; ++count)
      v = v % 2 ? 3 * v + 1 : v / 2;
    ASSERT_EQ(got[i], count);
    ASSERT_EQ(values[i], 1 + x[i] / 7 + x[i] % 1000003);
  }
}

TEST_F(PtxCuda, PipelinedProduct) {
  constexpr unsigned k = 160;
  std::vector<uint16_t> a(16 * k), b(16 * k);
  for (auto *matrix : {&a, &b})
    for (uint16_t &v : *matrix)
      v = f32ToF16(float(int(random() % 512) - 256) / 128);
  std::vector<float> c(256);
  uint64_t pa = upload(a), pb = upload(b), pc = upload(c);
  LaunchReport report = launch("product", 1, 256,
                               Arguments().add(int(k)).add(pa).add(pb).add(pc));
  EXPECT_EQ(report.mostCopyGroups, 3u);
  std::vector<float> got = download<float>(pc, 256);
  for (unsigned row = 0; row < 16; ++row)
    for (unsigned column = 0; column < 16; ++column) {
      float sum = 0;
      for (unsigned i = 0; i < k; ++i)
        sum = std::fmaf(f16ToF32(a[row * k + i]), f16ToF32(b[column * k + i]),
                        sum);
      ASSERT_EQ(got[row * 16 + column], sum);
    }
}

} // namespace
