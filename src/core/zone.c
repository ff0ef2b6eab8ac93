/* SPDX-License-Identifier: Apache-2.0
 *
 * IANA zones from the system's files (TZif, RFC 9636), read anew at each zone_new: whoever needs a zone often
 * keeps it. A zone never changes once made. Leap seconds are left out, as in POSIX time.
 */
#include "core/civil_priv.h"

#include "core/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ZONE_FOLDER    "/usr/share/zoneinfo"
#define MAX_NAME_BYTES 64
#define MAX_FILE_BYTES (256 * 1024) /* the largest known has 4 KiB */
#define HEADER_BYTES   44
#define TYPE_BYTES     6
#define MAX_TYPES      256
#define MAX_TIMES      65536
#define MIN_OFFSET_SEC (-25 * 3600 + 1)
#define MAX_OFFSET_SEC (26 * 3600 - 1)

struct zone {
    size_t n_times;
    int64_t *times; /* ascending; from times[i] on, types[idx[i]] holds */
    unsigned char *idx;
    struct local_type *types; /* types[0] holds before the first time */
    size_t n_types;
    bool has_rule; /* for what comes after the last time */
    struct zone_rule rule;
};

static const struct local_type utc_type = {0, "UTC"};

const struct local_type *zone_at(const struct zone *zone, int64_t utc_sec)
{
    if (!zone)
        return &utc_type;
    bool is_after = zone->n_times == 0 || utc_sec >= zone->times[zone->n_times - 1];
    if (zone->has_rule && is_after)
        return zone_rule_at(&zone->rule, utc_sec);
    /* The number of changes up to and including utc_sec. */
    size_t low = 0, high = zone->n_times;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->times[middle] <= utc_sec)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? &zone->types[0] : &zone->types[zone->idx[low - 1]];
}

struct zone *zone_free(struct zone *zone)
{
    if (zone) {
        mem_free(zone->times);
        mem_free(zone->idx);
        mem_free(zone->types);
        mem_free(zone);
    }
    return NULL;
}

/* The six counts of a TZif header, in the order of the file. */
struct header {
    size_t n_is_ut, n_is_std, n_leaps, n_times, n_types, n_chars;
};

static uint64_t read_number(const char *at, size_t n_bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n_bytes; i++)
        value = value << 8 | (unsigned char)at[i];
    return value;
}

/* Reads a header at the front of *rest and moves behind it. */
static int take_header(struct str *rest, struct header *ret_header)
{
    if (rest->len < HEADER_BYTES || memcmp(rest->ptr, "TZif", 4) != 0 || rest->ptr[4] < '2')
        return ERR_CORRUPT;
    size_t counts[6];
    for (size_t i = 0; i < 6; i++) {
        counts[i] = (size_t)read_number(rest->ptr + 20 + 4 * i, 4);
        if (counts[i] > MAX_TIMES)
            return ERR_CORRUPT;
    }
    *ret_header = (struct header){counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]};
    *rest = str_slice(*rest, HEADER_BYTES, rest->len);
    return 0;
}

static size_t block_bytes(const struct header *header, size_t time_bytes)
{
    return header->n_times * (time_bytes + 1) + header->n_types * TYPE_BYTES + header->n_chars +
           header->n_leaps * (time_bytes + 4) + header->n_is_std + header->n_is_ut;
}

static int read_times(struct zone *zone, const char *at, const struct header *header)
{
    for (size_t i = 0; i < header->n_times; i++) {
        zone->times[i] = (int64_t)read_number(at + 8 * i, 8);
        zone->idx[i] = (unsigned char)at[8 * header->n_times + i];
        if (zone->idx[i] >= header->n_types || (i > 0 && zone->times[i] <= zone->times[i - 1]))
            return ERR_CORRUPT;
    }
    return 0;
}

static int read_types(struct zone *zone, const char *at, const struct header *header)
{
    struct str chars = str_make(at + TYPE_BYTES * header->n_types, header->n_chars);
    for (size_t i = 0; i < header->n_types; i++, at += TYPE_BYTES) {
        struct local_type *type = &zone->types[i];
        type->offset_sec = (int32_t)read_number(at, 4);
        struct str name = str_slice(chars, (unsigned char)at[5], chars.len);
        const char *end = name.len ? memchr(name.ptr, '\0', name.len) : NULL;
        if (!end || type->offset_sec < MIN_OFFSET_SEC || type->offset_sec > MAX_OFFSET_SEC)
            return ERR_CORRUPT;
        name = str_slice(name, 0, (size_t)(end - name.ptr));
        name = str_slice(name, 0, sizeof(type->name) - 1);
        if (name.len)
            memcpy(type->name, name.ptr, name.len);
        type->name[name.len] = '\0';
    }
    return 0;
}

/* Behind the second block: a newline, the rule (or nothing), a newline. */
static int read_footer(struct zone *zone, struct str rest)
{
    const char *end = rest.len > 1 ? memchr(rest.ptr + 1, '\n', rest.len - 1) : NULL;
    if (!end || rest.ptr[0] != '\n')
        return ERR_CORRUPT;
    struct str rule = str_make(rest.ptr + 1, (size_t)(end - rest.ptr) - 1);
    zone->has_rule = rule.len > 0;
    return zone->has_rule ? zone_rule_parse(rule, &zone->rule) : 0;
}

static int read_zone(struct zone *zone, struct str rest)
{
    struct header header;
    int err = take_header(&rest, &header);
    if (err)
        return err;
    size_t first_bytes = block_bytes(&header, 4); /* 32-bit times, for old readers */
    if (first_bytes > rest.len)
        return ERR_CORRUPT;
    rest = str_slice(rest, first_bytes, rest.len);
    err = take_header(&rest, &header);
    if (err)
        return err;
    size_t second_bytes = block_bytes(&header, 8);
    if (header.n_types == 0 || header.n_types > MAX_TYPES || second_bytes > rest.len)
        return ERR_CORRUPT;
    zone->n_times = header.n_times;
    zone->n_types = header.n_types;
    zone->times = mem_calloc(header.n_times, sizeof(*zone->times));
    zone->idx = mem_calloc(header.n_times, sizeof(*zone->idx));
    zone->types = mem_calloc(header.n_types, sizeof(*zone->types));
    if (!zone->times || !zone->idx || !zone->types)
        return ERR_NOMEM;
    err = read_times(zone, rest.ptr, &header);
    if (!err)
        err = read_types(zone, rest.ptr + 9 * header.n_times, &header);
    return err ? err : read_footer(zone, str_slice(rest, second_bytes, rest.len));
}

int zone_from_bytes(struct str bytes, struct zone **ret_zone)
{
    struct zone *zone = mem_calloc(1, sizeof(*zone));
    int err = zone ? read_zone(zone, bytes) : ERR_NOMEM;
    if (err)
        zone_free(zone);
    else
        *ret_zone = zone;
    return err;
}

/* Letters, digits, _ + - in parts between single slashes: no dot, so no way out of the folder. */
static bool is_zone_name(struct str name)
{
    char before = '/';
    if (name.len == 0 || name.len > MAX_NAME_BYTES)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '+' || c == '-';
        if (!is_word && (c != '/' || before == '/'))
            return false;
        before = c;
    }
    return before != '/';
}

/* A zone of one type for ever. */
static int new_fixed(int32_t offset_sec, struct zone **ret_zone)
{
    struct zone *zone = mem_calloc(1, sizeof(*zone));
    if (!zone)
        return ERR_NOMEM;
    zone->has_rule = true;
    zone->rule.standard = utc_type;
    if (offset_sec) {
        int32_t minutes = (offset_sec < 0 ? -offset_sec : offset_sec) / 60;
        zone->rule.standard.offset_sec = offset_sec;
        snprintf(zone->rule.standard.name, sizeof(zone->rule.standard.name), "%c%02u:%02u",
                 offset_sec < 0 ? '-' : '+', (unsigned)minutes / 60 % 100, (unsigned)minutes % 60);
    }
    *ret_zone = zone;
    return 0;
}

static int read_file(struct str name, struct buf *buf)
{
    char path[sizeof(ZONE_FOLDER) + 1 + MAX_NAME_BYTES];
    struct stat info;
    int err = 0;
    snprintf(path, sizeof(path), ZONE_FOLDER "/%.*s", STR_ARG(name));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
    if (fstat(fd, &info) < 0)
        err = ERR_IO;
    else if (!S_ISREG(info.st_mode))
        err = ERR_NOT_FOUND; /* "Europe" is a folder */
    else if (info.st_size > MAX_FILE_BYTES)
        err = ERR_CORRUPT;
    while (!err) {
        err = buf_reserve(buf, 4096);
        ssize_t n = err ? 0 : read(fd, buf->data + buf->len, 4096);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = ERR_IO;
        if (n <= 0)
            break;
        buf->len += (size_t)n;
    }
    close(fd);
    return err;
}

static int load(struct str name, struct zone **ret_zone)
{
    struct buf buf;
    buf_init(&buf, MAX_FILE_BYTES + 4096);
    int err = read_file(name, &buf);
    if (!err)
        err = zone_from_bytes(buf_str(&buf), ret_zone);
    buf_done(&buf);
    return err;
}

int zone_new(struct str name, struct zone **ret_zone, struct err_info *reterr)
{
    int32_t offset_sec = 0;
    int err;
    if (str_is(name, "UTC") || civil_parse_offset(name, &offset_sec) == 0)
        err = new_fixed(offset_sec, ret_zone);
    else if (!is_zone_name(name))
        return err_set(reterr, ERR_INVALID, "a time zone is written like Europe/Warsaw, UTC or +02:00");
    else
        err = load(name, ret_zone);
    switch (err) {
    case 0:
        return 0;
    case ERR_NOMEM:
        return err_set(reterr, err, "out of memory while reading a time zone");
    case ERR_NOT_FOUND:
        return err_set(reterr, err, "this system knows no time zone '%.*s'", STR_ARG(name));
    default:
        return err_set(reterr, err, "the zone file of '%.*s' in " ZONE_FOLDER " cannot be read or is damaged",
                       STR_ARG(name));
    }
}
