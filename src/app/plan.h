/*
 * pcct plan: what a run would cost.
 */
#ifndef APP_PLAN_H
#define APP_PLAN_H

#include "app/app.h"

extern const struct app_command command_plan;

#endif
