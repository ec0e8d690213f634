-- An API for programs and apps: a login gives a token, and a token opens the rest. Scopes say what it is for.
-- Run:   JWT_SECRET=$(openssl rand -hex 32) rws jwt_api.lua
-- Then:  TOKEN=$(curl -s localhost:3000/token -d name=ann -d 'password=correct horse')
--        curl localhost:3000/api/me -H "Authorization: Bearer $TOKEN"
--        curl -X DELETE localhost:3000/api/notes/1 -H "Authorization: Bearer $TOKEN"      (403: not an admin)
-- Without JWT_SECRET it does not start: a guard that can't do its work fails the load.

local keys = { secret = env.JWT_SECRET, issuer = "notes" }
local users = {
  ann = { hash = rws.password.hash("correct horse"), roles = { "editor" } },
  bob = { hash = rws.password.hash("battery staple"), roles = { "admin" } },
}

app:post("/token", {
  form = { name = "string 1..40", password = "string ..200" },
  limit = "5/min per ip",                                 -- counted before the password is hashed
}, function(c)
  local user = users[c.input.name]
  c:assert(rws.password.verify(c.input.password, user and user.hash), 401, "wrong name or password")
  return rws.jwt.sign({ iss = keys.issuer, sub = c.input.name, scope = "notes", roles = user.roles },
    { secret = keys.secret, expires = "15m" })
end)

local api = app:group("/api", rws.auth.jwt { secret = keys.secret, issuer = keys.issuer, scopes = { "notes" } },
  rws.rate_limit { rate = "60/min", by = "user" })        -- behind the guard: each user has 60

api:get("/me", function(c) return { name = c.user.sub, roles = c.user.roles, until_ = c.user.exp } end)
api:delete("/notes/:id{int}", rws.auth.require { roles = { "admin" } }, function() return 204 end)

app:test("a token opens the API", function(t)
  local function login(name, password) return t:post("/token", { form = { name = name, password = password } }) end
  local function bearer(token) return { headers = { authorization = "Bearer " .. token } } end
  t.eq(login("ann", "guess").status, 401)
  t.eq(t:get("/api/me").status, 401)
  local ann, bob = bearer(login("ann", "correct horse").body), bearer(login("bob", "battery staple").body)
  t.eq(t:get("/api/me", ann):json().name, "ann")
  t.eq(t:delete("/api/notes/1", ann).status, 403)
  t.eq(t:delete("/api/notes/1", bob).status, 204)
  t.eq(t:get("/api/me", bearer("forged")).status, 401)
end)
