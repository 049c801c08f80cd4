//===- TestKernel.h - Small kernels for the interpreter's tests -*- C++ -*-===//

#ifndef MEZZO_LIB_PTX_TESTKERNEL_H
#define MEZZO_LIB_PTX_TESTKERNEL_H

#include "lib/Ptx/Device.h"

#include "gtest/gtest.h"

#include <cstring>
#include <string>
#include <vector>

namespace mezzo::ptx {

/// A module with one kernel `k(u64 in, u64 out)`; %in and %out hold the global
/// addresses, %t the thread's number in its block.
inline std::string kernelText(const std::string &body,
                              const std::string &variables = "") {
  return ".version 8.0\n.target sm_80\n.address_size 64\n" + variables +
         ".visible .entry k(.param .u64 in, .param .u64 out)\n{\n"
         ".reg .pred %p<8>; .reg .b16 %h<16>; .reg .b32 %r<64>;"
         ".reg .f32 %f<32>; .reg .b64 %rd<32>; .reg .f64 %fd<8>;"
         ".reg .b64 %in, %out; .reg .b32 %t;\n"
         "ld.param.u64 %in, [in]; ld.param.u64 %out, [out];"
         "cvta.to.global.u64 %in, %in; cvta.to.global.u64 %out, %out;"
         "mov.u32 %t, %tid.x;\n" +
         body + "\nret;\n}\n";
}

/// Runs `k` over `input`; fills `output`, whose bytes begin as `output` has
/// them. The message of what went wrong, or "".
inline std::string runKernel(const std::string &text, unsigned threads,
                             llvm::ArrayRef<uint8_t> input,
                             std::vector<uint8_t> &output,
                             LaunchOptions options = {}, unsigned blocks = 1,
                             LaunchReport *report = nullptr) {
  Device device;
  auto program = device.load(text, "test.ptx");
  if (!program)
    return llvm::toString(program.takeError());
  uint64_t in = device.allocate(std::max<size_t>(input.size(), 1));
  uint64_t out = device.allocate(std::max<size_t>(output.size(), 1));
  cantFail(device.write(in, input.data(), input.size()));
  cantFail(device.write(out, output.data(), output.size()));
  auto result = device.launch(**program, "k", {blocks, 1, 1}, {threads, 1, 1},
                              0, Arguments().add(in).add(out), options);
  if (!result)
    return llvm::toString(result.takeError());
  if (report)
    *report = *result;
  cantFail(device.read(out, output.data(), output.size()));
  return "";
}

/// The bytes of a vector.
template <typename T>
llvm::ArrayRef<uint8_t> bytesOf(const std::vector<T> &v) {
  return {reinterpret_cast<const uint8_t *>(v.data()), v.size() * sizeof(T)};
}

/// Applies an instruction to rows of 64-bit operands: `code` computes from
/// %rd1, %rd2 and %rd3 (and the b32 parts %r1 to %r3, the b16 parts %h1 to %h3)
/// to %rd0. One result per row.
inline std::vector<uint64_t>
evaluate(const std::string &code,
         const std::vector<std::array<uint64_t, 3>> &rows) {
  std::string body =
      "mov.u32 %r60, %ctaid.x; mad.lo.u32 %r60, %r60, 256, %t;"
      "mul.wide.u32 %rd20, %r60, 24; add.u64 %rd20, %rd20, %in;"
      "mul.wide.u32 %rd21, %r60, 8; add.u64 %rd21, %rd21, %out;"
      "ld.global.u64 %rd1, [%rd20]; ld.global.u64 %rd2, [%rd20+8];"
      "ld.global.u64 %rd3, [%rd20+16]; cvt.u32.u64 %r1, %rd1;"
      "cvt.u32.u64 %r2, %rd2; cvt.u32.u64 %r3, %rd3; cvt.u16.u64 %h1, %rd1;"
      "cvt.u16.u64 %h2, %rd2; cvt.u16.u64 %h3, %rd3;\n" +
      code + "\nst.global.u64 [%rd21], %rd0;";
  unsigned blocks = (rows.size() + 255) / 256;
  std::vector<std::array<uint64_t, 3>> padded = rows;
  padded.resize(blocks * 256);
  std::vector<uint8_t> output(padded.size() * 8);
  std::string problem =
      runKernel(kernelText(body), 256, bytesOf(padded), output, {}, blocks);
  EXPECT_EQ(problem, "");
  std::vector<uint64_t> results(rows.size());
  std::memcpy(results.data(), output.data(), results.size() * 8);
  return results;
}

} // namespace mezzo::ptx

#endif // MEZZO_LIB_PTX_TESTKERNEL_H
