-- How often who may ask: by address, by key, by user, and with a function of your own.
-- Run:   rws rate_limits.lua
--        RWS_LIMITS_STORE=redis://localhost rws rate_limits.lua     (several instances share the limits)
-- Then:  for n in 1 2 3 4; do curl -si localhost:3000/search | grep -i '^HTTP\|^ratelimit:\|^retry'; done

app:use(rws.rate_limit { rate = "600/min", name = "all" })            -- each address, whatever it asks for

-- in the spec: this route alone, counted before its input is checked
app:get("/search", { limit = "3/min per ip", query = { q = "string ..80 = ''" } }, function(c)
  return { q = c.query.q, found = rws.array {} }
end)

-- by what a function says, here the plan of a customer
local function plan(c) return c.headers.x_customer end
app:get("/report", rws.rate_limit { rate = "2/min", burst = 1, by = plan, name = "reports" }, function()
  return "a long report"
end)

-- by user: behind what finds out who it is
local function signed_in(c, next)
  c.user = c.headers.x_user and { name = c.headers.x_user }
  c:assert(c.user, 401, "who are you?")
  return next()
end
app:post("/messages", signed_in, { limit = { rate = "2/min", by = "user" } }, function() return 201 end)

app:test("limits", function(t)
  for _ = 1, 3 do t.eq(t:get("/search").status, 200) end
  local refused = t:get("/search")
  t.eq(refused.status, 429)
  t.eq(refused.headers.retry_after, "20")
  t:travel("20s")
  t.eq(t:get("/search").status, 200)

  t.eq(t:get("/report", { headers = { x_customer = "acme" } }).status, 200)
  t.eq(t:get("/report", { headers = { x_customer = "acme" } }).status, 429)
  t.eq(t:get("/report", { headers = { x_customer = "other" } }).status, 200)

  local function send(user) return t:post("/messages", { headers = { x_user = user } }).status end
  t.eq({ send("ann"), send("ann"), send("ann"), send("bob") }, { 201, 201, 429, 201 })
end)
