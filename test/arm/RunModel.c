//===- RunModel.c - Runs compiled models on tensors in files --------------===//
//
//     RunModel SCRIPT
//
// Lines of the script:
//
//     model FILE SYMBOL            opens a model; SYMBOL is <prefix>_api
//     threads N                    a new context with so many threads
//     input FILE DTYPE SIZE ...    the next input: dense bytes, f32, i64, ...
//     output FILE                  where the next output goes
//     run                          computes, and forgets inputs and outputs
//
// A user's program: the public header and libc. Built for aarch64 and run by
// tests under an emulator.
//
//===----------------------------------------------------------------------===//

#include "include/mezzo/model.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MostTensors = 16, MostDims = 8 };

static mezzo_tensor inputs[MostTensors], outputs[MostTensors];
static int64_t shapes[2][MostTensors][MostDims];
static char output_files[MostTensors][4096];
static int input_count, output_count;

static const mezzo_api *api;
static mezzo_model *model;
static mezzo_context *context;

static void fail(const char *what, const char *name) {
  fprintf(stderr, "RunModel: %s '%s'\n", what, name ? name : "");
  exit(2);
}

static void check(int32_t status) {
  if (status != MEZZO_OK) {
    fprintf(stderr, "%s\n", mezzo_last_error(api));
    exit(1);
  }
}

static size_t bytes_of(const mezzo_tensor *tensor) {
  size_t bits = tensor->dtype.bits;
  for (int32_t i = 0; i < tensor->ndim; ++i)
    bits *= (size_t)tensor->shape[i];
  return (bits + 7) / 8;
}

static void *allocate(size_t size) {
  void *bytes = malloc(size + 1);
  if (!bytes)
    fail("out of memory", "");
  return bytes;
}

static void close_context(void) {
  check(mezzo_context_destroy(context));
  context = NULL;
}

static void open_model(const char *path, const char *symbol) {
  close_context();
  check(mezzo_model_close(model));
  void *object = path && symbol ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
  if (!object)
    fail("cannot open", path ? dlerror() : "");
  void *found = dlsym(object, symbol);
  mezzo_api_function function;
  memcpy(&function, &found, sizeof function); // C has no cast for this
  api = function ? function(MEZZO_ABI_VERSION) : NULL;
  check(mezzo_model_open(api, NULL, &model));
}

static void open_context(const char *threads) {
  close_context();
  mezzo_context_options options = MEZZO_CONTEXT_OPTIONS_INIT;
  options.threads = threads ? atoi(threads) : 0;
  check(mezzo_context_create(model, &options, &context));
}

static void add_input(const char *path, const char *dtype) {
  if (!path || !dtype || input_count == MostTensors)
    fail("cannot take the input", path);
  int64_t *shape = shapes[0][input_count];
  int32_t rank = 0;
  for (const char *size; rank < MostDims && (size = strtok(NULL, " \n"));)
    shape[rank++] = strtoll(size, NULL, 10);
  uint8_t code = dtype[0] == 'f'   ? MEZZO_FLOAT
                 : dtype[0] == 'u' ? MEZZO_UINT
                 : dtype[0] == 'b' ? MEZZO_BOOL
                                   : MEZZO_INT;
  mezzo_tensor *input = &inputs[input_count++];
  *input = mezzo_dense(NULL, code, (uint8_t)atoi(dtype + 1), rank, shape);
  size_t size = bytes_of(input);
  input->data = allocate(size);
  FILE *file = fopen(path, "rb");
  if (!file || fread(input->data, 1, size, file) != size)
    fail("cannot read", path);
  fclose(file);
}

static void add_output(const char *path) {
  if (!path || output_count == MostTensors)
    fail("cannot take the output", path);
  snprintf(output_files[output_count], sizeof output_files[0], "%s", path);
  memset(&outputs[output_count], 0, sizeof outputs[0]);
  outputs[output_count].ndim = MostDims;
  outputs[output_count].shape = shapes[1][output_count];
  ++output_count;
}

static void run(void) {
  check(
      mezzo_output_shapes(context, inputs, input_count, outputs, output_count));
  for (int i = 0; i < output_count; ++i) {
    size_t size = bytes_of(&outputs[i]);
    outputs[i].data = allocate(size);
    memset(outputs[i].data, 0xa5, size); // what nobody writes is seen
  }
  check(mezzo_run(context, inputs, input_count, outputs, output_count));
  for (int i = 0; i < output_count; ++i) {
    size_t size = bytes_of(&outputs[i]);
    FILE *file = fopen(output_files[i], "wb");
    if (!file || fwrite(outputs[i].data, 1, size, file) != size || fclose(file))
      fail("cannot write", output_files[i]);
    free(outputs[i].data);
  }
  for (int i = 0; i < input_count; ++i)
    free(inputs[i].data);
  input_count = output_count = 0;
}

int main(int argc, char **argv) {
  FILE *script = argc == 2 ? fopen(argv[1], "r") : NULL;
  if (!script)
    fail("cannot read the script", argc == 2 ? argv[1] : "");
  char line[8192];
  while (fgets(line, sizeof line, script)) {
    const char *word = strtok(line, " \n");
    if (!word)
      continue;
    const char *first = strtok(NULL, " \n");
    if (strcmp(word, "model") == 0)
      open_model(first, strtok(NULL, " \n"));
    else if (strcmp(word, "threads") == 0)
      open_context(first);
    else if (strcmp(word, "input") == 0)
      add_input(first, strtok(NULL, " \n"));
    else if (strcmp(word, "output") == 0)
      add_output(first);
    else if (strcmp(word, "run") == 0)
      run();
    else
      fail("cannot do", word);
  }
  close_context();
  check(mezzo_model_close(model));
  return 0;
}
