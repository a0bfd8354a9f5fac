/*
 * Where ranks and threads ran: hosts, cores, and what is wrong with that.
 */
#ifndef APP_AFFINITY_H
#define APP_AFFINITY_H

#include "app/app.h"

#include <cjson/cJSON.h>

/* Adds `affinity` to a report: for each rank its host, the number of cores its threads may use, and for each thread
 * the processor and core it was on at that moment and the number of cores it may use; and `warnings`: ranks with fewer
 * cores than threads, and threads that have to share cores of a host (affinity_check).
 *   report [in,out] on rank 0; elsewhere NULL
 * Collective. Errors: PCCT_MEMORY. */
pcct_status affinity_add(struct app *app, cJSON *report);

/* Logs the first warnings of a report, and how many more there are: behind the last of what can fail, for a failure is
 * one line. Local; rank 0's. */
void affinity_warn(const struct app *app, const cJSON *report);

#endif
