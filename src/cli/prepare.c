/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/prepare.h"

#define MAX_SETTINGS 64

/* The settings as a statement is prepared with: no value is needed for that, only how many there are. */
int prepare_step(const struct recipe_step *step, struct source *source, struct err_info *reterr)
{
    const struct source_setting *rows = step->ops->settings;
    struct value settings[MAX_SETTINGS];
    size_t n = 0, n_binds = 0;

    for (; rows && rows[n].name; n++) {
        if (n == MAX_SETTINGS)
            return err_set(reterr, ERR_INTERNAL, "a kind has more than %d settings", MAX_SETTINGS);
        settings[n] = step->settings[n].constant;
        if (rows[n].type == SETTING_SQL)
            n_binds = step->settings[n].n_binds;
    }
    return source_prepare(source, settings, n_binds, reterr);
}
