/* Runs the demo's model on one row: the C side of a compiled model. */
#include "feed_forward.h"

#include <stdio.h>
#include <stdlib.h>

int main(void) {
  const mezzo_api *api = feed_forward_api(MEZZO_ABI_VERSION);
  mezzo_model *model = NULL;
  mezzo_context *context = NULL;
  int64_t shape[3] = {1, 1, 576};
  float *x = calloc(576, sizeof(float)), *y = calloc(576, sizeof(float));
  mezzo_tensor in = mezzo_dense(x, MEZZO_FLOAT, 32, 3, shape);
  mezzo_tensor out = mezzo_dense(y, MEZZO_FLOAT, 32, 3, shape);
  int i;
  for (i = 0; i < 576; ++i)
    x[i] = (float)(i % 7) - 3.0f;
  if (mezzo_model_open(api, NULL, &model) ||
      mezzo_context_create(model, NULL, &context) ||
      mezzo_run(context, &in, 1, &out, 1)) {
    fprintf(stderr, "%s\n", mezzo_last_error(api));
    return 1;
  }
  printf("y[0..3] = %.9g %.9g %.9g %.9g\n", y[0], y[1], y[2], y[3]);
  mezzo_context_destroy(context);
  mezzo_model_close(model);
  free(x);
  free(y);
  return 0;
}
