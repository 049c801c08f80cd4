//===- SpellingCases.cpp - What a spelling must compute -------------------===//

#include "targets/Common/SpellingCases.h"

#include "dialects/Tile/Tile.h"
#include "targets/Common/Link.h"
#include "targets/Common/Object.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/FormatVariadic.h"

#include <cstring>
#include <random>

using namespace mezzo;
using llvm::StringRef;

namespace {

//===----------------------------------------------------------------------===//
// Fields
//===----------------------------------------------------------------------===//

/// All fields of all pairs of bytes: neighbours must not leak into each other.
void addFields(std::vector<SpellingCase> &cases, int vectorBytes) {
  constexpr int pairs = 1 << 16;
  Buffer in(2 * pairs);
  for (unsigned pair = 0; pair < pairs; ++pair) {
    in[2 * pair] = pair;
    in[2 * pair + 1] = pair >> 8;
  }
  for (int width = 1; width <= 8; ++width)
    for (int shift = 0; shift + width <= 8; ++shift)
      for (int to = 0; to + width <= 8; ++to) {
        SpellingCase field;
        field.name = llvm::formatv("field_{0}_{1}_{2}", shift, width, to);
        field.text =
            llvm::formatv(R"(
          func.func @{0}(%in: memref<{4}xi8>, %out: memref<{4}xi8>) {{
            %zero = arith.constant 0 : index
            %step = arith.constant {5} : index
            %end = arith.constant {4} : index
            scf.for %i = %zero to %end step %step {{
              %v = vector.load %in[%i] : memref<{4}xi8>, vector<{5}xi8>
              %f = tile.field %v shift = {1} width = {2} to = {3} : vector<{5}xi8>
              vector.store %f, %out[%i] : memref<{4}xi8>, vector<{5}xi8>
            }
            return
          }
        )",
                          field.name, shift, width, to, in.size(), vectorBytes);
        field.inputs = {in};
        for (uint8_t byte : in)
          field.expected.push_back(((byte >> shift) & ((1 << width) - 1))
                                   << to);
        cases.push_back(std::move(field));
      }
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// Bytes of operands that a product is tried on.
constexpr int TrialBytes = 8192 * 32;

/// Extreme and random operands, and what they make. The first 256 trials: all
/// choices of extremes in the four bytes of every lane. The rest: any operand,
/// a third of them extreme.
template <typename Lane>
SpellingCase productCase(StringRef op, ProductRanges r, int vectorBytes) {
  const int lanes = vectorBytes / sizeof(Lane), perLane = sizeof(Lane);
  SpellingCase product{
      productName(op, r), productText(op, r, vectorBytes), {}, {}};
  Buffer accs(TrialBytes), codes = accs, activations = accs;
  product.expected = accs;
  std::mt19937 random(4);
  int lowest = -r.amax, highest = std::min(r.amax, 127);
  for (int trial = 0; trial < TrialBytes / vectorBytes; ++trial) {
    int at = trial * vectorBytes;
    for (int i = 0; i < vectorBytes; ++i) {
      bool high = trial < 256 ? trial >> (i % 4) & 1 : random() & 1;
      bool far = trial < 256 ? trial >> (4 + i % 4) & 1 : random() & 1;
      bool extreme = trial < 256 || random() % 3 == 0;
      codes[at + i] = extreme ? (high ? r.high : r.low)
                              : r.low + int(random() % (r.high - r.low + 1));
      activations[at + i] =
          extreme ? (far ? highest : lowest)
                  : lowest + int(random() % (highest - lowest + 1));
    }
    for (int lane = 0; lane < lanes; ++lane) {
      Lane acc = random();
      uint32_t sum = acc; // wraps, as lanes do
      for (int i = at + perLane * lane; i < at + perLane * (lane + 1); ++i)
        sum += (r.low < 0 ? int(int8_t(codes[i])) : int(codes[i])) *
               int(int8_t(activations[i]));
      Lane end = Lane(sum);
      std::memcpy(&accs[at + perLane * lane], &acc, sizeof(Lane));
      std::memcpy(&product.expected[at + perLane * lane], &end, sizeof(Lane));
    }
  }
  product.inputs = {std::move(accs), std::move(codes), std::move(activations)};
  return product;
}

/// Both sides of every limit that a machine has met: 2 * |c| * amax = 32767,
/// codes above 127, every width, both signs.
void addProducts(std::vector<SpellingCase> &cases, int vectorBytes) {
  for (ProductRanges r : std::initializer_list<ProductRanges>{
           {0, 255, 128},    {0, 255, 127}, {0, 255, 64},     {0, 128, 128},
           {0, 127, 128},    {0, 128, 127}, {0, 127, 127},    {0, 129, 127},
           {0, 63, 128},     {0, 31, 128},  {0, 15, 128},     {0, 15, 127},
           {0, 3, 127},      {0, 1, 127},   {0, 0, 0},        {-128, 127, 128},
           {-128, 127, 127}, {-8, 7, 127},  {-127, 127, 127}, {-1, 1, 128},
           {-1, 0, 127}})
    cases.push_back(productCase<int32_t>("dot", r, vectorBytes));
  for (ProductRanges r : std::initializer_list<ProductRanges>{{0, 127, 128},
                                                              {0, 255, 64},
                                                              {0, 255, 8},
                                                              {0, 129, 127},
                                                              {0, 63, 127},
                                                              {0, 15, 127},
                                                              {0, 1, 128},
                                                              {-128, 127, 127},
                                                              {-127, 127, 128},
                                                              {-4, 3, 127},
                                                              {-1, 1, 127}})
    cases.push_back(productCase<int16_t>("dot_pairs", r, vectorBytes));
}

void addPairSums(std::vector<SpellingCase> &cases, int vectorBytes) {
  constexpr int count = TrialBytes / 4; // lanes
  SpellingCase sums;
  sums.name = "add_pairs";
  sums.text = llvm::formatv(R"(
    func.func @add_pairs(%accs: memref<{0}xi32>, %words: memref<{1}xi16>,
                         %out: memref<{0}xi32>) {{
      %zero = arith.constant 0 : index
      %step = arith.constant {2} : index
      %two = arith.constant 2 : index
      %end = arith.constant {0} : index
      scf.for %i = %zero to %end step %step {{
        %j = arith.muli %i, %two : index
        %s = vector.load %accs[%i] : memref<{0}xi32>, vector<{2}xi32>
        %w = vector.load %words[%j] : memref<{1}xi16>, vector<{3}xi16>
        %r = tile.add_pairs %s, %w : vector<{3}xi16> -> vector<{2}xi32>
        vector.store %r, %out[%i] : memref<{0}xi32>, vector<{2}xi32>
      }
      return
    }
  )",
                            count, 2 * count, vectorBytes / 4, vectorBytes / 2);
  std::vector<int32_t> accs(count), expected;
  std::vector<int16_t> words(2 * count);
  std::mt19937 random(5);
  for (int16_t &word : words)
    word = random() % 3 ? random() : random() & 1 ? INT16_MIN : INT16_MAX;
  for (size_t i = 0; i < accs.size(); ++i) {
    accs[i] = random();
    expected.push_back(uint32_t(accs[i]) +
                       uint32_t(words[2 * i] + words[2 * i + 1]));
  }
  auto bytes = [](const auto &values) {
    auto *begin = reinterpret_cast<const uint8_t *>(values.data());
    return Buffer(begin, begin + values.size() * sizeof(values[0]));
  };
  sums.inputs = {bytes(accs), bytes(words)};
  sums.expected = bytes(expected);
  cases.push_back(std::move(sums));
}

/// Tables with bytes of both signs; every index at every place of a vector.
constexpr int Tables = 64;

void addLookups(std::vector<SpellingCase> &cases, int vectorBytes) {
  SpellingCase lookup{"lookup", lookupText(vectorBytes), {}, {}};
  Buffer tables(Tables * 16), indices(Tables * vectorBytes);
  std::mt19937 random(6);
  for (uint8_t &entry : tables)
    entry = random();
  for (int table = 0; table < Tables; ++table)
    for (int i = 0; i < vectorBytes; ++i) {
      uint8_t &index = indices[table * vectorBytes + i];
      index = table < 16 ? (table + i) % 16 : random() % 16;
      lookup.expected.push_back(tables[table * 16 + index]);
    }
  lookup.inputs = {std::move(tables), std::move(indices)};
  cases.push_back(std::move(lookup));
}

/// Every address of 64 bytes that has four bytes behind it.
void addBroadcasts(std::vector<SpellingCase> &cases, int vectorBytes) {
  SpellingCase broadcast{
      "broadcast", broadcastText(vectorBytes), {Buffer(64)}, {}};
  for (int i = 0; i < 64; ++i)
    broadcast.inputs[0][i] = 3 * i;
  for (int at = 0; at <= 60; ++at)
    for (int i = 0; i < vectorBytes; ++i)
      broadcast.expected.push_back(broadcast.inputs[0][at + i % 4]);
  cases.push_back(std::move(broadcast));
}

} // namespace

std::string mezzo::productName(StringRef op, ProductRanges r) {
  return llvm::formatv("{0}_{1}_{2}_{3}", op, -r.low, r.high, r.amax);
}

std::string mezzo::productText(StringRef op, ProductRanges r, int vectorBytes) {
  int laneBytes = op == "dot_pairs" ? 2 : 4;
  return llvm::formatv(R"(
    func.func @{0}(%accs: memref<{1}x{3}>, %codes: memref<{2}xi8>,
                   %activations: memref<{2}xi8>, %out: memref<{1}x{3}>) {{
      %zero = arith.constant 0 : index
      %lanes = arith.constant {4} : index
      %bytes = arith.constant {5} : index
      %end = arith.constant {1} : index
      scf.for %i = %zero to %end step %lanes {{
        %j = arith.muli %i, %bytes : index
        %s = vector.load %accs[%i] : memref<{1}x{3}>, vector<{4}x{3}>
        %x = vector.load %codes[%j] : memref<{2}xi8>, vector<{10}xi8>
        %y = vector.load %activations[%j] : memref<{2}xi8>, vector<{10}xi8>
        %r = tile.{6} %s, %x in [{7}, {8}], %y amax = {9}
           : vector<{10}xi8> -> vector<{4}x{3}>
        vector.store %r, %out[%i] : memref<{1}x{3}>, vector<{4}x{3}>
      }
      return
    }
  )",
                       productName(op, r), TrialBytes / laneBytes, TrialBytes,
                       laneBytes == 2 ? "i16" : "i32", vectorBytes / laneBytes,
                       laneBytes, op, r.low, r.high, r.amax, vectorBytes);
}

std::string mezzo::broadcastText(int vectorBytes) {
  return llvm::formatv(R"(
    func.func @broadcast(%in: memref<64xi8>, %out: memref<{0}xi8>) {{
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %size = arith.constant {1} : index
      %end = arith.constant 61 : index
      scf.for %i = %zero to %end step %one {{
        %r = tile.broadcast_group %in[%i] : memref<64xi8> -> vector<{1}xi8>
        %j = arith.muli %i, %size : index
        vector.store %r, %out[%j] : memref<{0}xi8>, vector<{1}xi8>
      }
      return
    }
  )",
                       61 * vectorBytes, vectorBytes);
}

std::string mezzo::lookupText(int vectorBytes) {
  return llvm::formatv(R"(
    func.func @lookup(%tables: memref<{0}xi8>, %indices: memref<{1}xi8>,
                      %out: memref<{1}xi8>) {{
      %zero = arith.constant 0 : index
      %times = arith.constant {2} : index
      %size = arith.constant 16 : index
      %end = arith.constant {0} : index
      scf.for %i = %zero to %end step %size {{
        %j = arith.muli %i, %times : index
        %t = vector.load %tables[%i] : memref<{0}xi8>, vector<16xi8>
        %x = vector.load %indices[%j] : memref<{1}xi8>, vector<{3}xi8>
        %r = tile.lookup %t[%x] : vector<16xi8>, vector<{3}xi8>
        vector.store %r, %out[%j] : memref<{1}xi8>, vector<{3}xi8>
      }
      return
    }
  )",
                       Tables * 16, Tables * vectorBytes, vectorBytes / 16,
                       vectorBytes);
}

std::vector<SpellingCase> mezzo::spellingCases(int vectorBytes) {
  std::vector<SpellingCase> cases;
  addFields(cases, vectorBytes);
  addProducts(cases, vectorBytes);
  addPairSums(cases, vectorBytes);
  addLookups(cases, vectorBytes);
  addBroadcasts(cases, vectorBytes);
  return cases;
}

std::unique_ptr<llvm::Module>
mezzo::lowerSpelling(StringRef text, const Target &target,
                     llvm::LLVMContext &llvmContext) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  mlir::DialectRegistry registry;
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  context.appendDialectRegistry(registry);
  context.loadDialect<mlir::arith::ArithDialect, mlir::func::FuncDialect,
                      mlir::LLVM::LLVMDialect, mlir::math::MathDialect,
                      mlir::memref::MemRefDialect, mlir::scf::SCFDialect,
                      mlir::vector::VectorDialect, tile::TileDialect>();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module)
    return nullptr;
  if (target.populateTileSpellings) {
    mlir::RewritePatternSet spellings(&context);
    target.populateTileSpellings(spellings);
    if (failed(mlir::applyPatternsGreedily(*module, std::move(spellings))))
      return nullptr;
  }
  mlir::RewritePatternSet definitions(&context);
  tile::populateDefinitionPatterns(definitions);
  if (failed(mlir::applyPatternsGreedily(*module, std::move(definitions))))
    return nullptr;

  mlir::PassManager passes(&context);
  passes.addPass(mlir::createSCFToControlFlowPass());
  passes.addPass(mlir::createConvertVectorToLLVMPass());
  passes.addPass(mlir::createFinalizeMemRefToLLVMConversionPass());
  passes.addPass(mlir::createConvertControlFlowToLLVMPass());
  passes.addPass(mlir::createArithToLLVMConversionPass());
  passes.addPass(mlir::createConvertMathToLLVMPass());
  mlir::ConvertFuncToLLVMPassOptions barePointers;
  barePointers.useBarePtrCallConv = true;
  passes.addPass(mlir::createConvertFuncToLLVMPass(barePointers));
  passes.addPass(mlir::createReconcileUnrealizedCastsPass());
  if (failed(passes.run(*module)))
    return nullptr;
  return mlir::translateModuleToLLVMIR(*module, llvmContext);
}

llvm::Error mezzo::compileSpellings(llvm::ArrayRef<SpellingCase> cases,
                                    const Target &target, StringRef path) {
  std::string text;
  std::vector<StringRef> exported;
  for (const SpellingCase &one : cases) {
    text += one.text;
    exported.push_back(one.name);
  }
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> module = lowerSpelling(text, target, context);
  if (!module)
    return llvm::createStringError("the functions do not compile for " +
                                   target.name);
  auto object = emitObject(*module, target);
  if (!object)
    return object.takeError();
  return linkSharedObject(LinkInput::object(*object), path, exported);
}

size_t mezzo::countInstructions(StringRef text, const Target &target,
                                StringRef instruction) {
  llvm::LLVMContext context;
  auto module = lowerSpelling(text, target, context);
  if (!module)
    return size_t(-1);
  std::string assembly = llvm::cantFail(emitAssembly(*module, target));
  return StringRef(assembly).count("\t" + instruction.str() + "\t");
}
