//===- Verbs.h - `mezzo compile | run | bench | ...` ----------------------===//
//
// One file per verb. A verb declares its flags as options of its own
// subcommand, so `mezzo VERB --help` shows them and nothing else.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_TOOLS_DRIVER_VERBS_H
#define MEZZO_TOOLS_DRIVER_VERBS_H

#include "tools/driver/Diagnostics.h"
#include "tools/driver/Session.h"

#include "llvm/Support/CommandLine.h"

namespace mezzo {

/// Exit codes of the tool.
enum ExitCode : int { Done = 0, UserError = 1, WrongUsage = 2, Bug = 3 };

/// A verb: its subcommand and what runs when the subcommand was given.
struct Verb {
  llvm::cl::SubCommand *command;
  int (*run)();
};

Verb compileVerb();
Verb runVerb();
Verb benchVerb();
Verb inspectVerb();
Verb explainVerb();
Verb quantizeVerb();
Verb tuneVerb();

/// Parses the command line and runs the verb.
int runTool(int argc, char **argv);

/// Prints to standard error as `mezzo: error: ...`; remarks only where
/// `remarks` asks for them.
MessageSink terminalSink(bool remarks);
/// Prints one error and returns UserError.
int reportError(llvm::Error error);

/// The flags that every compiling verb has, for one subcommand.
struct CompileFlags {
  explicit CompileFlags(llvm::cl::SubCommand &command);
  /// The options they describe; errors name the flag.
  llvm::Expected<CompileOptions> options() const;

  llvm::cl::opt<std::string> target, compute, weightStorage, tile, tuningDb;
  llvm::cl::list<std::string> dims, shapes;
  llvm::cl::opt<bool> requireTuned, noVerify, strictDq, remarks;
};

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_VERBS_H
