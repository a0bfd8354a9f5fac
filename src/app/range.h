/*
 * pcct range: all points within a radius of every point, or of the points of a
 * query file.
 */
#ifndef APP_RANGE_H
#define APP_RANGE_H

#include "app/app.h"

extern const struct app_command command_range;

#endif
