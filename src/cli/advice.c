/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of words. It only adds to what an error says, so that a sentence nobody knows loses nothing.
 */
#include "cli/advice.h"

#include <stddef.h>

/* The first row whose words all occur wins: what is more special stands first. */
static const struct {
    const char *words[2];
    const char *advice;
} rows[] = {
    {{"could not translate host name"}, "is the host's name right, and is it known to this machine's DNS?"},
    {{"host", "not known"}, "is the host's name right, and is it known to this machine's DNS?"},
    {{"name or service"}, "is the host's name right, and is it known to this machine's DNS?"},
    {{"connection refused"}, "is the server running, and does it listen at that address and port?"},
    {{"no such file or directory", "socket"}, "is the server running, and is its socket in that folder?"},
    {{"no route to host"}, "is the address right, and is the network up?"},
    {{"network is unreachable"}, "is the address right, and is the network up?"},
    {{"password authentication failed"}, "check both, and the variables they come from"},
    {{"no password supplied"}, "put it into the URL, as ${VARIABLE}"},
    {{"wrongpass"}, "check both, and the variables they come from"},
    {{"noauth"}, "put it into the URL, as ${VARIABLE}"},
    {{"noperm"}, "the user may not do that: its ACL must let it read these keys"},
    {{"status 401"}, "the key is missing or wrong: `key` of the connection"},
    {{"status 403"}, "the key is missing or may not do that: `key` of the connection"},
    {{"pg_hba.conf"},
     "the server does not let this user come from here like this: pg_hba.conf says who may, and "
     "whether with TLS (sslmode=require in the URL)"},
    {{"too many clients"}, "all connections of the server are taken: raise max_connections, or lower `pool`"},
    {{"remaining connection slots"},
     "all connections of the server are taken: raise max_connections, or lower "
     "`pool`"},
    {{"server does not support ssl"}, "the URL wants TLS, which the server does not speak"},
    {{"certificate"}, "name the file of its authority in the URL, and a host that stands in the certificate"},
    {{"secure connection"}, "is it TLS that the server speaks at that port, and is its certificate trusted?"},
    {{"tls"}, "is it TLS that the server speaks at that port, and is its certificate trusted?"},
    {{"ssl"}, "is it TLS that the server speaks at that port, and is its certificate trusted?"},
    {{"database \"", "does not exist"}, "make the database, or name another at the end of the URL"},
    {{"role \"", "does not exist"}, "make the user in the server, or name another in the URL"},
    {{"type \"vector\" does not exist"}, "run CREATE EXTENSION vector in that database (pgvector)"},
    {{"access method \"hnsw\""}, "run CREATE EXTENSION vector in that database (pgvector 0.5 or later)"},
    {{"function time_bucket"}, "run CREATE EXTENSION timescaledb in that database"},
    {{"dimension"},
     "the vectors there were made by another model: name it as embedding.model, or embed the "
     "rows anew"},
    {{"permission denied"}, "GRANT SELECT on it to the user of the URL"},
    {{"relation \"", "does not exist"}, "make the table, or say in the recipe what it is called there"},
    {{"no such table"}, "make the table, or say in the recipe what it is called there"},
    {{"column", "does not exist"}, "add the column, or say in the recipe what it is called there"},
    {{"no such column"}, "add the column, or say in the recipe what it is called there"},
    {{"no collection"}, "make the collection, or say in the recipe what it is called there"},
    {{"unable to open database file"}, "is the path right, and may this user read the file and its folder?"},
    {{"not a database"}, "is the path right? The file is no SQLite database"},
    {{"no answer"}, "is it a firewall that drops what is sent, or a server that hangs?"},
    {{"did not answer"}, "is it a firewall that drops what is sent, or a server that hangs?"},
    {{"in time"}, "is it a firewall that drops what is sent, or a server that hangs?"},
    {{"timeout"}, "is it a firewall that drops what is sent, or a server that hangs?"},
};

/* Without case, of ASCII: the words above are. */
static bool occurs(struct str text, struct str words)
{
    for (size_t i = 0; i + words.len <= text.len; i++) {
        if (str_eq_nocase(str_slice(text, i, words.len), words))
            return true;
    }
    return false;
}

const char *advice_for(struct str error)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (occurs(error, str_of(rows[i].words[0])) &&
            (!rows[i].words[1] || occurs(error, str_of(rows[i].words[1]))))
            return rows[i].advice;
    }
    return NULL;
}
