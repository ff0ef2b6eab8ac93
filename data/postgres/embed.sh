#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Gives the rows of a table that have no vector yet one, by the model of precis's configuration: column `embedding` from column `content`,
# rows named by `id`.
#
# usage: DATABASE_URL=postgresql://... [PRECIS=precis] data/postgres/embed.sh TABLE
set -euo pipefail

table=${1:?the name of a table}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ask() { psql "${DATABASE_URL:?where the table is}" -X -q -v ON_ERROR_STOP=1 "$@"; }

ask -At -c "SELECT id FROM $table WHERE embedding IS NULL ORDER BY id" >"$work/ids"
[ -s "$work/ids" ] || exit 0
# A text is a line.
ask -At -c "SELECT regexp_replace(content, '\s+', ' ', 'g') FROM $table WHERE embedding IS NULL ORDER BY id" |
    "${PRECIS:-precis}" embed | sed 's/^[0-9]* /[/; s/ /,/g; s/$/]/' >"$work/vectors"
paste "$work/ids" "$work/vectors" >"$work/rows"
ask <<EOF
CREATE TEMPORARY TABLE fresh (id TEXT, embedding TEXT);
\copy fresh FROM '$work/rows'
UPDATE $table SET embedding = CAST(fresh.embedding AS vector) FROM fresh WHERE $table.id = fresh.id;
EOF
