/*
 * pcct knn: the k nearest points of every point, or of the points of another file.
 */
#ifndef APP_KNN_H
#define APP_KNN_H

#include "app/app.h"

extern const struct app_command command_knn;

#endif
