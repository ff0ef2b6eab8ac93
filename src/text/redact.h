/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets out of a text before anybody else reads it. What is found by its name (password=, "api_key":,
 * Cookie:) or by its form (a key of a known service, a JSON web token, a private key, a card, an IBAN) is
 * replaced by "[redacted:KIND]"; all else stays byte for byte. docs/redaction.md says what is found, and how
 * much of a labelled corpus. Time grows with the text's length and with nothing else.
 */
#ifndef PRECIS_TEXT_REDACT_H
#define PRECIS_TEXT_REDACT_H

#include "core/buf.h"
#include "core/str.h"

/* Appends the text without its secrets; returns how many there were. Errors latch in the buf. */
size_t text_redact(struct buf *buf, struct str text);

/* The same of a JSON document, which stays one: also numbers and lists under a secret's name become
 * "[redacted:KIND]". What is no JSON is treated as text. */
size_t text_redact_json(struct buf *buf, struct str json);

/* What a field of that name holds ("password", "token"), NULL when it is no secret: "DB_PASSWORD", "apiKey",
 * "x-api-key", but not "max_tokens" or "password_policy". */
const char *redact_kind_of_name(struct str name);

#endif
