/*
 * pcct generate: a file of generated points.
 */
#ifndef APP_GENERATE_H
#define APP_GENERATE_H

#include "app/app.h"

extern const struct app_command command_generate;

#endif
