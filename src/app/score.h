/*
 * pcct score: how good a Vecchia approximation is.
 */
#ifndef APP_SCORE_H
#define APP_SCORE_H

#include "app/app.h"

extern const struct app_command command_score;

#endif
