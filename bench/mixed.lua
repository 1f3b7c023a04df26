-- wrk's script for the soak: pages, new items, small reads, a wrong id and bad input, in turn.
local token, inbox = os.getenv("BENCH_TOKEN"), os.getenv("BENCH_INBOX")
local headers = { ["Authorization"] = "Bearer " .. token, ["Content-Type"] = "application/json" }
local items = "/api/v1/lists/" .. inbox .. "/items"
local count = 0

function request()
  count = count + 1
  local turn = count % 20
  if turn < 3 then
    return wrk.format("POST", items, headers, '{"title":"soaked ' .. count .. '","tags":["tag-1","tag-2"]}')
  elseif turn < 6 then
    return wrk.format("GET", "/api/v1/me", headers)
  elseif turn == 6 then
    return wrk.format("GET", "/api/v1/items/00000000-0000-7000-8000-000000000000", headers)
  elseif turn == 7 then
    return wrk.format("POST", items, headers, '{"title":')
  end
  return wrk.format("GET", items .. "?limit=50", headers)
end

function done(summary)
  io.write(string.format('FIGURES {"requests": %d, "failed": %d}\n', summary.requests,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
