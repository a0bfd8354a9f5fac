/*
 * pcct blocks: blocks of nearby points with shared conditioning sets.
 */
#ifndef APP_BLOCKS_H
#define APP_BLOCKS_H

#include "app/app.h"

extern const struct app_command command_blocks;

#endif
