---@meta

---What a client left in earlier requests: `c.session.uid = 7` sets a field, and nil removes it. Fields hold texts,
---numbers, booleans and tables of them, no functions. The session is loaded when a handler first uses it, and
---saved before the head of the answer goes out, if it was changed; also a table in it that was changed in place.
---What a handler has set is saved also when it then raises an error, as its log, files and database writes outside
---of `db:tx` stay: what must hold only together is set last. Only when the session itself can't be saved it is not.
---A client that has none gets one, and a cookie, when something is first set.
---
---Set `uid` when somebody logs in, and remove it when he logs out: the id changes with it, so nobody can make
---another log in to a session that he knows. Two requests of one session at the same time keep what the other
---has set in other fields.
---
---Where sessions are kept is the setting `session.store`; in tests it is the memory.
---
---```lua
---app:post("/login", { form = { name = "string 1..40" } }, function(c)
---  c.session.uid = c.input.name
---  c.session:flash("notice", "Welcome!")
---  return c:redirect("/", 303)
---end)
---app:get("/", function(c)
---  return { user = c.session.uid or rws.null, notice = c.session:flash("notice") }
---end)
---app:post("/logout", function(c) c.session:destroy() return c:redirect("/", 303) end)
---
---app:test("logging in and out", function(t)
---  t.eq(t:get("/").body, '{"user":null}')
---  t:post("/login", { form = { name = "ann" } })
---  t.eq(t:get("/"):json(), { user = "ann", notice = "Welcome!" })
---  t.eq(t:get("/"):json(), { user = "ann" })
---  t:travel("25h")
---  t.eq(t:get("/").body, '{"user":null}')
---end)
---```
---@class rws.Session
---@field [string] any
local session = {}

---With a message, adds it for the request that takes it, usually the next page. Without one, takes what was
---added under this name, the oldest first, or returns nil.
---
---```lua
---app:post("/save", function(c)
---  c.session:flash("notice", "Saved.")
---  return c:redirect("/", 303)
---end)
---app:get("/", function(c) return c.session:flash("notice") or "nothing new" end)
---
---app:test("it is shown once", function(t)
---  t:post("/save")
---  t.eq(t:get("/").body, "Saved.")
---  t.eq(t:get("/").body, "nothing new")
---end)
---```
---@async
---@param key string as `"error"`
---@param message? string
---@return string? message
---@return string ... further ones
function session:flash(key, message) end

---Gives the session a new id; the old one is void. A change of `uid` does it by itself. Of sessions that are kept
---in cookies (`session.store = "cookie"`) a copy stays good until it ends: nothing on the server knows it.
---@async
function session:renew() end

---Ends the session and has the browser forget its cookie. What is set afterwards is a new session. A copy of a
---session that is kept in a cookie (`session.store = "cookie"`) stays good until it ends: use a store where a
---logout has to reach a stolen cookie.
---@async
function session:destroy() end

---The id under which `app.sessions` lists this session, nil for one that is not saved yet. It is not what is in
---the cookie: nobody can log in with it.
---@async
---@return string? id
function session:id() end

---What is known about a session.
---@class rws.SessionInfo
---@field id string good for `app.sessions:remove`
---@field user? string what `uid` is, as text
---@field keys string[] names of its fields
---@field size integer bytes of its JSON
---@field created rws.Time of the last login
---@field seen rws.Time of the last request, to some minutes
---@field expires rws.Time

---What is known about this session, nil for one that is not saved yet.
---
---```lua
---app:get("/", function(c) c.session.uid = 7 return "hi" end)
---app:get("/until", function(c) return { days = (c.session:info().expires - rws.now()) } end)
---```
---@async
---@return rws.SessionInfo? info
function session:info() end

---The sessions of everybody. Those that are kept in cookies can't be listed or ended: code `session`.
---@class rws.Sessions
local sessions = {}

---The sessions of a user, or without one of everybody.
---
---```lua
---app:get("/login/:name", function(c) c.session.uid = c.params.name return "hi" end)
---app:get("/devices", function(c) return app.sessions:list(c.session.uid) end)
---
---app:test("there is one", function(t)
---  t:get("/login/ann")
---  t.eq(#t:get("/devices"):json(), 1)
---end)
---```
---@async
---@param user? string|integer as in `c.session.uid`
---@param limit? integer default 100, at most 10000
---@return rws.SessionInfo[] list
---@nodiscard
function sessions:list(user, limit) end

---Ends all sessions of a user, as when the password changes.
---
---```lua
---app:get("/login", function(c) c.session.uid = 7 return "hi" end)
---app:post("/password", function(c)
---  return { ended = app.sessions:revoke(c.session.uid, c.session:id()) }
---end)
---
---app:test("this one stays", function(t)
---  t:get("/login")
---  t.eq(t:post("/password").body, '{"ended":0}')
---end)
---```
---@async
---@param user string|integer
---@param except? string|string[] ids of sessions that stay, as `c.session:id()`
---@return integer ended how many it were
function sessions:revoke(user, except) end

---Ends one session.
---@async
---@param id string as `app.sessions:list` has it
---@return boolean ended false when there is none
function sessions:remove(id) end
