//===- RunVerb.cpp - `mezzo run` ------------------------------------------===//

#include "tools/driver/Verbs.h"

#include "lib/Support/Sanitize.h"
#include "tools/driver/Inputs.h"
#include "tools/driver/LoadedModel.h"
#include "tools/driver/Npy.h"
#include "tools/driver/Outputs.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mezzo;
namespace cl = llvm::cl;
using llvm::Error;
using llvm::StringRef;

static cl::SubCommand command("run", "run a compiled model once");
static cl::opt<std::string> model(cl::Positional, cl::desc("model.so"),
                                  cl::Required, cl::sub(command));
static cl::list<std::string>
    inputs("input",
           cl::desc("value of an input: NAME=@FILE.npy or NAME=random[:SEED]"),
           cl::value_desc("name=value"), cl::sub(command));
static cl::list<std::string>
    dims("dim",
         cl::desc("size of a dynamic dimension of random inputs (default: as "
                  "in the files, else 1)"),
         cl::value_desc("name=size"), cl::sub(command));
static cl::opt<std::string>
    outputDir("output-dir", cl::desc("write every output there as NAME.npy"),
              cl::value_desc("folder"), cl::sub(command));
static cl::list<std::string>
    expectations("expect",
                 cl::desc("fail unless an output is what a file holds"),
                 cl::value_desc("name=@file.npy"), cl::sub(command));
static cl::opt<double>
    allowedRelative("rtol",
                    cl::desc("relative difference that --expect allows"),
                    cl::init(0), cl::sub(command));
static cl::opt<double>
    allowedAbsolute("atol",
                    cl::desc("absolute difference that --expect allows"),
                    cl::init(0), cl::sub(command));
static cl::opt<int> threads("threads",
                            cl::desc("threads (default: MEZZO_NUM_THREADS, "
                                     "else one per CPU)"),
                            cl::init(0), cl::sub(command));
static cl::opt<bool> json("json",
                          cl::desc("print one JSON object as the last line"),
                          cl::sub(command));

namespace {

/// An output that was asked to be something.
struct Expectation {
  size_t output; ///< index in the signature
  HostTensor value;
};

/// Reads the files before the run: a misspelt name should not cost a run.
llvm::Expected<std::vector<Expectation>>
readExpectations(const ModelSignature &signature) {
  std::vector<Expectation> result;
  for (const std::string &text : expectations) {
    llvm::Expected<NamedFile> file = parseNamedFile("expect", text);
    if (!file)
      return file.takeError();
    auto output =
        llvm::find_if(signature.outputs, [&](const TensorSignature &output) {
          return output.name == file->name;
        });
    if (output == signature.outputs.end()) {
      std::string names;
      for (const TensorSignature &known : signature.outputs)
        names += (names.empty() ? "" : ", ") + quoted(known.name);
      return llvm::createStringError("the model has no output " +
                                     quoted(file->name) + ": use " + names);
    }
    llvm::Expected<HostTensor> value = readNpy(file->path);
    if (!value)
      return value.takeError();
    result.push_back(
        {size_t(output - signature.outputs.begin()), std::move(*value)});
  }
  return result;
}

/// Writes the outputs, and returns the names of the files. Names of outputs
/// come from the model: as file names they are identifiers.
llvm::Expected<std::vector<std::string>>
writeOutputs(const ModelSignature &signature,
             const std::vector<HostTensor> &outputs) {
  if (std::error_code error = llvm::sys::fs::create_directories(outputDir))
    return llvm::createStringError("cannot make the folder " +
                                   quoted(outputDir) + ": " + error.message());
  std::vector<std::string> paths;
  UniqueIdentifiers names;
  for (auto [description, tensor] :
       llvm::zip_equal(signature.outputs, outputs)) {
    llvm::SmallString<128> path(outputDir);
    llvm::sys::path::append(path, names.get(description.name) + ".npy");
    if (Error error = writeNpy(path, tensor))
      return std::move(error);
    paths.push_back(path.str().str());
  }
  return paths;
}

void printJson(const ModelSignature &signature,
               const std::vector<HostTensor> &outputs,
               const std::vector<std::string> &paths,
               const std::vector<std::string> &failures) {
  llvm::json::OStream json(llvm::outs());
  json.object([&] {
    json.attributeArray("outputs", [&] {
      for (size_t i = 0; i < outputs.size(); ++i)
        json.object([&] {
          writeTensor(json, signature.outputs[i].name, outputs[i]);
          if (!paths.empty())
            json.attribute("file", llvm::json::fixUTF8(paths[i]));
        });
    });
    if (!expectations.empty()) {
      json.attribute("as_expected", failures.empty());
      json.attributeArray("failures", [&] {
        for (const std::string &failure : failures)
          json.value(failure);
      });
    }
  });
  llvm::outs() << "\n";
}

Error runModel(bool &asExpected) {
  auto loaded = LoadedModel::open(model, threads);
  if (!loaded)
    return loaded.takeError();
  const ModelSignature &signature = (*loaded)->signature();
  auto bound = bindInputs(signature, inputs, dims);
  if (!bound)
    return bound.takeError();
  auto expected = readExpectations(signature);
  if (!expected)
    return expected.takeError();
  auto outputs = (*loaded)->run(*bound);
  if (!outputs)
    return outputs.takeError();

  std::vector<std::string> paths;
  if (!outputDir.empty()) {
    auto written = writeOutputs(signature, *outputs);
    if (!written)
      return written.takeError();
    paths = std::move(*written);
  }
  for (size_t i = 0; i < outputs->size(); ++i) {
    printTensor(llvm::outs(), signature.outputs[i].name, (*outputs)[i]);
    if (!paths.empty())
      llvm::outs() << "  in " << toPrintable(paths[i], 4096) << "\n";
  }
  std::vector<std::string> failures;
  for (const Expectation &expectation : *expected)
    if (auto why = mismatch((*outputs)[expectation.output], expectation.value,
                            allowedRelative, allowedAbsolute))
      failures.push_back("the output " +
                         quoted(signature.outputs[expectation.output].name) +
                         " " + *why);
  for (const std::string &failure : failures)
    terminalSink(false)(Severity::Error, failure);
  asExpected = failures.empty();
  if (json)
    printJson(signature, *outputs, paths, failures);
  return Error::success();
}

int run() {
  bool asExpected = true;
  if (Error error = runModel(asExpected))
    return reportError(std::move(error));
  return asExpected ? Done : UserError;
}

} // namespace

Verb mezzo::runVerb() { return {&command, run}; }
