//===- LinkTest.cpp - Objects, weights and the runtime become one ---------===//

#include "targets/Common/Link.h"

#include "include/mezzo/model.h"
#include "lib/Weights/EmbeddedObject.h"
#include "lib/Weights/WeightFile.h"
#include "runtime/abi.h"
#include "targets/Common/Object.h"
#include "targets/Common/Runtime.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/Module.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"
#include "gtest/gtest.h"

#include <dlfcn.h>

using namespace mezzo;
using llvm::StringRef;

// The compiler writes what the runtime reads.
static_assert(sizeof(WeightFileHeader) == sizeof(mezzo_weights_header));
static_assert(offsetof(WeightFileHeader, magic) ==
              offsetof(mezzo_weights_header, magic));
static_assert(offsetof(WeightFileHeader, version) ==
              offsetof(mezzo_weights_header, version));
static_assert(offsetof(WeightFileHeader, headerBytes) ==
              offsetof(mezzo_weights_header, header_bytes));
static_assert(offsetof(WeightFileHeader, payloadBytes) ==
              offsetof(mezzo_weights_header, payload_bytes));
static_assert(offsetof(WeightFileHeader, payloadHash) ==
              offsetof(mezzo_weights_header, payload_hash));
static_assert(weightPayloadOffset % MEZZO_WEIGHTS_ALIGNMENT == 0);

namespace {

std::string message(llvm::Error error) {
  return llvm::toString(std::move(error));
}

Target level3() { return llvm::cantFail(lookupTarget("x86-64-v3")); }

std::unique_ptr<llvm::Module> parse(StringRef text,
                                    llvm::LLVMContext &context) {
  llvm::SMDiagnostic diagnostic;
  auto module = llvm::parseAssemblyString(text, diagnostic, context);
  EXPECT_TRUE(module) << diagnostic.getMessage().str();
  return module;
}

llvm::SmallVector<char, 0> compile(StringRef text) {
  llvm::LLVMContext context;
  return llvm::cantFail(emitObject(*parse(text, context), level3()));
}

class Link : public ::testing::Test {
protected:
  void SetUp() override {
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("mezzo-link", folder));
  }
  void TearDown() override {
    for (void *handle : handles)
      dlclose(handle);
    llvm::sys::fs::remove_directories(folder);
  }

  std::string path(StringRef name) {
    llvm::SmallString<128> full = folder;
    llvm::sys::path::append(full, name);
    return full.str().str();
  }
  std::string read(StringRef name) {
    auto buffer = llvm::MemoryBuffer::getFile(path(name), false, false);
    return buffer ? (*buffer)->getBuffer().str() : std::string();
  }
  size_t filesInFolder() {
    std::error_code code;
    size_t count = 0;
    for (llvm::sys::fs::directory_iterator it(folder, code), end;
         it != end && !code; it.increment(code))
      ++count;
    return count;
  }
  void *open(StringRef name) {
    void *handle = dlopen(path(name).c_str(), RTLD_NOW | RTLD_LOCAL);
    EXPECT_TRUE(handle) << dlerror();
    if (handle)
      handles.push_back(handle);
    return handle;
  }

  llvm::SmallString<128> folder;
  std::vector<void *> handles;
};

constexpr StringRef twoFunctions = R"(
  @unreached = constant [17 x i8] c"nobody reads this"
  define i32 @visible(i32 %x) {
    %r = call i32 @hidden(i32 %x)
    ret i32 %r
  }
  define i32 @hidden(i32 %x) {
    %r = add i32 %x, 1
    ret i32 %r
  }
)";

TEST_F(Link, OnlyWhatIsExportedIsVisible) {
  auto object = compile(twoFunctions);
  ASSERT_EQ(message(linkSharedObject(LinkInput::object(object), path("a.so"),
                                     {"visible"})),
            "");
  void *handle = open("a.so");
  ASSERT_TRUE(handle);
  auto *visible = reinterpret_cast<int (*)(int)>(dlsym(handle, "visible"));
  ASSERT_TRUE(visible);
  EXPECT_EQ(visible(41), 42);
  EXPECT_FALSE(dlsym(handle, "hidden"));
  EXPECT_FALSE(StringRef(read("a.so")).contains("nobody reads this"));
  EXPECT_TRUE(llvm::sys::fs::can_execute(path("a.so")));
  EXPECT_EQ(filesInFolder(), 1u);
}

TEST_F(Link, SameInputsSameBytes) {
  auto object = compile(twoFunctions);
  ASSERT_FALSE(llvm::sys::fs::create_directory(path("sub")));
  for (StringRef name : {"a.so", "sub/a.so"})
    ASSERT_EQ(message(linkSharedObject(LinkInput::object(object), path(name),
                                       {"visible"})),
              "");
  EXPECT_EQ(read("a.so"), read("sub/a.so"));
}

TEST_F(Link, ErrorsLeaveNoFile) {
  auto object = compile(twoFunctions);
  std::string missing = message(
      linkSharedObject(LinkInput::object(object), path("a.so"), {"absent"}));
  EXPECT_TRUE(StringRef(missing).contains("absent")) << missing;
  EXPECT_EQ(message(linkSharedObject(LinkInput::object(object), path("a.so"),
                                     {"vis*"})),
            "cannot export the symbol 'vis*': it must be letters, digits and "
            "underscores");
  std::string garbage = message(linkSharedObject(LinkInput::file(path("no.o")),
                                                 path("a.so"), {"visible"}));
  EXPECT_TRUE(StringRef(garbage).contains("no.o")) << garbage;
  EXPECT_EQ(filesInFolder(), 0u);
  EXPECT_NE(message(linkSharedObject(LinkInput::object(object),
                                     path("none/a.so"), {"visible"})),
            "");
  // The linker still works after its errors.
  EXPECT_EQ(message(linkSharedObject(LinkInput::object(object), path("a.so"),
                                     {"visible"})),
            "");
}

TEST_F(Link, FailureKeepsTheOldFile) {
  auto object = compile(twoFunctions);
  ASSERT_EQ(message(linkSharedObject(LinkInput::object(object), path("a.so"),
                                     {"visible"})),
            "");
  std::string before = read("a.so");
  EXPECT_NE(message(linkSharedObject(LinkInput::object(object), path("a.so"),
                                     {"absent"})),
            "");
  EXPECT_EQ(read("a.so"), before);
}

TEST_F(Link, EmbeddedWeightsArriveAlignedAndWhole) {
  std::vector<uint8_t> payload(100000);
  for (size_t i = 0; i < payload.size(); ++i)
    payload[i] = i * 2654435761u >> 13;
  auto weights = llvm::cantFail(EmbeddedObject::create(
      path("weights.o"), EmbeddedObject::Machine::X86_64));
  llvm::cantFail(weights->write(0, payload));
  llvm::cantFail(weights->finish(payload.size() + 64));

  auto object = compile(R"(
    @mezzo_weights_payload = external hidden constant i8
    @description = constant ptr @mezzo_weights_payload
    define ptr @weights() {
      %p = load volatile ptr, ptr @description
      ret ptr %p
    }
  )");
  LinkInput inputs[] = {LinkInput::object(object),
                        LinkInput::file(path("weights.o"))};
  ASSERT_EQ(message(linkSharedObject(inputs, path("a.so"), {"weights"})), "");
  void *handle = open("a.so");
  ASSERT_TRUE(handle);
  auto *get = reinterpret_cast<const uint8_t *(*)()>(dlsym(handle, "weights"));
  ASSERT_TRUE(get);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(get()) % 4096, 0u);
  EXPECT_TRUE(std::equal(payload.begin(), payload.end(), get()));
  EXPECT_FALSE(dlsym(handle, weightPayloadSymbol));
}

/// The smallest model: no inputs, no outputs, a signature.
std::string smallestModel(StringRef api) {
  return (R"(
    %module = type { i64, ptr, ptr, ptr, ptr, ptr, i64, i64, ptr, ptr, i64, ptr, i64, ptr, [32 x i8], i64 }
    @name = private constant [6 x i8] c"small\00"
    @json = private constant [3 x i8] c"{}\00"
    @features = private constant [1 x i8] zeroinitializer
    @mezzo_rt_module = constant %module { i64 1, ptr @name, ptr @json, ptr @features, ptr null, ptr null, i64 0, i64 0,
      ptr @shapes, ptr @run, i64 0, ptr null, i64 0, ptr null, [32 x i8] zeroinitializer, i64 0 }
    declare ptr @mezzo_rt_api(i32)
    define ptr @)" +
          api + R"((i32 %version) {
      %r = call ptr @mezzo_rt_api(i32 %version)
      ret ptr %r
    }
    define i32 @shapes(ptr, ptr) { ret i32 0 }
    define void @run(ptr, ptr, ptr, ptr, ptr) { ret void }
  )")
      .str();
}

TEST_F(Link, RuntimeJoinsTheModel) {
  static_assert(sizeof(mezzo_module) == 152, "smallestModel has its layout");
  for (StringRef name : {"one", "two"}) {
    std::string api = (name + "_api").str(), file = (name + ".so").str();
    llvm::LLVMContext context;
    auto module = parse(smallestModel(api), context);
    ASSERT_EQ(message(linkRuntime(*module, level3(), api)), "");
    auto object = llvm::cantFail(emitObject(*module, level3()));
    ASSERT_EQ(
        message(linkSharedObject(LinkInput::object(object), path(file), {api})),
        "");
    // Both stay open: two models in one process.
    void *handle = open(file);
    ASSERT_TRUE(handle);
    auto *get = reinterpret_cast<const mezzo_api *(*)(uint32_t)>(
        dlsym(handle, api.c_str()));
    ASSERT_TRUE(get);
    EXPECT_FALSE(get(12345));
    const mezzo_api *table = get(MEZZO_ABI_VERSION);
    ASSERT_TRUE(table);
    EXPECT_EQ(table->version, uint32_t(MEZZO_ABI_VERSION));
    EXPECT_FALSE(dlsym(handle, "mezzo_rt_api"));
    EXPECT_FALSE(dlsym(handle, "mezzo_rt_module"));
  }
}

TEST_F(Link, RuntimeNeedsTheApiAndKnowsItsOwnNames) {
  llvm::LLVMContext context;
  auto module = parse(smallestModel("demo_api"), context);
  EXPECT_EQ(message(linkRuntime(*module, level3(), "other_api")),
            "the module does not define 'other_api', the function that a model "
            "exports");

  module = parse(smallestModel("demo_api") + R"(
    declare void @mezzo_rt_misspelt()
    define void @f() { call void @mezzo_rt_misspelt() ret void }
  )",
                 context);
  EXPECT_EQ(message(linkRuntime(*module, level3(), "demo_api")),
            "'mezzo_rt_misspelt' is used, but neither the model nor the "
            "runtime defines it");

  module = parse(smallestModel("demo_api") +
                     "define void @mezzo_rt_fail(ptr, i64, ptr) { ret void }",
                 context);
  EXPECT_TRUE(StringRef(message(linkRuntime(*module, level3(), "demo_api")))
                  .starts_with("cannot join the model and its runtime: "));

  module = parse("define void @demo_api() { ret void }", context);
  Target old = level3();
  old.triple = "i386-unknown-linux-gnu";
  EXPECT_EQ(message(linkRuntime(*module, old, "demo_api")),
            "there is no runtime for i386 yet: compile for x86-64 or aarch64, "
            "or stop at --emit=llvm");
}

/// Every target has a runtime, and what is left undefined is the C library's.
TEST_F(Link, RuntimeJoinsModelsOfOtherMachines) {
  for (const std::string &name : targetNames()) {
    if (name == "native")
      continue;
    Target target = llvm::cantFail(lookupTarget(name));
    if (target.writeFolder)
      continue; // has no objects
    llvm::LLVMContext context;
    auto module = parse(smallestModel("demo_api"), context);
    ASSERT_EQ(message(linkRuntime(*module, target, "demo_api")), "") << name;
    auto object = llvm::cantFail(emitObject(*module, target));
    ASSERT_EQ(message(linkSharedObject(LinkInput::object(object), path("a.so"),
                                       {"demo_api"})),
              "")
        << name;
    auto binary = llvm::cantFail(
        llvm::object::ObjectFile::createObjectFile(path("a.so")));
    auto *elf = llvm::cast<llvm::object::ELFObjectFileBase>(binary.getBinary());
    EXPECT_EQ(elf->getArch(), llvm::Triple(target.triple).getArch()) << name;
    for (llvm::object::ELFSymbolRef symbol : elf->getDynamicSymbolIterators()) {
      StringRef symbolName = llvm::cantFail(symbol.getName());
      EXPECT_FALSE(symbolName.starts_with("__aarch64_") ||
                   symbolName.starts_with("mezzo_"))
          << name << " leaves " << symbolName.str() << " undefined";
    }
  }
}

} // namespace
