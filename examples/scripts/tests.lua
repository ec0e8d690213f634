-- Tests beside the code. They run without a socket, each in a fresh copy of the app, with a
-- clock that only the test moves and no network but what the test stubs.
-- Run:   rws test tests.lua     and to serve: rws tests.lua
-- Then:  curl localhost:3000/rate/EUR
--        curl localhost:3000/visits

local visits = 0

app:get("/visits", function()
  visits = visits + 1
  return { visits = visits }
end)

app:get("/rate/:currency", function(c)
  local res = rws.http.get("https://rates.example.com/" .. c.params.currency, { timeout = "2s" })
  c:assert(res.status == 200, 502, "no rate today")
  return { currency = c.params.currency, rate = res:json().rate }
end)

app:test("visits are counted", function(t)
  t:get("/visits")
  t.eq(t:get("/visits"):json().visits, 2)
end)

app:test("every test begins anew", function(t)
  t.eq(t:get("/visits"):json(), { visits = 1 })
end)

app:test("a rate comes from the rate service", function(t)
  t:stub("https://rates.example.com/EUR", { json = { rate = 1.25 } })
  local r = t:get("/rate/EUR")
  t.eq(r.status, 200)
  t.eq(r:json().rate, 1.25)
end)

app:test("a rate that is missing is a 502", function(t)
  t:stub("https://rates.example.com/*", { status = 404 })
  t.eq(t:get("/rate/XXX").status, 502)
end)
