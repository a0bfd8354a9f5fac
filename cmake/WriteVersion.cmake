# Writes pcct_config.h; touches it only if it changes.
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12 --exclude=*
                OUTPUT_VARIABLE COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
                RESULT_VARIABLE FAILED)
if(FAILED OR NOT COMMIT)
  set(COMMIT unknown)
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT
"#ifndef PCCT_CONFIG_H
#define PCCT_CONFIG_H

#define PCCT_VERSION_STRING \"${VERSION}\"
#define PCCT_GIT_COMMIT \"${COMMIT}\"

#endif
")
