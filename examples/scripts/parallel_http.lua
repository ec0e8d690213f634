-- Asking several servers at once: rws.parallel waits for all, rws.race for the first. The
-- servers here are this app itself, so that the example needs no network.
-- Run:   rws parallel_http.lua
-- Then:  curl localhost:3000/dashboard
--        curl localhost:3000/fastest
--        curl localhost:3000/careful

app:get("/weather", function() rws.sleep("100ms") return { sky = "clear" } end)
app:get("/news", function() rws.sleep("120ms") return { title = "Nothing happened" } end)
app:get("/slow", function() rws.sleep("5s") return { title = "Too late" } end)

local function ask(c, path, options)
  return rws.http.get("http://" .. c.host .. path, options):json()
end

app:get("/dashboard", { timeout = "2s" }, function(c)
  local started = rws.now()
  local weather, news = rws.parallel(
    function() return ask(c, "/weather") end,
    function() return ask(c, "/news") end)
  return { sky = weather.sky, news = news.title, took_ms = started:elapsed("ms") }   -- 120, not 220
end)

app:get("/fastest", function(c)
  local answer, which = rws.race(
    function() return ask(c, "/slow") end,
    function() return ask(c, "/weather") end)
  return { answer = answer, which = which }
end)

app:get("/careful", function(c)
  local ok, err = rws.try(ask, c, "/slow", { timeout = "50ms" })
  return { ok = ok, why = not ok and err.code or nil }
end)
