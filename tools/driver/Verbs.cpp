//===- Verbs.cpp - the tool around its verbs ------------------------------===//

#include "tools/driver/Verbs.h"

#include "lib/Support/Sanitize.h"

#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/raw_ostream.h"

using namespace mezzo;
namespace cl = llvm::cl;
using llvm::StringRef;

MessageSink mezzo::terminalSink(bool remarks) {
  return [remarks](Severity severity, const std::string &text) {
    if (severity == Severity::Remark && !remarks)
      return;
    static const char *const kinds[] = {"error", "warning", "remark"};
    llvm::errs() << "mezzo: " << kinds[int(severity)] << ": " << text << "\n";
  };
}

int mezzo::reportError(llvm::Error error) {
  terminalSink(false)(Severity::Error,
                      toPrintable(llvm::toString(std::move(error)), 4096));
  return UserError;
}

CompileFlags::CompileFlags(cl::SubCommand &command)
    : target("target", cl::desc("machine to compile for (default: native)"),
             cl::value_desc("name"), cl::init("native"), cl::sub(command)),
      compute(
          "compute",
          cl::desc("compute mode of quantized products: float, int or lut8"),
          cl::value_desc("mode"), cl::sub(command)),
      weightStorage(
          "weight-storage",
          cl::desc("embed, file or auto (default: auto, embed up to 16 MiB)"),
          cl::value_desc("where"), cl::init("auto"), cl::sub(command)),
      tile("tile",
           cl::desc("force the register tile of all products, for experiments"),
           cl::value_desc("rows=4,groups=2,..."), cl::sub(command)),
      tuningDb("tuning-db",
               cl::desc("file of tuning records (mezzo tune) to choose by"),
               cl::value_desc("file"), cl::sub(command)),
      dims("dim", cl::desc("fix a named dimension, such as batch=1"),
           cl::value_desc("name=size"), cl::sub(command)),
      shapes("shape",
             cl::desc("fix the shape of an input, such as x=1x3x224x224"),
             cl::value_desc("name=shape"), cl::sub(command)),
      requireTuned("require-tuned",
                   cl::desc("a product without a tuning record is an error"),
                   cl::sub(command)),
      noVerify("no-verify", cl::desc("do not check the tensors of a run"),
               cl::sub(command)),
      strictDq("strict-dq",
               cl::desc("keep the rounding of every DequantizeLinear"),
               cl::sub(command)),
      remarks("remarks", cl::desc("say what was chosen, and why"),
              cl::sub(command)) {}

/// NAME=TEXT, split at the last '=': names of tensors may hold one.
static llvm::Expected<std::pair<StringRef, StringRef>>
splitAssignment(StringRef flag, StringRef text) {
  auto [name, value] = text.rsplit('=');
  if (name.empty() || value.empty())
    return llvm::createStringError("cannot read --" + flag + " '" + text +
                                   "': write NAME=VALUE");
  return std::pair(name, value);
}

llvm::Expected<CompileOptions> CompileFlags::options() const {
  CompileOptions result;
  result.target = target;
  result.compute = compute;
  result.config = tile;
  result.tuningDb = tuningDb;
  result.requireTuned = requireTuned;
  result.verifyInputs = !noVerify;
  result.strictDq = strictDq;
  llvm::Expected<WeightStorage> storage = parseWeightStorage(weightStorage);
  if (!storage)
    return storage.takeError();
  result.weights = *storage;
  for (const std::string &text : dims) {
    auto assignment = splitAssignment("dim", text);
    if (!assignment)
      return assignment.takeError();
    int64_t size = 0;
    if (assignment->second.getAsInteger(10, size) || size < 0)
      return llvm::createStringError("cannot read --dim '" + text +
                                     "': the size is a number of at least 0");
    result.dims[assignment->first.str()] = size;
  }
  for (const std::string &text : shapes) {
    auto assignment = splitAssignment("shape", text);
    if (!assignment)
      return assignment.takeError();
    llvm::SmallVector<StringRef> parts;
    assignment->second.split(parts, 'x');
    std::vector<int64_t> shape(parts.size());
    for (auto [part, size] : llvm::zip(parts, shape))
      if (part.getAsInteger(10, size) || size < 0)
        return llvm::createStringError("cannot read --shape '" + text +
                                       "': write sizes such as x=1x3x224x224");
    result.shapes[assignment->first.str()] = shape;
  }
  return result;
}

int mezzo::runTool(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  const Verb verbs[] = {compileVerb(), runVerb(),     benchVerb(),
                        inspectVerb(), explainVerb(), quantizeVerb(),
                        tuneVerb()};
  std::string errors;
  llvm::raw_string_ostream os(errors);
  bool help = llvm::any_of(
      llvm::ArrayRef(argv + 1, argc - 1), [](const char *argument) {
        StringRef text(argument);
        return text == "--help" || text == "-h" || text == "-help";
      });
  if (argc < 2 || (help && argc == 2 && StringRef(argv[1]).starts_with("-"))) {
    llvm::raw_ostream &out = help ? llvm::outs() : llvm::errs();
    out << "mezzo: a tensor compiler for mixed-precision products\n\nusage: "
           "mezzo VERB [options]; mezzo VERB --help "
           "lists the options\n\n";
    for (const Verb &verb : verbs)
      out << "  " << llvm::left_justify(verb.command->getName(), 10)
          << verb.command->getDescription() << "\n";
    return help ? Done : WrongUsage;
  }
  if (!cl::ParseCommandLineOptions(argc, argv, "", &os)) {
    llvm::errs() << errors;
    return WrongUsage;
  }
  for (const Verb &verb : verbs)
    if (*verb.command)
      return verb.run();
  llvm::errs() << "mezzo: error: no verb '" << argv[1] << "': use";
  for (const Verb &verb : verbs)
    llvm::errs() << " " << verb.command->getName();
  llvm::errs() << "\n";
  return WrongUsage;
}
