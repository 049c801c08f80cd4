//===- ExplainVerb.cpp - `mezzo explain` ----------------------------------===//

#include "tools/driver/Verbs.h"

#include "lib/Layout/Catalogue.h"
#include "lib/Layout/Picture.h"
#include "lib/Support/Sanitize.h"
#include "tools/driver/Decisions.h"
#include "tools/driver/ExplainProduct.h"
#include "tools/driver/ModelFile.h"
#include "tools/driver/Signature.h"

#include "llvm/BinaryFormat/Magic.h"
#include "llvm/Support/FileSystem.h"

using namespace mezzo;
namespace cl = llvm::cl;
using llvm::Error;
using llvm::StringRef;

static cl::SubCommand command("explain",
                              "why: explain layout NAME|TEXT, explain "
                              "model.onnx|model.so, explain matmul, explain "
                              "TARGET");
static CompileFlags flags(command);
static cl::list<std::string> subjects(cl::Positional,
                                      cl::desc("layout NAME|TEXT, model.onnx, "
                                               "model.so, matmul or TARGET"),
                                      cl::OneOrMore, cl::sub(command));
static cl::OptionCategory ofLayout("Options of a layout");
static cl::opt<int64_t> n("n",
                          cl::desc("rows of the matrix (default: 64; of "
                                   "matmul 4096)"),
                          cl::init(64), cl::cat(ofLayout), cl::sub(command));
static cl::opt<int64_t> k("k",
                          cl::desc("columns of the matrix, or of each of its "
                                   "groups (default: likewise)"),
                          cl::init(64), cl::cat(ofLayout), cl::sub(command));
static cl::opt<int64_t> g("g",
                          cl::desc("groups, where the layout has them "
                                   "(default: one that holds all of k)"),
                          cl::init(1), cl::cat(ofLayout), cl::sub(command));
static cl::opt<int64_t> bits("bits",
                             cl::desc("bits of a code (default: as many as "
                                      "the layout places)"),
                             cl::init(0), cl::cat(ofLayout), cl::sub(command));
static cl::opt<unsigned> show("show",
                              cl::desc("bits of the picture (default: 64)"),
                              cl::init(64), cl::cat(ofLayout),
                              cl::sub(command));
static cl::OptionCategory ofProducts("Options of products");
static cl::opt<int64_t> m("m", cl::desc("of matmul: rows of the activation"),
                          cl::init(1), cl::cat(ofProducts), cl::sub(command));
static cl::opt<std::string>
    weights("weights", cl::desc("of matmul: how the weight is quantized"),
            cl::value_desc("spec"), cl::init("int4/g128"), cl::cat(ofProducts),
            cl::sub(command));
static cl::opt<std::string>
    kernel("kernel",
           cl::desc("print the innermost loop of the kernels whose keys hold "
                    "this; all: of each (default: of matmul all, else none)"),
           cl::value_desc("key"), cl::cat(ofProducts), cl::sub(command));

namespace {

Error explainLayout(StringRef name) {
  llvm::Expected<Layout> layout = layoutByName(name);
  if (!layout)
    return layout.takeError();
  int64_t width = bits ? int64_t(bits) : codeBits(*layout);
  if (width == 0)
    return llvm::createStringError("the layout does not say how many bits a "
                                   "code has: give --bits, such as --bits=4");
  if (width < 1 || width > 8)
    return llvm::createStringError("codes of " + llvm::Twine(width) +
                                   " bits: a code has 1 to 8");
  if (n < 1 || k < 1 || g < 1)
    return llvm::createStringError("--n, --k and --g are at least 1");
  if (g != 1 && !layout->mentions('g'))
    return llvm::createStringError("the layout has no groups: leave --g out");
  Extents extents = matrixExtents(*layout, n, g, k, width);
  llvm::Expected<BoundLayout> bound = layout->bind(extents);
  if (!bound)
    return bound.takeError();
  std::string why;
  if (!bound->isBijective(&why))
    return llvm::createStringError("the layout loses codes: " + why);

  llvm::raw_ostream &os = llvm::outs();
  os << layout->str() << "\n";
  int64_t codes = 1;
  for (auto [axis, extent] : extents) {
    os << axis << " = " << extent << "  ";
    codes *= axis == 'b' ? 1 : extent;
  }
  os << "\n"
     << bound->totalBytes() << " bytes, "
     << llvm::format("%.3f", 8.0 * double(bound->totalBytes()) / double(codes))
     << " bits per code\n\n"
     << picture(*bound, show);
  return Error::success();
}

void explainTarget(const Target &target) {
  if (target.writeFolder) {
    llvm::outs() << "target    " << target.name << "\n"
                 << "writes    a folder of sources (mezzo compile -o folder)\n";
    return;
  }
  llvm::outs() << "target    " << target.name << "\n"
               << "triple    " << target.triple << "\n"
               << "cpu       " << target.cpu << " " << target.features << "\n"
               << "needs     " << target.requiredFeatures << "\n"
               << "vectors   " << target.vectorRegisters << " of "
               << target.vectorBytes << " bytes\n"
               << "fma       " << (target.hasFma ? "yes" : "no") << "\n"
               << "tile ops  "
               << (target.populateTileSpellings
                       ? "instructions of the machine, where there are any"
                       : "by definition")
               << "\n";
}

/// Every remark of a compilation, on standard output, where an explanation is
/// the result; then what became of each weight.
int explainOnnx(StringRef path) {
  llvm::Expected<CompileOptions> options = flags.options();
  if (!options)
    return reportError(options.takeError());
  MessageSink terminal = terminalSink(false);
  CompileSession session(std::move(*options),
                         [&](Severity severity, const std::string &text) {
                           if (severity == Severity::Remark)
                             llvm::outs() << text << "\n";
                           else
                             terminal(severity, text);
                         });
  if (mlir::failed(session.load(path)) ||
      mlir::failed(session.emitText(Stage::Tile)))
    return UserError;
  printChoices(llvm::outs(), choicesOf(session.signature()));
  for (const WeightDecision &weight : readDecisions(session.module())) {
    if (!weight.isQuantized())
      continue;
    llvm::outs() << "weight " << quoted(weight.name) << " (" << weight.spec
                 << ") lies in " << weight.layout << ", "
                 << llvm::format("%.3f", weight.bitsPerWeight())
                 << " bits per weight, read by";
    for (const std::string &key : weight.keys)
      llvm::outs() << " " << key;
    llvm::outs() << "\n";
  }
  if (kernel.empty())
    return Done;
  if (Error error = printInnerLoops(llvm::outs(), session, kernel))
    return reportError(std::move(error));
  return Done;
}

/// One product, as `bench matmul` would compile it.
int explainMatmul() {
  llvm::Expected<CompileOptions> options = flags.options();
  if (!options)
    return reportError(options.takeError());
  int64_t rows = n.getNumOccurrences() ? int64_t(n) : 4096,
          columns = k.getNumOccurrences() ? int64_t(k) : 4096;
  CompileSession session(std::move(*options), terminalSink(flags.remarks));
  if (Error error =
          loadProduct(session, weights, flags.compute, m, rows, columns))
    return reportError(std::move(error));
  if (mlir::failed(session.emitText(Stage::Tile)))
    return session.foundBug() ? Bug : UserError;
  printChoices(llvm::outs(), choicesOf(session.signature()));
  if (Error error = printInnerLoops(llvm::outs(), session,
                                    kernel.empty() ? "all" : StringRef(kernel)))
    return reportError(std::move(error));
  return Done;
}

int explainShared(StringRef path) {
  llvm::Expected<ModelFile> file = ModelFile::open(path);
  if (!file)
    return reportError(file.takeError());
  llvm::outs() << "needs     " << file->module().required_features << "\n";
  for (const std::string &key : file->kernels)
    llvm::outs() << "kernel    " << toPrintable(key, 400) << "\n";
  if (file->kernels.empty())
    llvm::outs() << "its symbols are stripped: explain the model.onnx that it "
                    "was made from\n";
  StringRef signature = file->module().signature_json;
  printChoices(llvm::outs(), choicesOf(signature));
  if (!kernel.empty())
    if (Error error = printInnerLoops(llvm::outs(), path, signature, kernel))
      return reportError(std::move(error));
  return Done;
}

int run() {
  if (subjects[0] == "layout") {
    if (subjects.size() != 2) {
      llvm::errs() << "mezzo: error: name one layout, such as mezzo explain "
                      "layout panel4\n";
      return WrongUsage;
    }
    if (Error error = explainLayout(subjects[1]))
      return reportError(std::move(error));
    return Done;
  }
  if (subjects.size() != 1) {
    llvm::errs() << "mezzo: error: explain one thing: layout NAME, a model, "
                    "matmul or a target\n";
    return WrongUsage;
  }
  StringRef subject = subjects[0];
  if (subject == "matmul")
    return explainMatmul();
  llvm::Expected<Target> target = lookupTarget(subject);
  if (target) {
    explainTarget(*target);
    return Done;
  }
  std::string noTarget = llvm::toString(target.takeError());
  if (!llvm::sys::fs::exists(subject))
    return reportError(llvm::createStringError(
        "there is no file " + quoted(subject) + ", and " + noTarget));
  llvm::file_magic magic;
  if (!llvm::identify_magic(subject, magic) &&
      magic == llvm::file_magic::elf_shared_object)
    return explainShared(subject);
  return explainOnnx(subject);
}

} // namespace

Verb mezzo::explainVerb() { return {&command, run}; }
