/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder for one test, and its end with all the files in it. It has no folders in it.
 */
#ifndef PRECIS_TESTS_TEMP_FOLDER_H
#define PRECIS_TESTS_TEMP_FOLDER_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEMP_FOLDER_SIZE 64

/* parent: "/tmp". False when there can be none. */
static inline bool temp_folder_make(const char *parent, char ret_path[TEMP_FOLDER_SIZE])
{
    (void)snprintf(ret_path, TEMP_FOLDER_SIZE, "%s/precis-test-XXXXXX", parent);
    return mkdtemp(ret_path) != NULL;
}

/* False when something is left. */
static inline bool temp_folder_remove(const char *path)
{
    DIR *dir = opendir(path);

    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (entry->d_name[0] != '.')
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        (void)closedir(dir);
    return rmdir(path) == 0;
}

#endif
