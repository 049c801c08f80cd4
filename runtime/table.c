//===- table.c - The table of the model this runtime is linked with -------===//

#include "runtime/runtime.h"

static const mezzo_api table = MEZZO_RT_API(&mezzo_rt_module);

const mezzo_api *mezzo_rt_api(uint32_t version) {
  return version == MEZZO_ABI_VERSION ? &table : NULL;
}
