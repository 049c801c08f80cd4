/* A program of a user: the public header, C99, and nothing else of Mezzo.
   usage: HeaderTest MODEL.so SYMBOL; computes one row of the test model. */
#include "mezzo/model.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
  void *object = argc == 3 ? dlopen(argv[1], RTLD_NOW) : NULL;
  void *symbol = object ? dlsym(object, argv[2]) : NULL;
  mezzo_api_function function;
  const mezzo_api *api;
  mezzo_model *model = NULL;
  mezzo_context *context = NULL;
  float x[4] = {1, 2, 3, 4}, z[1] = {100}, y[4] = {0, 0, 0, 0};
  int64_t shape[2] = {1, 4};
  mezzo_tensor inputs[2], output;
  int good;

  memcpy(&function, &symbol, sizeof function);
  api = function ? function(MEZZO_ABI_VERSION) : NULL;
  memset(inputs, 0, sizeof inputs);
  memset(&output, 0, sizeof output);
  inputs[0].data = x;
  inputs[0].ndim = 2;
  inputs[1].data = z;
  inputs[1].ndim = 1;
  inputs[0].shape = inputs[1].shape = shape;
  inputs[0].device.device_type = inputs[1].device.device_type = MEZZO_CPU;
  inputs[0].dtype.code = inputs[1].dtype.code = MEZZO_FLOAT;
  inputs[0].dtype.bits = inputs[1].dtype.bits = 32;
  inputs[0].dtype.lanes = inputs[1].dtype.lanes = 1;

  good = mezzo_model_open(api, NULL, &model) == MEZZO_OK &&
         mezzo_context_create(model, NULL, &context) == MEZZO_OK &&
         mezzo_output_shapes(context, inputs, 2, &output, 1) == MEZZO_OK;
  output.shape = shape;
  output.data = y;
  good = good && mezzo_run(context, inputs, 2, &output, 1) == MEZZO_OK;
  if (!good)
    fprintf(stderr, "%s\n", mezzo_last_error(api));
  mezzo_context_destroy(context);
  mezzo_model_close(model);
  printf("%g %g %g %g\n", y[0], y[1], y[2], y[3]);
  return good && y[0] == x[0] + 130 && y[3] == x[3] + 133 ? 0 : 1;
}
