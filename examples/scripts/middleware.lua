-- Middleware: function(c, next) runs around everything behind it. One times all requests, one
-- lets only those in who have a key; built-in ones run in Go.
-- Run:   rws middleware.lua
-- Then:  curl -i localhost:3000
--        curl -i localhost:3000/api/me
--        curl -i localhost:3000/api/me -H 'Authorization: Bearer k-ann'

app:use(rws.request_id())

app:use(function(c, next)
  local started = rws.now()
  local res = next()                                      -- everything else happens in here
  res.headers["Server-Timing"] = ("app;dur=%.2f"):format(started:elapsed("ms"))
  return res
end)

local keys = { ["k-ann"] = "ann", ["k-bob"] = "bob" }

local function with_key(c, next)
  local key = (c.headers.authorization or ""):match("^Bearer (%S+)$")
  c.user = key and keys[key]
  if not c.user then
    c.res.headers["WWW-Authenticate"] = "Bearer"
    return c:json({ error = "a key is needed" }, 401)     -- no next(): nothing behind it runs
  end
  return next()
end

app:get("/", function() return "open to all\n" end)

local api = app:group("/api", with_key)
api:get("/me", function(c) return { user = c.user, request = c.id } end)
