-- Sign up, log in, log out: sessions, passwords as hashes, messages for the next page.
-- Run:   rws login.lua          (RWS_SESSION_STORE=sqlite:sessions.db keeps sessions over a restart)
-- Then:  open http://localhost:3000, or
--        curl -c jar -b jar -L localhost:3000/signup -d name=ann -d password='correct horse'
--        curl -c jar -b jar localhost:3000/account

local function user_called(name) return app.shared:get("user:" .. name) end   -- a real app asks its database

local function page(c, name, data, status)
  data = data or {}
  data.user, data.error, data.notice = c.user, c.session:flash("error"), c.session:flash("notice")
  return c:render(name, data, status)
end

app:use(function(c, next)
  c.user = c.session.uid and user_called(c.session.uid)
  return next()
end)

local function signed_in(c, next)
  if c.user then return next() end
  c.session:flash("error", "Please log in first.")
  return c:redirect("/", 303)
end

local form = { name = "string 1..40", password = "string 8..200" }

app:get("/", function(c) return page(c, "login.html") end)

app:post("/signup", { form = form }, function(c)
  local hash = rws.password.hash(c.input.password)
  local taken = false
  app.shared:update("user:" .. c.input.name, function(user)
    taken = user ~= nil
    return user or { name = c.input.name, hash = hash }
  end)
  if taken then
    c.session:flash("error", "This name is taken.")
  else
    c.session.uid = c.input.name                       -- a new id comes with it: nobody who knew the old one is in
    c.session:flash("notice", "Welcome, " .. c.input.name .. "!")
  end
  return c:redirect("/", 303)
end)

app:post("/login", { form = form }, function(c)
  local user = user_called(c.input.name)
  if rws.password.verify(c.input.password, user and user.hash) then   -- takes as long without a user
    c.session.uid = user.name
  else
    c.session:flash("error", "Wrong name or password.")
  end
  return c:redirect("/", 303)
end)

app:post("/logout", function(c) c.session:destroy() return c:redirect("/", 303) end)
app:post("/logout/others", signed_in, function(c)
  return { ended = app.sessions:revoke(c.user.name, c.session:id()) }
end)
app:get("/account", signed_in, function(c) return { name = c.user.name, devices = app.sessions:list(c.user.name) } end)
