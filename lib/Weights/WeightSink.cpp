//===- WeightSink.cpp - Where packed weights go ---------------------------===//

#include "lib/Weights/WeightSink.h"

#include <algorithm>

using namespace mezzo;

/// One page of zeros: the room before a payload and the gaps within it.
static constexpr std::array<uint8_t, weightPayloadOffset> zeros = {};

WeightSink::WeightSink(AtomicFile opened) : file(std::move(opened)) {
  file.stream().write(reinterpret_cast<const char *>(zeros.data()),
                      zeros.size());
}

llvm::Error WeightSink::write(uint64_t offset, llvm::ArrayRef<uint8_t> bytes) {
  if (offset < written)
    return llvm::createStringError(
        "weights at byte %llu of the payload come after byte %llu was written: "
        "write the parts in the order of their offsets",
        (unsigned long long)offset, (unsigned long long)written);
  appendZeros(offset - written);
  append(bytes);
  return llvm::Error::success();
}

llvm::Expected<WeightHash> WeightSink::seal(uint64_t payloadBytes) {
  if (payloadBytes < written)
    return llvm::createStringError(
        "%llu bytes of weights were written, but %llu were announced: the "
        "parts and their offsets disagree",
        (unsigned long long)written, (unsigned long long)payloadBytes);
  appendZeros(payloadBytes - written);

  llvm::BLAKE3Result<> digest = hasher.final();
  WeightHash hash;
  llvm::copy(digest, hash.begin());
  if (llvm::Error error = complete(file.stream(), payloadBytes, hash))
    return std::move(error);
  file.stream().flush();
  if (std::error_code error = file.stream().error())
    return llvm::createStringError("cannot write weights to %s: %s",
                                   temporaryPath().str().c_str(),
                                   error.message().c_str());
  return hash;
}

llvm::Expected<WeightHash> WeightSink::finish(uint64_t payloadBytes) {
  llvm::Expected<WeightHash> hash = seal(payloadBytes);
  if (hash)
    if (llvm::Error error = commit())
      return std::move(error);
  return hash;
}

void WeightSink::append(llvm::ArrayRef<uint8_t> bytes) {
  hasher.update(bytes);
  file.stream().write(reinterpret_cast<const char *>(bytes.data()),
                      bytes.size());
  written += bytes.size();
}

void WeightSink::appendZeros(uint64_t count) {
  while (count > 0) {
    uint64_t step = std::min<uint64_t>(count, zeros.size());
    append(llvm::ArrayRef<uint8_t>(zeros).take_front(step));
    count -= step;
  }
}
