/*
 * pcct build: a stored index.
 */
#ifndef APP_BUILD_H
#define APP_BUILD_H

#include "app/app.h"

extern const struct app_command command_build;

#endif
