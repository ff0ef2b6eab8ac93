/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking at a folder without leaving it: which names are never shown, opening without following links, and
 * the drawn tree.
 */
#ifndef PRECIS_SOURCE_FILES_PRIV_H
#define PRECIS_SOURCE_FILES_PRIV_H

#include "source/source.h"

#include <sys/stat.h>
#include <sys/types.h>

#define FILES_PROBE_BYTES 8192 /* a NUL byte among the first of these makes a file a binary */

/* What a look at a folder may cost. */
struct files_limits {
    int64_t max_depth;   /* folders within folders; 1: the root's own entries */
    size_t max_entries;  /* in the tree */
    size_t max_bytes;    /* of a text */
    int64_t deadline_us; /* monotonic */
    const struct clock *clock;
    const struct net_job *job;
};

/* 0, or ERR_TIMEOUT or ERR_CANCELLED when it is time to stop. */
int files_check_time(const struct files_limits *limits, struct err_info *reterr);

/* True for what no reader of a project should see: version control, dependencies, build outputs, keys and
 * passwords. */
bool files_is_left_out(const char *name, bool is_folder, bool is_top);

/* Opens a regular file for reading, never through a link and never waiting for a pipe. Negative errno on
 * failure. */
int files_open(int folder_fd, const char *name, struct stat *ret_stat);

/* Reads from the beginning until the end or `size` bytes. The number read; negative errno on failure. */
ssize_t files_read(int fd, char *bytes, size_t size);

/* Appends the tree below the folder, one entry a line, two spaces a level, folders first. What a limit leaves
 * out is counted: "… 57 more". Nothing is followed out of the root, links are not shown. */
int files_draw_tree(int root_fd, const struct files_limits *limits, struct buf *buf, struct err_info *reterr);

#endif
