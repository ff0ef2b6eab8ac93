/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a recipe: a plan that holds together and can be shown as JSON, or findings in file order, each
 * with its place.
 */
#include "recipe/recipe.h"

#include "core/json.h"
#include "core/utf8.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_plan(const struct recipe *recipe)
{
    struct json *root = NULL;
    struct buf buf;

    assert(recipe->n_sections > 0 && recipe_n_steps(recipe) <= RECIPE_MAX_STEPS);
    for (size_t i = 0; i < recipe_n_steps(recipe); i++) {
        const struct recipe_step *step = recipe_step_at(recipe, i);

        assert(step->ops && step->name.len > 0);
        assert(!(step->needs >> i & 1));
        assert(recipe_n_steps(recipe) == RECIPE_MAX_STEPS || step->needs >> recipe_n_steps(recipe) == 0);
    }
    buf_init(&buf, 64 * 1024 * 1024);
    recipe_write_json(recipe, true, &buf);
    assert(buf_error(&buf) == 0 && json_parse(buf_str(&buf), 64, &root, NULL) == 0);
    json_free(root);
    buf_done(&buf);
}

static void check_report(const struct recipe_report *report)
{
    assert(report->n > 0 && report->n <= RECIPE_MAX_FINDINGS);
    for (size_t i = 0; i < report->n; i++) {
        const struct recipe_finding *finding = &report->findings[i];

        assert(finding->line >= 1 && finding->column >= 1 && finding->message.len > 0);
        assert(i == 0 || finding->line > finding[-1].line ||
               (finding->line == finding[-1].line && finding->column >= finding[-1].column));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct source_ops *sql = source_kind_for_url(STR_LIT("sqlite:/x"));
    const struct recipe_connection connections[] = {{STR_LIT("main"), sql}, {STR_LIT("series"), sql}};
    struct recipe_report report = {0};
    struct recipe *recipe = NULL;
    struct err_info err = {0};
    int r =
        recipe_load(str_make((const char *)data, size), "fuzz.yaml", connections, 2, &recipe, &report, &err);

    if (r == 0)
        check_plan(recipe);
    else if (r == ERR_INVALID)
        check_report(&report);
    assert(r == 0 || (err.code == r && err.message[0]));
    recipe_unref(recipe);
    recipe_report_done(&report);
    return 0;
}
