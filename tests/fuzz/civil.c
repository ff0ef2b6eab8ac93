/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a time, as a zone's name, as a zone's rule and as a zone file. A time that is read prints and
 * reads back the same; any zone that is read can say what time it is.
 */
#include "core/civil_priv.h"

#include "core/clock.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_time(struct str text)
{
    int64_t time_us, again_us;
    struct buf buf;
    if (civil_parse(text, &time_us, NULL))
        return;
    buf_init(&buf, 100);
    civil_print_iso(time_us, &buf);
    int result = civil_parse(buf_str(&buf), &again_us, NULL);
    assert(result == 0 && again_us == time_us);
    buf_done(&buf);
}

static void ask_zone(const struct zone *zone)
{
    static const int64_t seconds[] = {-9000000000000, -62135596800, -1,           0,
                                      1793923200,     253402300799, 9000000000000};
    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        struct civil civil;
        civil_from_us(seconds[i] * US_PER_SEC, zone, &civil);
        assert(civil.month >= 1 && civil.month <= 12 && civil.day >= 1 && civil.day <= 31);
        (void)civil_to_us(&civil, zone); /* a local time of a wild zone may have any instant */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = {(const char *)data, size};
    struct zone *zone = NULL;
    struct zone_rule rule;
    check_time(bytes);
    if (zone_from_bytes(bytes, &zone) == 0)
        ask_zone(zone);
    zone = zone_free(zone);
    if (zone_rule_parse(bytes, &rule) == 0)
        (void)zone_rule_at(&rule, 1793923200); /* asked for its memory errors only */
    if (zone_new(bytes, &zone, NULL) == 0)
        ask_zone(zone);
    zone_free(zone);
    return 0;
}
