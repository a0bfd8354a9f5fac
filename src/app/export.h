/*
 * pcct export: datasets for programs that do not read HDF5.
 */
#ifndef APP_EXPORT_H
#define APP_EXPORT_H

#include "app/app.h"

extern const struct app_command command_export;

#endif
