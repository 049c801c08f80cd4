//===- WeightFile.cpp - Weights beside the compiled model -----------------===//

#include "lib/Weights/WeightFile.h"

#include <cstring>

using namespace mezzo;

llvm::Expected<std::unique_ptr<WeightFile>>
WeightFile::create(llvm::StringRef path) {
  llvm::Expected<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.takeError();
  return std::unique_ptr<WeightFile>(new WeightFile(std::move(*file)));
}

llvm::Error WeightFile::complete(llvm::raw_pwrite_stream &out,
                                 uint64_t payloadBytes,
                                 const WeightHash &hash) {
  WeightFileHeader header = {};
  std::memcpy(header.magic, "MEZZOWT1", sizeof(header.magic));
  header.version = 1;
  header.headerBytes = weightPayloadOffset;
  header.payloadBytes = payloadBytes;
  header.payloadHash = hash;
  out.pwrite(reinterpret_cast<const char *>(&header), sizeof(header), 0);
  return llvm::Error::success();
}
