//===- CrashWatch.cpp - outliving a bug of the compiler -------------------===//

#include "tools/driver/CrashWatch.h"

#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/Signals.h"

#include <mutex>
#include <utility>

using namespace mezzo;

namespace {

/// What LLVM said before it gave up, on this thread.
thread_local std::string fatalReason;

/// While one lives, crashes and LLVM's fatal errors are ours to handle. The
/// signal handlers of the process belong to the host: they are replaced only
/// while some call runs, hence the count.
class CrashWatch {
public:
  CrashWatch() {
    std::lock_guard<std::mutex> lock(mutex());
    if (count()++ == 0) {
      llvm::CrashRecoveryContext::Enable();
      llvm::install_fatal_error_handler(onFatalError);
    }
  }
  ~CrashWatch() {
    std::lock_guard<std::mutex> lock(mutex());
    if (--count() == 0) {
      llvm::remove_fatal_error_handler();
      // Temporary files have brought handlers of their own that remove them:
      // the last to come is the first to go.
      llvm::sys::unregisterHandlers();
      llvm::CrashRecoveryContext::Disable();
    }
  }

private:
  static std::mutex &mutex() {
    static std::mutex instance;
    return instance;
  }
  static unsigned &count() {
    static unsigned instance = 0;
    return instance;
  }
  /// Without a handler LLVM would print. It exits when we return, so we go the
  /// way of a crash instead.
  static void onFatalError(void *, const char *reason, bool) {
    fatalReason = reason ? reason : "";
    if (auto *context = llvm::CrashRecoveryContext::GetCurrent())
      context->HandleExit(1);
  }
};

} // namespace

std::optional<std::string> mezzo::runGuarded(llvm::function_ref<void()> body) {
  CrashWatch watch;
  llvm::CrashRecoveryContext context;
  if (context.RunSafely(body))
    return std::nullopt;
  return std::exchange(fatalReason, {});
}
