/* SPDX-License-Identifier: Apache-2.0
 *
 * GET /v1/recipes and /v1/recipes/{name}: what can be asked for. The book is immutable, so that front threads
 * read it.
 */
#include "serve/serve_priv.h"

int recipes_list(struct request *req, struct err_info *reterr)
{
    const struct recipe_book *book = req->server->options.recipes;
    struct json_writer writer;

    (void)reterr;
    reply_start_list(req, "recipes", &writer);
    for (size_t i = 0; book && i < book->n; i++) {
        json_put_raw(&writer, STR_LIT("")); /* the comma; the recipe writes itself */
        recipe_write_json(book->recipes[i], false, writer.buf);
    }
    json_close_array(&writer);
    json_close_object(&writer);
    return 0;
}

int recipes_show(struct request *req, struct err_info *reterr)
{
    const struct recipe_book *book = req->server->options.recipes;
    const struct recipe *recipe = book ? recipe_book_find(book, req->args[0]) : NULL;
    struct json_writer writer;

    if (!recipe)
        return err_set_field(reterr, ERR_NOT_FOUND, "name", "there is no recipe named %.*s",
                             STR_ARG(req->args[0]));
    reply_start_json(req, 200, &writer);
    recipe_write_json(recipe, true, writer.buf);
    return 0;
}
