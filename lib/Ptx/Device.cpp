//===- Device.cpp - A GPU that executes PTX text --------------------------===//

#include "lib/Ptx/Device.h"

#include "lib/Ptx/Decode.h"

using namespace mezzo::ptx;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

namespace mezzo::ptx {

/// A module whose instructions are decoded and whose variables have a place.
class Program {
public:
  Module module;
  std::vector<std::vector<Step>> steps; ///< Of each kernel.
  SymbolAddresses symbols;
};

} // namespace mezzo::ptx

struct Device::State {
  GlobalMemory memory;
  OpcodeTable opcodes;
  uint32_t launches = 0;
};

Device::Device() : state(std::make_unique<State>()) {
  for (auto add : {addArithmetic, addBits, addFloat, addComparisons,
                   addConversions, addMoves, addMemory, addAtomics, addCopies,
                   addControl, addWarpWide, addMatrix})
    add(state->opcodes);
}

Device::~Device() = default;

Expected<std::shared_ptr<const Program>> Device::load(StringRef text,
                                                      StringRef name) {
  Expected<Module> module = parseModule(text, name);
  if (!module)
    return module.takeError();
  auto program = std::make_shared<Program>();
  program->module = std::move(*module);
  for (const Variable &variable : program->module.variables) {
    if (variable.space != Space::Global && variable.space != Space::Const)
      continue;
    uint64_t address = state->memory.allocate(variable.size);
    program->symbols[variable.name] = address;
    // Variables without an initial value are zero.
    std::vector<uint8_t> init = variable.init;
    init.resize(variable.size);
    cantFail(write(address, init.data(), init.size()));
  }
  for (const Kernel &kernel : program->module.kernels) {
    std::vector<Step> &steps = program->steps.emplace_back();
    for (const Instruction &instruction : kernel.instructions) {
      Expected<Step> step =
          Decoder(kernel, instruction, program->symbols).run(state->opcodes);
      if (!step)
        return errorAt(name, instruction.line,
                       llvm::toString(step.takeError()) + ": '" +
                           instruction.text + "'");
      steps.push_back(std::move(*step));
    }
  }
  return program;
}

uint64_t Device::allocate(uint64_t size) {
  return state->memory.allocate(size);
}

Error Device::free(uint64_t address) {
  if (state->memory.free(address))
    return Error::success();
  return llvm::createStringError(
      "0x%llx is not the beginning of an allocation of device memory",
      (unsigned long long)address);
}

/// The message for a host access outside of all allocations.
static Error outOfBounds(const GlobalMemory &memory, uint64_t address,
                         uint64_t size) {
  return llvm::createStringError(
      "%llu bytes of device memory at 0x%llx are not there: %s",
      (unsigned long long)size, (unsigned long long)address,
      memory.describe(address).c_str());
}

Error Device::write(uint64_t address, const void *data, uint64_t size) {
  uint64_t offset;
  TracedMemory *memory = state->memory.find(address, size, offset);
  if (!memory)
    return outOfBounds(state->memory, address, size);
  memory->write(offset, data, size);
  return Error::success();
}

Error Device::read(uint64_t address, void *data, uint64_t size) {
  uint64_t offset;
  TracedMemory *memory = state->memory.find(address, size, offset);
  if (!memory)
    return outOfBounds(state->memory, address, size);
  if (memory->hasUnwritten(offset, size))
    return llvm::createStringError(
        "device memory at 0x%llx holds bytes that nobody wrote",
        (unsigned long long)address);
  std::memcpy(data, memory->data() + offset, size);
  return Error::success();
}

Expected<uint64_t> Device::symbol(const Program &program, StringRef name) {
  auto it = program.symbols.find(name);
  if (it == program.symbols.end())
    return llvm::createStringError("no variable '" + name + "' in " +
                                   program.module.name);
  return it->second;
}

/// What is wrong with the shape of a launch; nothing if it can run.
static std::string checkLaunch(const Kernel &kernel, Dim3 grid, Dim3 block,
                               uint64_t sharedBytes, size_t paramBytes) {
  auto show = [](unsigned x, unsigned y, unsigned z) {
    return std::to_string(x) + "x" + std::to_string(y) + "x" +
           std::to_string(z);
  };
  std::string shape = show(block.x, block.y, block.z);
  if (grid.count() == 0 || block.count() == 0)
    return "no threads to launch";
  if (block.count() > 1024)
    return "blocks of " + shape + " threads: a block has at most 1024";
  if (grid.count() >= (1u << 22))
    return "more blocks than the interpreter numbers: " +
           std::to_string(grid.count());
  const unsigned *required = kernel.requiredThreads, *most = kernel.maxThreads;
  if (required[0] && (block.x != required[0] || block.y != required[1] ||
                      block.z != required[2]))
    return "blocks of " + shape + " threads, the kernel requires " +
           show(required[0], required[1], required[2]);
  if (most[0] && block.count() > uint64_t(most[0]) * most[1] * most[2])
    return "blocks of " + shape + " threads, the kernel allows at most " +
           show(most[0], most[1], most[2]);
  if (sharedBytes > 227 * 1024)
    return std::to_string(sharedBytes) +
           " bytes of shared memory: a block has at most 232448";
  if (paramBytes < kernel.paramBytes)
    return std::to_string(paramBytes) +
           " bytes of parameters, the kernel has " +
           std::to_string(kernel.paramBytes);
  return "";
}

Expected<LaunchReport> Device::launch(const Program &program, StringRef name,
                                      Dim3 grid, Dim3 block,
                                      uint64_t dynamicSharedBytes,
                                      llvm::ArrayRef<uint8_t> params,
                                      const LaunchOptions &options) {
  const Module &module = program.module;
  const Kernel *kernel = module.lookup(name);
  if (!kernel)
    return llvm::createStringError("no kernel '" + name + "' in " +
                                   module.name);
  uint64_t sharedBytes = kernel->sharedBytes + dynamicSharedBytes;
  std::string problem =
      checkLaunch(*kernel, grid, block, sharedBytes, params.size());
  if (!problem.empty())
    return llvm::createStringError("cannot launch '" + name + "': " + problem);
  Grid run(module.name, *kernel, grid, block, params, options, state->memory,
           ++state->launches);
  const auto &steps = program.steps[kernel - module.kernels.data()];
  if (!run.run(steps, sharedBytes))
    return llvm::createStringError(run.failure);
  return std::move(run.report);
}
