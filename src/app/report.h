/*
 * The report of a run: a JSON file with parameters, settings, phases, counters and memory.
 *
 *   program, version, command, command_line, status, ranks, threads (of one rank)
 *   parameters     every option of the subcommand with the value used (null: not given), and `arguments`
 *   settings       {name: {value, set_by}} of the engine, for subcommands that use it; set_by is default,
 *                  file, environment or command line
 *   phases         [{name, seconds: {min, mean, max, max_rank}}] in the order they ran
 *   seconds_total  from the creation of the context to the report; the means of the phases add up to it
 *   counters       {name: {sum, max, max_rank}}
 *   peak_bytes     {per_rank: [...], sum}: peak resident memory
 *   cpu_seconds    {per_rank: [...], sum}: computed by all threads of a rank since it started
 *   affinity       {ranks: [{host, cores, threads: [{processor, core, cores}]}], warnings: [...]}
 *
 * It is written under NAME.part and renamed, by rank 0; an existing report is replaced.
 */
#ifndef APP_REPORT_H
#define APP_REPORT_H

#include "app/app.h"

/* Checks that app->common.report can be written and is none of the arguments; without --dry-run
 * creates NAME.part. Does nothing without --report.
 * Collective. Errors: PCCT_USAGE (names an argument), PCCT_FILE. */
pcct_status report_prepare(struct app *app, const char *const *arguments, int count);

/* Writes the report of a run that ended with `status`.
 *   values, arguments, count [in] as run got them
 * Collective. Errors: PCCT_FILE, PCCT_MEMORY. */
pcct_status report_write(struct app *app, const void *values, const char *const *arguments,
                         int count, pcct_status status);

/* Removes NAME.part after a failure. Local. */
void report_discard(const struct app *app);

#endif
