-- Takes turns among the request headers in the file that BENCH_HEADERS names, one a line, and ends with one line of JSON.
local requests, turn = {}, 0

function init()
  for line in io.lines(os.getenv("BENCH_HEADERS")) do
    local name, value = line:match("^(%S+): (.*)$")
    local headers = {
      [name] = value, ["X-Forwarded-Method"] = "GET", ["X-Forwarded-Proto"] = "https",
      ["X-Forwarded-Host"] = "app-7.bench.example", ["X-Forwarded-Uri"] = "/api/items/42?page=2",
      ["X-Forwarded-For"] = "192.0.2.7", ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) bench",
    }
    headers["Host"] = os.getenv("BENCH_HOST")
    requests[#requests + 1] = wrk.format("GET", os.getenv("BENCH_PATH") or "/verify/forward", headers)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%f,"p50":%d,"p99":%d,"bad":%d}\n', summary.requests, summary.duration / 1e6,
    latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
