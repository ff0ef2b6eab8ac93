/* SPDX-License-Identifier: Apache-2.0
 *
 * libpq's functions, loaded when the first connection is opened and not before: it brings TLS, Kerberos and
 * LDAP along, which would cost every start of the program. And what a connection consists of.
 */
#ifndef PRECIS_NET_PG_PRIV_H
#define PRECIS_NET_PG_PRIV_H

#include "net/pg.h"

#include <libpq-fe.h>

/* Each name is the function PQNAME. */
#define PG_FUNCTIONS(X)                                                                                      \
    X(cancel)                                                                                                \
    X(clear)                                                                                                 \
    X(connectPoll)                                                                                           \
    X(connectStartParams)                                                                                    \
    X(conninfoFree)                                                                                          \
    X(conninfoParse)                                                                                         \
    X(consumeInput)                                                                                          \
    X(enterPipelineMode)                                                                                     \
    X(errorMessage)                                                                                          \
    X(finish)                                                                                                \
    X(flush)                                                                                                 \
    X(fname)                                                                                                 \
    X(freeCancel)                                                                                            \
    X(freemem)                                                                                               \
    X(ftype)                                                                                                 \
    X(getCancel)                                                                                             \
    X(getResult)                                                                                             \
    X(getisnull)                                                                                             \
    X(getlength)                                                                                             \
    X(getvalue)                                                                                              \
    X(isBusy)                                                                                                \
    X(nfields)                                                                                               \
    X(ntuples)                                                                                               \
    X(pipelineSync)                                                                                          \
    X(resultErrorField)                                                                                      \
    X(resultErrorMessage)                                                                                    \
    X(resultMemorySize)                                                                                      \
    X(resultStatus)                                                                                          \
    X(sendDescribePrepared)                                                                                  \
    X(sendFlushRequest)                                                                                      \
    X(sendPrepare)                                                                                           \
    X(sendQuery)                                                                                             \
    X(sendQueryParams)                                                                                       \
    X(sendQueryPrepared)                                                                                     \
    X(serverVersion)                                                                                         \
    X(setNoticeReceiver)                                                                                     \
    X(setSingleRowMode)                                                                                      \
    X(setnonblocking)                                                                                        \
    X(socket)                                                                                                \
    X(status)                                                                                                \
    X(transactionStatus)

struct pg_lib {
#define MEMBER(name) __typeof__(&PQ##name) name;
    PG_FUNCTIONS(MEMBER)
#undef MEMBER
};

/* ERR_UNSUPPORTED when the library is not there. It stays loaded; a second call finds it so. */
int pg_lib_load(struct pg_lib *ret_lib, struct err_info *reterr);

#define PG_MAX_PREPARED 96 /* of a connection: several recipes' worth */

struct pg_prepared {
    char *sql;
    size_t sql_len;
    char name[24];
    uint64_t last_use;
    size_t n_asked; /* entries that name it */
    bool is_ready;  /* the server said so */
};

struct pg_entry {
    enum pg_entry_kind {
        PG_ENTRY_QUESTION,
        PG_ENTRY_PREPARE,    /* part of the question that follows */
        PG_ENTRY_DEALLOCATE, /* the same */
        PG_ENTRY_DESCRIBE,
        PG_ENTRY_SYNC,
    } kind;
    void *tag;
    int prepared;    /* place in the table; -1: none */
    bool is_begun;   /* libpq was told how to give its rows */
    bool is_told;    /* its error was told already */
    bool is_refused; /* the error was its own */
    bool is_new;     /* of a question: it was prepared for it */
    bool is_whole;   /* its rows come together */
};

struct pg_own_type {
    uint32_t type, element; /* element 0: a vector */
};

struct pg_conn {
    struct pg_lib lib;
    PGconn *pq;
    PGresult *result; /* told last */
    int row, n_rows;  /* of result: the row told last; a whole answer has several */
    bool is_telling;  /* rows of result, or its end, are to be told yet */
    size_t n_untold;  /* bytes that came since an event was told */
    struct pg_entry entries[PG_MAX_QUESTIONS * 2];
    size_t first, n_entries; /* a ring */
    struct pg_prepared prepared[PG_MAX_PREPARED];
    uint64_t n_uses, n_names;
    struct pg_own_type *types; /* sorted by type */
    size_t n_types;
    bool has_unsent, is_bloated;
};

#endif
