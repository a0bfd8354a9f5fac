/*
 * pcct import: a CSV table becomes a file of points.
 */
#ifndef APP_IMPORT_H
#define APP_IMPORT_H

#include "app/app.h"

extern const struct app_command command_import;

#endif
