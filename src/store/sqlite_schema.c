/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose file it is and what brings it up to date. The steps are the texts in store/schema/, step N leading
 * from version N-1 to N; a step once released never changes. Each is one transaction together with its row in
 * precis_schema, so a migration that was killed goes on where it stood.
 */
#include "store/sqlite_priv.h"

#include "core/embed.h"

#include <stdio.h>

extern const struct embedded_file store_sqlite_schema[];

/* "Prcs" in the file's header. */
#define APPLICATION_ID 0x50726373

int schema_known_version(void)
{
    int n = 0;
    while (store_sqlite_schema[n].name)
        n++;
    return n;
}

int schema_read_version(struct conn *conn, int *ret_version, struct err_info *reterr)
{
    int64_t application_id = 0, n_objects = 0, version = 0;
    int r = conn_get_int(conn, "PRAGMA application_id", &application_id, reterr);

    if (r == 0)
        r = conn_get_int(conn, "SELECT count(*) FROM sqlite_schema", &n_objects, reterr);
    if (r < 0)
        return r;
    if (application_id == 0 && n_objects == 0) {
        *ret_version = 0;
        return 0;
    }
    if (application_id != APPLICATION_ID)
        return err_set(reterr, ERR_CORRUPT, "the database is not one of Precis's");
    r = conn_get_int(conn, "SELECT max(version) FROM precis_schema", &version, reterr);
    if (r < 0)
        return r;
    if (version > schema_known_version())
        return err_set(reterr, ERR_UNSUPPORTED,
                       "the store's schema is version %d and this program knows %d: use a newer Precis",
                       (int)version, schema_known_version());
    if (version < 1)
        return err_set(reterr, ERR_CORRUPT, "the database does not say which schema it has");
    *ret_version = (int)version;
    return 0;
}

/* Inside a transaction. */
static int apply(struct conn *conn, int version, const struct clock *clock, struct err_info *reterr)
{
    const struct value params[] = {value_int(version), value_time(clock_wall_us(clock))};
    char sql[64];
    int r = sqlite_run(conn->db, (const char *)store_sqlite_schema[version - 1].data,
                       "bring the schema up to date", reterr);

    if (r == 0)
        r = conn_statement(conn, "INSERT INTO precis_schema (version, applied_at) VALUES (?1, ?2)", params, 2,
                           NULL, NULL, NULL, reterr);
    if (r < 0)
        return r;
    (void)snprintf(sql, sizeof sql, "PRAGMA application_id = %d", APPLICATION_ID);
    return sqlite_run(conn->db, sql, "mark the store as Precis's", reterr);
}

int schema_migrate(struct conn *conn, int version, const struct clock *clock, struct err_info *reterr)
{
    for (int next = version + 1; next <= schema_known_version(); next++) {
        int r = conn_run(conn, "BEGIN IMMEDIATE", reterr);

        if (r < 0)
            return r;
        r = apply(conn, next, clock, reterr);
        if (r == 0)
            r = conn_run(conn, "COMMIT", reterr);
        if (r < 0) {
            if (!sqlite3_get_autocommit(conn->db))
                (void)conn_run(conn, "ROLLBACK", NULL);
            return r;
        }
    }
    return 0;
}
