/* The version of the library. */
#include "pcct.h"
#include "pcct_config.h"

const char *pcct_version(void) {
  return PCCT_VERSION_STRING;
}
