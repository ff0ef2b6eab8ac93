/* SPDX-License-Identifier: Apache-2.0
 *
 * Names become the UUIDs that the standard and every other maker of them say.
 */
#include "core/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void name_has_the_uuid_of_the_standard(void **state)
{
    (void)state;
    static const unsigned char dns[16] = {0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1,
                                          0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8};
    char text[UUID_TEXT_SIZE];
    uuid_v5(dns, STR_LIT("www.example.com"), text); /* RFC 9562, A.4 */
    assert_string_equal(text, "2ed6657d-e927-568b-95e1-2665a8aea6a2");
}

static void items_keep_their_uuids(void **state)
{
    (void)state;
    static const struct {
        struct str name;
        const char *uuid;
    } cases[] = {
        {STR_LIT(""), "32e3b089-0e41-55da-8423-cd6a542e5318"},
        {STR_LIT("m-1"), "2a240146-8675-56cd-9064-6ad92fbcf00f"},
        {STR_LIT("\xc3\xa4 \xe6\xbc\xa2"), "bc2fe3d3-669b-5dff-aff0-5711a78ef7c7"},
        {STR_LIT("a name that is longer than one block of the hash, and than what the padding leaves of it"),
         "c70d091a-413c-57d6-81e6-c8cb9e7d5640"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[UUID_TEXT_SIZE];
        uuid_v5(uuid_items, cases[i].name, text);
        assert_string_equal(text, cases[i].uuid);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_has_the_uuid_of_the_standard),
        cmocka_unit_test(items_keep_their_uuids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
