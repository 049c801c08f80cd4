//===- ProjectFiles.cpp - how a folder is built ---------------------------===//

#include "targets/HlsC/Project.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace mezzo;
using namespace mezzo::hlsc;
using llvm::StringRef;

static const char cMakefile[] =
    R"(# Written by mezzo. `make check` compiles the kernel, runs it on the vectors of the reference and compares all bits.
CC = gcc
# No contraction: a product and a sum round each by itself where the program says so.
CFLAGS = -std=c99 -O2 -Wall -Wextra -Werror -pedantic -ffp-contract=off
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all
CROSS = arm-none-eabi-gcc
CROSSFLAGS = -mcpu=cortex-m7 -mthumb -mfpu=fpv5-d16 -mfloat-abi=hard

all: bench

bench: bench.c kernel.c kernel.h weights.h vectors.h
	$(CC) $(CFLAGS) -DMEZZO_COUNT bench.c kernel.c -o $@ -lm

check: bench
	./bench

bench-sanitized: bench.c kernel.c kernel.h weights.h vectors.h
	$(CC) $(CFLAGS) $(SANITIZE) -g -DMEZZO_COUNT bench.c kernel.c -o $@ -lm

check-sanitized: bench-sanitized
	./bench-sanitized

# An object for a Cortex-M7.
cortex-m7: kernel.c kernel.h weights.h
	$(CROSS) $(CFLAGS) $(CROSSFLAGS) -c kernel.c -o kernel-cortex-m7.o

clean:
	rm -f bench bench-sanitized kernel-cortex-m7.o

.PHONY: all check check-sanitized cortex-m7 clean
)";

static const char hlsMakefile[] =
    R"(# Written by mezzo. `make check` simulates the kernel with g++: processes are threads, FIFOs have the depths that are
# written down, and all bits are compared with the reference. AP_TYPES is a folder with ap_int.h, such as
# hls4ml/templates/vivado/ap_types of the Python package hls4ml, or `include` of Vitis. (C++20, since ap_int.h shifts
# negative numbers, which had no meaning before.)
AP_TYPES ?= ap_types
CXX = g++
CXXFLAGS = -std=c++20 -O1 -ffp-contract=off -Wall -Wextra -Werror -Wno-unknown-pragmas
# What ap_int.h does inside.
CXXFLAGS += -Wno-uninitialized -Wno-maybe-uninitialized
SANITIZE = -fsanitize=undefined -fno-sanitize-recover=all
SIMULATION = -DMEZZO_SIMULATION -DMEZZO_COUNT -Isim -isystem $(AP_TYPES) -pthread

all: bench

bench: bench.cpp kernel.cpp kernel.h weights.h vectors.h dataflow.h sim/hls_stream.h
	$(CXX) $(CXXFLAGS) $(SANITIZE) $(SIMULATION) bench.cpp kernel.cpp -o $@

check: bench
	./bench

# Synthesis, with Vitis.
synthesis:
	v++ -c --mode hls --config hls.cfg --work_dir hls

clean:
	rm -f bench

.PHONY: all check synthesis clean
)";

std::string mezzo::hlsc::makeFile(const Project &p) {
  return p.isHls() ? hlsMakefile : cMakefile;
}

static std::string text(llvm::function_ref<void(llvm::raw_ostream &)> write) {
  std::string result;
  llvm::raw_string_ostream os(result);
  write(os);
  return result;
}

std::string mezzo::hlsc::configFile(const Project &p) {
  return text([&](llvm::raw_ostream &os) {
    os << "# Written by mezzo: v++ -c --mode hls --config hls.cfg --work_dir "
          "hls\n"
       << "part=xcu280-fsvh2892-2L-e\n\n[hls]\nflow_target=vivado\n"
       << "clock=" << llvm::format("%gns", p.kernel.knobs.clockNs) << "\n"
       << "syn.top=" << p.plan().name << "_kernel\nsyn.file=kernel.cpp\n"
       << "tb.file=bench.cpp\n";
  });
}

std::string mezzo::hlsc::tclFile(const Project &p) {
  return text([&](llvm::raw_ostream &os) {
    os << "# Written by mezzo: vitis_hls -f run_hls.tcl\n"
       << "open_project -reset " << p.plan().name << "_hls\n"
       << "set_top " << p.plan().name << "_kernel\n"
       << "add_files kernel.cpp\nadd_files -tb bench.cpp\n"
       << "open_solution -reset solution\n"
       << "set_part xcu280-fsvh2892-2L-e\n"
       << "create_clock -period " << llvm::format("%g", p.kernel.knobs.clockNs)
       << "\n"
       << "csim_design\ncsynth_design\nexit\n";
  });
}

/// Bytes of constants, and of the arrays between stages.
std::string mezzo::hlsc::memoryEstimate(const Project &p) {
  int64_t constants = 0, buffers = 0;
  for (const ConstantArray &array : p.kernel.constants)
    constants += array.floats.size() * 4 + array.integers.size() * 2 +
                 array.words.size() * array.wordBytes;
  for (const Wire &wire : p.plan().wires)
    if (wire.producer >= 0 && !wire.isOutput)
      buffers +=
          p.kernel.rowElements(wire) * (wire.kind == Wire::Kind::Floats   ? 4
                                        : wire.kind == Wire::Kind::Tables ? 2
                                                                          : 1);
  return "estimate: " + std::to_string(constants) + " bytes of constants, " +
         std::to_string(buffers) +
         " bytes of buffers between stages, without code and stack";
}

std::string mezzo::hlsc::readmeFile(const Project &p,
                                    const Estimate &estimate) {
  const Knobs &knobs = p.kernel.knobs;
  return text([&](llvm::raw_ostream &os) {
    os << "# " << p.plan().name << "_kernel\n\nWritten by mezzo. `make check` "
       << "runs the kernel on vectors of the reference arithmetic and compares "
          "all bits.\n\n"
       << "* engine: " << name(knobs.engine) << "\n"
       << "* multiplications of scales in a run: " << p.scaleMultiplies()
       << "\n";
    if (!p.isHls()) {
      os << "* " << memoryEstimate(p) << "\n";
      return;
    }
    os << "* interface: "
       << (knobs.interface == Knobs::Interface::MAxi ? "m_axi" : "AXI-Stream")
       << ", clock: " << llvm::format("%g", knobs.clockNs) << " ns\n"
       << "* " << estimate.summary() << "\n\n"
       << estimate.table()
       << "\nThese are estimates, from loop counts and from what operations "
          "usually take; nothing was synthesized. The part in `hls.cfg` and "
          "`run_hls.tcl` is an example: write your own.\n";
  });
}
