/*
 * pcct verify: checks an output file against its definition.
 */
#ifndef APP_VERIFY_H
#define APP_VERIFY_H

#include "app/app.h"

extern const struct app_command command_verify;

#endif
