/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a fuzz target over its kept inputs, one after the other: every finding of the past stays a test.
 *     replay FOLDER
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_INPUT_BYTES (1024 * 1024)

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return -1;
    }
    uint8_t *data = malloc(MAX_INPUT_BYTES);
    size_t size = data ? fread(data, 1, MAX_INPUT_BYTES, file) : 0;
    (void)fclose(file); /* read only: nothing to lose */
    if (!data)
        return -1;
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: replay FOLDER\n");
        return 2;
    }
    int n_failed = 0, n_replayed = 0;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        if (replay_file(path) < 0)
            n_failed++;
        n_replayed++;
    }
    closedir(folder);
    printf("%d inputs replayed\n", n_replayed);
    return n_failed > 0 || n_replayed == 0;
}
