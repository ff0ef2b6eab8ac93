#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What `make demo` shows: sample data into an embedded store, then a context from it. demo.sh PRECIS DIR
# A second run starts over, so that "today" is always today.
set -eu
precis=$1
data=$2

rm -rf "$data"
echo "demo: loading sample data into $data" >&2
"$precis" init --demo --data "$data"
echo "demo: building the context of the recipe 'assistant' for the sample user" >&2
echo >&2
"$precis" build --data "$data" --recipe assistant --param user_id=demo --max-tokens 1000 \
    --query "What is on today, and what does the insurance need for the bicycle?"

cat >&2 <<END

Try next:
  $precis build --data $data --recipe assistant --param user_id=demo --query "What is on today?" --max-tokens 300 --explain
  $precis build --data $data --recipe device --param device_id=7d9f4c3e-5b1a-4e86-9f0d-2c6a81b4e573 --query "Why does Till 3 go offline?"
  $precis memory search --data $data --user demo "who is the dentist?"
  $precis recipe show assistant --data $data
  $precis serve --data $data
and, while it serves:
  curl -s -H 'Content-Type: application/json' \\
    -d '{"recipe":"assistant","params":{"user_id":"demo"},"query":"What is on today?","max_tokens":300}' \\
    http://127.0.0.1:8080/v1/context
END
