/*
 * pcct vecchia: an ordering of the points and every point's m nearest predecessors.
 */
#ifndef APP_VECCHIA_H
#define APP_VECCHIA_H

#include "app/app.h"

extern const struct app_command command_vecchia;

#endif
