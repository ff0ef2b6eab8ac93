/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of tokenizers: a new one is a file and a row.
 */
#include "text/tokens.h"

#include "text/text_priv.h"

static const struct tokenizer *const tokenizers[] = {&tokenizer_o200k, &tokenizer_cl100k, &tokenizer_approx,
                                                     NULL};

const struct tokenizer *const *tokenizer_all(void)
{
    return tokenizers;
}

const struct tokenizer *tokenizer_find(struct str name)
{
    for (size_t i = 0; tokenizers[i]; i++)
        if (str_is(name, tokenizers[i]->name))
            return tokenizers[i];
    return NULL;
}
