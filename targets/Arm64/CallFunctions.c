//===- CallFunctions.c - Calls functions of a shared object, on files -----===//
//
//     CallFunctions LIBRARY SCRIPT
//
// A line of the script is one call: the function, the file that its output goes
// to and the bytes of it, the files of its inputs. Built for aarch64 and run by
// the test of the spellings, under an emulator.
//
//===----------------------------------------------------------------------===//

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MostInputs = 3 };

static void fail(const char *what, const char *name) {
  fprintf(stderr, "CallFunctions: %s '%s'\n", what, name);
  exit(1);
}

static void *read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END))
    fail("cannot read", path);
  long size = ftell(file);
  rewind(file);
  void *bytes = malloc((size_t)size + 1);
  if (!bytes || fread(bytes, 1, (size_t)size, file) != (size_t)size)
    fail("cannot read", path);
  fclose(file);
  return bytes;
}

int main(int argc, char **argv) {
  if (argc != 3)
    fail("a library and a script are needed, not", argc > 1 ? argv[1] : "");
  void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!library)
    fail("cannot open", dlerror());
  FILE *script = fopen(argv[2], "r");
  if (!script)
    fail("cannot read", argv[2]);
  char line[8192];
  while (fgets(line, sizeof line, script)) {
    char *name = strtok(line, " \n"), *out_path = strtok(NULL, " \n"),
         *size_text = strtok(NULL, " \n");
    if (!name || !out_path || !size_text)
      fail("cannot understand a line of", argv[2]);
    void *in[MostInputs];
    int count = 0;
    for (char *path; (path = strtok(NULL, " \n")) && count < MostInputs;)
      in[count++] = read_file(path);
    size_t size = strtoul(size_text, NULL, 10);
    void *out = malloc(size);
    if (!out)
      fail("no memory for", name);
    memset(out, 0xa5, size);
    void *function = dlsym(library, name);
    if (!function)
      fail("there is no function", name);
    // C has no cast from an object's pointer to a function's.
    if (count == 1) {
      void (*call)(void *, void *);
      memcpy(&call, &function, sizeof call);
      call(in[0], out);
    } else if (count == 2) {
      void (*call)(void *, void *, void *);
      memcpy(&call, &function, sizeof call);
      call(in[0], in[1], out);
    } else {
      void (*call)(void *, void *, void *, void *);
      memcpy(&call, &function, sizeof call);
      call(in[0], in[1], in[2], out);
    }
    FILE *file = fopen(out_path, "wb");
    if (!file || fwrite(out, 1, size, file) != size || fclose(file))
      fail("cannot write", out_path);
    free(out);
    for (int i = 0; i < count; ++i)
      free(in[i]);
  }
  return 0;
}
