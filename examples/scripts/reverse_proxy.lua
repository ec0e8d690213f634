-- A reverse proxy: two backends with checks, retries and a breaker, guards before them, and a page for bad days.
-- Run:   rws reverse_proxy.lua, with backends on 9001 and 9002, as `rws serve public --port 9001`
-- Then:  curl -i localhost:3000/api/index.html    the backend is asked for /index.html
--        curl localhost:3000/backends             how they are
--        rws routes reverse_proxy.lua             what leads where

local api = app:upstream("api", {
  to      = { env.API1 or "http://127.0.0.1:9001", env.API2 or "http://127.0.0.1:9002" },
  balance = "least_conn",
  health  = { path = "/", status = "200-499", every = "2s", timeout = "1s" },
  passive = { failures = 5, window = "10s", eject = "10s" },
  breaker = { failures = 10, open = "10s" },        -- remembered over reloads; store = "redis" over restarts too
  retry   = { on = { "connect", "reset", "502", "503" }, budget = "10%" },
  timeout = { connect = "1s", response = "10s" },
})

app:use(rws.request_id(), rws.security_headers())

-- No Lua is between a visitor and a backend, until none of them works.
app:proxy("/api/*", rws.rate_limit "100/min", rws.max_body "10mb", api, {
  strip    = "/api",
  request  = { remove = { "Cookie" }, set = { ["X-From"] = "edge" } },
  response = { remove = { "Server" } },
  fallback = function(c) return c:json({ error = "back soon" }, 503) end,
})

-- Hooks see each request and each answer, but not their bodies.
app:proxy("/old/*", api, {
  rewrite    = { "^/old/(.*)$", "/v1/$1" },
  on_request = function(c, request)
    if request.method ~= "GET" then c:fail(403, "the old API is read-only") end
    request.headers["X-Host"] = c.host
  end,
  on_response = function(_, response) response.headers.deprecation = "true" end,
})

app:get("/backends", function() return api:status() end)

app:test("without a backend there is an answer all the same", function(t)
  t.eq(t:get("/api/x").status, 503)
  t.eq(t:post("/old/x").status, 403)
end)
