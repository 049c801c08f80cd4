//===- error.c - The message of the last failure --------------------------===//

#include "runtime/runtime.h"

#include <stdarg.h>
#include <stdio.h>

// Of a fixed size, so that running out of memory can be reported, too.
static _Thread_local char last_error[1024];

int32_t mezzo_rt_error(int32_t status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(last_error, sizeof last_error, format, arguments);
  va_end(arguments);
  return status;
}

const char *mezzo_rt_last_error(void) { return last_error; }
