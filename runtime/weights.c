//===- weights.c - Weights kept in a file beside the model ----------------===//
//
// Large weights live in a file that is mapped read-only and shared, so that ten
// processes with the same model hold its weights once, and opening costs no
// reading. The header is compared with what the compiler wrote into the model;
// the contents are not hashed again.
//
//===----------------------------------------------------------------------===//

#define _GNU_SOURCE
#include "runtime/runtime.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/// The path of `file` in the folder of the object that contains `address`, to
/// be freed; NULL if out of memory.
static char *beside_object(const void *address, const char *file) {
  Dl_info info;
  size_t folder = 0;
  const char *object = "";
  if (file[0] != '/' && dladdr(address, &info) && info.dli_fname) {
    object = info.dli_fname;
    const char *slash = strrchr(object, '/');
    folder = slash ? (size_t)(slash - object) + 1 : 0;
  }
  size_t length = strlen(file);
  char *path = (char *)malloc(folder + length + 1);
  if (path) {
    memcpy(path, object, folder);
    memcpy(path + folder, file, length + 1);
  }
  return path;
}

/// The first 8 bytes of a hash as text: enough to tell files apart.
static const char *hash_prefix(const uint8_t *hash, char *text) {
  for (int i = 0; i < 8; ++i)
    snprintf(text + 2 * i, 3, "%02x", hash[i]);
  return text;
}

/// Is this the header of the weights of `module`, and the file whole?
static int32_t check_header(const mezzo_weights_header *header,
                            uint64_t file_bytes, const mezzo_module *module,
                            const char *path) {
  if (memcmp(header->magic, MEZZO_WEIGHTS_MAGIC, sizeof header->magic) != 0)
    return mezzo_rt_error(MEZZO_ERROR_WEIGHTS,
                          "'%s' is not a weights file (it does not begin "
                          "with " MEZZO_WEIGHTS_MAGIC
                          "); name the file that was written beside the model",
                          path);
  if (header->version != MEZZO_WEIGHTS_VERSION)
    return mezzo_rt_error(
        MEZZO_ERROR_WEIGHTS,
        "weights file '%s' has version %u, this model reads version %u; "
        "compile the model again",
        path, header->version, MEZZO_WEIGHTS_VERSION);
  if (header->payload_bytes != module->weights_bytes ||
      memcmp(header->payload_hash, module->weights_hash, 32) != 0) {
    char found[17], wanted[17];
    return mezzo_rt_error(
        MEZZO_ERROR_WEIGHTS,
        "weights file '%s' is of another model: it holds %llu bytes with hash "
        "%s..., model '%s' needs %llu bytes with hash %s...; name the file "
        "that was written with this model, or compile again",
        path, (unsigned long long)header->payload_bytes,
        hash_prefix(header->payload_hash, found), module->name,
        (unsigned long long)module->weights_bytes,
        hash_prefix(module->weights_hash, wanted));
  }
  if (header->header_bytes == 0 ||
      header->header_bytes % MEZZO_WEIGHTS_ALIGNMENT != 0)
    return mezzo_rt_error(
        MEZZO_ERROR_WEIGHTS,
        "weights file '%s' is damaged: its header has %u bytes, not a multiple "
        "of %u; copy it again or compile again",
        path, header->header_bytes, MEZZO_WEIGHTS_ALIGNMENT);
  if (header->header_bytes > file_bytes ||
      header->payload_bytes > file_bytes - header->header_bytes)
    return mezzo_rt_error(
        MEZZO_ERROR_WEIGHTS,
        "weights file '%s' is cut short: it has %llu bytes and should have %u "
        "of header and %llu of weights; copy it again or compile again",
        path, (unsigned long long)file_bytes, header->header_bytes,
        (unsigned long long)header->payload_bytes);
  return MEZZO_OK;
}

/// Maps the file open as `descriptor`.
static int32_t map_file(mezzo_rt_weights *weights, const mezzo_module *module,
                        int descriptor, const char *path) {
  struct stat status;
  if (fstat(descriptor, &status) != 0)
    return mezzo_rt_error(MEZZO_ERROR_WEIGHTS,
                          "cannot examine weights file '%s': %s", path,
                          strerror(errno));
  if (!S_ISREG(status.st_mode))
    return mezzo_rt_error(
        MEZZO_ERROR_WEIGHTS,
        "'%s' is not a regular file; name the weights file itself", path);
  uint64_t bytes = (uint64_t)status.st_size;
  if (bytes < sizeof(mezzo_weights_header))
    return mezzo_rt_error(
        MEZZO_ERROR_WEIGHTS,
        "weights file '%s' is cut short: it has %llu bytes, its header alone "
        "has %zu; copy it again or compile again",
        path, (unsigned long long)bytes, sizeof(mezzo_weights_header));
  // From the beginning: pages of 16 or 64 KiB do not divide the header.
  void *mapping = mmap(NULL, bytes, PROT_READ, MAP_SHARED, descriptor, 0);
  if (mapping == MAP_FAILED)
    return mezzo_rt_error(MEZZO_ERROR_WEIGHTS,
                          "cannot map the %llu bytes of weights file '%s': %s",
                          (unsigned long long)bytes, path, strerror(errno));
  const mezzo_weights_header *header = (const mezzo_weights_header *)mapping;
  int32_t result = check_header(header, bytes, module, path);
  if (result != MEZZO_OK) {
    munmap(mapping, bytes);
    return result;
  }
  weights->payload = (const uint8_t *)mapping + header->header_bytes;
  weights->mapping = mapping;
  weights->mapping_bytes = bytes;
  return MEZZO_OK;
}

int32_t mezzo_rt_weights_open(mezzo_rt_weights *weights,
                              const mezzo_module *module, const char *path) {
  weights->payload = module->weights;
  weights->mapping = NULL;
  weights->mapping_bytes = 0;
  if (module->weights || !module->weights_file) {
    if (path)
      return mezzo_rt_error(
          MEZZO_ERROR_INVALID_ARGUMENT,
          "model '%s' keeps no weights in a file, but '%s' was given; pass "
          "NULL, or compile with --weight-storage file",
          module->name, path);
    return MEZZO_OK;
  }

  char *own_path = NULL;
  if (!path) {
    path = own_path = beside_object(module, module->weights_file);
    if (!path)
      return mezzo_rt_error(MEZZO_ERROR_OUT_OF_MEMORY,
                            "out of memory for the path of '%s'",
                            module->weights_file);
  }
  // Non-blocking, lest a FIFO of that name holds us up.
  int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  int32_t result =
      descriptor < 0
          ? mezzo_rt_error(MEZZO_ERROR_WEIGHTS,
                           "cannot open weights file '%s' of model '%s': %s; "
                           "put it there, or name it when opening the model",
                           path, module->name, strerror(errno))
          : map_file(weights, module, descriptor, path);
  if (descriptor >= 0)
    close(descriptor);
  free(own_path);
  return result;
}

void mezzo_rt_weights_close(mezzo_rt_weights *weights) {
  if (weights->mapping)
    munmap(weights->mapping, weights->mapping_bytes);
}
