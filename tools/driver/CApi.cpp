//===- CApi.cpp - errors, texts and options of the C API ------------------===//

#include "tools/driver/CApi.h"

#include "lib/Support/Sanitize.h"
#include "tools/driver/CrashWatch.h"

#include "llvm/ADT/StringExtras.h"

#include <cstdlib>
#include <cstring>
#include <new>

using namespace mezzo;
using namespace mezzo::capi;

char UsageError::ID;
char BugError::ID;

namespace {

/// The message of mezzo_compiler_last_error.
thread_local std::string lastError;
int32_t fail(int32_t status, std::string text) {
  lastError = std::move(text);
  return status;
}

int32_t report(llvm::Error error) {
  int32_t status = MEZZO_COMPILER_OK;
  std::string text;
  llvm::handleAllErrors(std::move(error), [&](const llvm::ErrorInfoBase &info) {
    int32_t kind = info.isA<BugError>()     ? MEZZO_COMPILER_BUG
                   : info.isA<UsageError>() ? MEZZO_COMPILER_USAGE
                                            : MEZZO_COMPILER_ERROR;
    status = std::max(status, kind);
    // A message may have several lines; each of them is made printable.
    llvm::SmallVector<llvm::StringRef> lines;
    std::string message = info.message();
    llvm::StringRef(message).split(lines, '\n', -1, /*KeepEmpty=*/false);
    for (llvm::StringRef line : lines)
      text += (text.empty() ? "" : "\n") + toPrintable(line, 4096);
  });
  return fail(status, std::move(text));
}

} // namespace

llvm::Error capi::usage(const llvm::Twine &text) {
  return llvm::make_error<UsageError>(text.str());
}

llvm::Error capi::checkPointers(
    std::initializer_list<std::pair<const void *, const char *>> all) {
  for (auto [pointer, name] : all)
    if (!pointer)
      return usage("the argument '" + llvm::Twine(name) +
                   "' is NULL: pass a pointer");
  return llvm::Error::success();
}

int32_t capi::guarded(llvm::function_ref<llvm::Error()> body) {
  int32_t status = MEZZO_COMPILER_OK;
  std::optional<std::string> crash = runGuarded([&] {
    try {
      if (llvm::Error error = body())
        status = report(std::move(error));
    } catch (const std::bad_alloc &) {
      status = fail(MEZZO_COMPILER_ERROR,
                    "out of memory: free some, or split the work");
    } catch (const std::exception &exception) {
      status = fail(MEZZO_COMPILER_BUG, std::string("an exception escaped: ") +
                                            exception.what() +
                                            "; this is a bug of mezzo");
    }
  });
  if (!crash)
    return status;
  return fail(MEZZO_COMPILER_BUG,
              crash->empty()
                  ? std::string("the compiler crashed; this is a bug of mezzo")
                  : "the compiler gave up: " + toPrintable(*crash, 4096) +
                        "; this is a bug of mezzo");
}

llvm::Error capi::giveText(llvm::StringRef text, char **out) {
  char *copy = static_cast<char *>(std::malloc(text.size() + 1));
  if (!copy)
    throw std::bad_alloc();
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  *out = copy;
  return llvm::Error::success();
}

llvm::Error capi::readSized(void *known, uint64_t knownSize, const void *given,
                            const char *what) {
  uint64_t size;
  std::memcpy(&size, given, sizeof(size));
  if (size < sizeof(size) || size > 4096)
    return usage(llvm::Twine(what) + " say that they have " +
                 llvm::Twine(size) +
                 " bytes: begin with the INIT macro of the header");
  const auto *bytes = static_cast<const uint8_t *>(given);
  for (uint64_t i = knownSize; i < size; ++i)
    if (bytes[i])
      return usage(llvm::Twine(what) + " ask for something at byte " +
                   llvm::Twine(i) +
                   " that this library is too old for: install a newer one, "
                   "or leave it zero");
  std::memcpy(known, given, std::min(size, knownSize));
  return llvm::Error::success();
}

uint32_t mezzo_compiler_api_version(void) { return MEZZO_COMPILER_API_VERSION; }

const char *mezzo_compiler_last_error(void) { return lastError.c_str(); }

void mezzo_text_free(char *text) { std::free(text); }
