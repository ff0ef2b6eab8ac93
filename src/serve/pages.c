/* SPDX-License-Identifier: Apache-2.0
 *
 * What is fixed text: the OpenAPI document, which is part of the program, and the greeting at /.
 */
#include "core/embed.h"
#include "serve/serve_priv.h"

extern const struct embedded_file serve_documents[];

int openapi_get(struct request *req, struct err_info *reterr)
{
    (void)reterr;
    reply_borrow(req, 200, TYPE_JSON, embedded_text(&serve_documents[0]), NULL, NULL);
    return 0;
}

int hello_get(struct request *req, struct err_info *reterr)
{
    (void)reterr;
    reply_borrow(req, 200, TYPE_TEXT,
                 STR_LIT("Precis " PRECIS_VERSION ", the context server.\n"
                         "\n"
                         "  POST /v1/context      a context within budget\n"
                         "  GET  /v1/recipes      what contexts there are\n"
                         "  POST /memory/add      remember something\n"
                         "  GET  /memory/search   find it again\n"
                         "  GET  /readyz          what is ready and what is not\n"
                         "  GET  /openapi.json    everything, described\n"
                         "\n"
                         "Try: curl -d '{\"recipe\":\"assistant\",\"params\":{\"user_id\":\"demo\"}}' "
                         "localhost:8080/v1/context\n"),
                 NULL, NULL);
    return 0;
}
