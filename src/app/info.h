/*
 * pcct info: what a file holds.
 */
#ifndef APP_INFO_H
#define APP_INFO_H

#include "app/app.h"

extern const struct app_command command_info;

#endif
