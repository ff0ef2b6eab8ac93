-- SPDX-License-Identifier: Apache-2.0
-- wrk: POST the lines of the file named by BODIES in turn (plain GET without it); a "%d" in a line becomes a number that no
-- other request has; a line that begins with a slash is got. Ends with one line: RESULT requests-a-second p50-us p99-us bad-answers.
local bodies, made, is_numbered, n = {}, {}, false, 0

if os.getenv("BODIES") then
  for line in assert(io.lines(os.getenv("BODIES"))) do
    bodies[#bodies + 1] = line
    is_numbered = is_numbered or line:find("%d", 1, true) ~= nil
  end
end

function init()
  if #bodies > 0 and bodies[1]:sub(1, 1) ~= "/" then
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
  end
  for i, body in ipairs(bodies) do
    made[i] = body:sub(1, 1) == "/" and wrk.format("GET", body) or wrk.format(nil, nil, nil, body)
  end
  if #bodies == 0 then
    made[1] = wrk.format()
  end
end

function request()
  n = n + 1
  if is_numbered then
    return wrk.format(nil, nil, nil, (bodies[n % #bodies + 1]:gsub("%%d", os.time() .. "-" .. n)))
  end
  return made[n % #made + 1]
end

function done(summary, latency, requests)
  local errors = summary.errors
  local bad = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("RESULT %.1f %.1f %.1f %d\n", summary.requests / (summary.duration / 1e6),
    latency:percentile(50), latency:percentile(99), bad))
end
