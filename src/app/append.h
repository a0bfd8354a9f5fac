/*
 * pcct append: more points for a stored index.
 */
#ifndef APP_APPEND_H
#define APP_APPEND_H

#include "app/app.h"

extern const struct app_command command_append;

#endif
