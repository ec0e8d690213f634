-- Guards that run in Go: ids, security headers with a nonce, limits, CORS, an address filter,
-- rewriting and a maintenance switch. None of them costs Lua; what they turn away no handler sees.
-- Run:   rws guards.lua
-- Then:  curl -i localhost:3000
--        curl -i localhost:3000/old/7?full=1
--        curl -i localhost:3000/api/notes/7 -H 'Origin: https://app.example.com'
--        touch maintenance.html    # and remove it again

app:config { trusted_proxies = { "loopback" } }            -- c.ip is the client behind them

app:use(                                                   -- before the routing: for every request
  rws.request_id(),
  rws.maintenance { file = "maintenance.html", retry_after = "10m" },
  rws.rewrite { from = [[^/old/(\d+)$]], to = "/api/notes/$1" },
  rws.security_headers {
    csp = { default_src = "'self'", script_src = "'nonce'", object_src = "'none'", base_uri = "'none'" },
    hsts = "365d",
  },
  rws.max_body "64kb",
  rws.compress())

app:get("/", function(c)
  return c:html('<p>hello<script nonce="' .. c.csp_nonce .. '">console.log("mine")</script>\n')
end)

local api = app:group("/api",
  rws.cors { origins = { "https://app.example.com" }, methods = { "GET", "PUT" }, headers = { "Content-Type" } },
  rws.timeout "2s",
  rws.concurrency { max = 100, per_key = 10 })

api:get("/notes/:id{int}", function(c) return { id = c.params.id, full = c.query.full } end)
api:put("/notes/:id{int}", { body = { title = "string 1..120" } }, function(c)
  return { id = c.params.id, title = c.input.title }
end)

local admin = app:group("/admin", rws.ip_filter { allow = { "loopback", "10.0.0.0/8" }, deny = "10.0.0.66" })
admin:get("/", function(c) return "hello " .. c.ip .. "\n" end)

app:test("old links work, and admins come from inside", function(t)
  t.eq(t:get("/old/7?full=1"):json(), { id = 7, full = "1" })
  t.eq(t:get("/admin", { headers = { x_forwarded_for = "10.0.0.5" } }).body, "hello 10.0.0.5\n")
  t.eq(t:get("/admin", { headers = { x_forwarded_for = "10.0.0.66" } }).status, 403)
end)
