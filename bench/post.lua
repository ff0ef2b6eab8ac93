-- SPDX-License-Identifier: Apache-2.0
-- wrk: POST the body in the file named by BODY (plain GET without it); a "%d" in the body becomes a number that no other
-- request has. Ends with one line: RESULT requests-a-second p50-us p99-us bad-answers.
local body, is_numbered, n = nil, false, 0

if os.getenv("BODY") then
  local file = assert(io.open(os.getenv("BODY")))
  body = file:read("*a")
  file:close()
  is_numbered = body:find("%d", 1, true) ~= nil
end

function init()
  if body then
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    wrk.body = body
  end
  plain = wrk.format()
end

function request()
  if not is_numbered then
    return plain
  end
  n = n + 1
  return wrk.format(nil, nil, nil, (body:gsub("%%d", os.time() .. "-" .. n)))
end

function done(summary, latency, requests)
  local errors = summary.errors
  local bad = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("RESULT %.1f %.1f %.1f %d\n", summary.requests / (summary.duration / 1e6),
    latency:percentile(50), latency:percentile(99), bad))
end
