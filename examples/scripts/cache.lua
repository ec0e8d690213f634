-- Slow answers kept for a while: one request computes, all others get the same, in every isolate.
-- Run:   rws cache.lua          (--cache-url redis://127.0.0.1:6379 shares it between servers)
-- Then:  for i in 1 2 3; do curl -s localhost:3000/report & done; wait
--        curl -X POST localhost:3000/refresh; curl localhost:3000/report; curl localhost:3000/stats

-- kept for 5 minutes, and given out for an hour more while a new one is made in the background
app:get("/report", function()
  return app.cache:fetch("report", { ttl = "5m", stale = "1h", tags = { "reports" } }, function()
    rws.sleep("500ms")                                  -- the work
    return { made = rws.now():format("rfc3339"), number = app.cache:incr("reports") }
  end)
end)

-- what does not exist is remembered too, for a shorter time
local people = { ann = { age = 33 } }
app:get("/people/:name", function(c)
  local person = app.cache:fetch("person:" .. c.params.name, { ttl = "10m", missing = "30s" }, function()
    rws.sleep("100ms")
    return people[c.params.name]
  end)
  return c:assert(person, 404, "nobody of this name")
end)

app:post("/refresh", function() app.cache:invalidate("reports") end)

app:get("/stats", function() return app.cache:stats() end)

app:test("a report is kept until it is made void", function(t)
  local first = t:get("/report"):json().number
  t.eq(t:get("/report"):json().number, first)
  t:post("/refresh")
  t.eq(t:get("/report"):json().number, first + 1)
end)
