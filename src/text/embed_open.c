/* SPDX-License-Identifier: Apache-2.0
 *
 * A model's folder is an encoder when its config.json tells the width of its layers, else a Model2Vec model.
 */
#include "text/embed_priv.h"

#include "core/mem.h"
#include "text/encoder_kernel.h"
#include "text/model_folder.h"

#include <errno.h>
#include <unistd.h>

static int open_kind(const char *folder, struct embedder *embedder, struct err_info *reterr)
{
    const struct encoder_kernel *kernels[ENCODER_MAX_KERNELS];
    struct json *config = NULL;
    int r = model_read_json(folder, "config.json", &config, reterr);
    if (r < 0)
        return r;
    (void)encoder_list_kernels(kernels);
    if (json_member(config, "hidden_size"))
        r = encoder_open(folder, config, kernels[0], embedder, reterr);
    else
        r = model2vec_open(folder, embedder, reterr);
    json_free(config);
    return r;
}

int embedder_open(const char *folder, struct embedder **ret_embedder, struct err_info *reterr)
{
    if (access(folder, X_OK) != 0)
        return err_set_field(reterr, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO, folder,
                             "cannot be opened: %s", strerror(errno));
    struct embedder *embedder = mem_calloc(1, sizeof *embedder);
    if (!embedder)
        return err_set(reterr, ERR_NOMEM, "there is no memory for an embedder");
    int r = open_kind(folder, embedder, reterr);
    if (r < 0) {
        embedder_close(embedder);
        return r;
    }
    *ret_embedder = embedder;
    return 0;
}
