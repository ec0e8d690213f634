---@meta

---Hashes of passwords, by argon2id (RFC 9106). Hashing is slow on purpose, some 0.1 s and 64 MB of memory; other
---requests run meanwhile, and a rush of logins stands in line.
---
---```lua
---local users = { ann = rws.password.hash("correct horse") }
---
---app:post("/login", { form = { name = "string", password = "string ..200" } }, function(c)
---  -- verify also without a user: the time of the answer must not tell who has an account
---  if not rws.password.verify(c.input.password, users[c.input.name]) then
---    c:fail(401, "wrong name or password")
---  end
---  if rws.password.needs_rehash(users[c.input.name]) then
---    users[c.input.name] = rws.password.hash(c.input.password)
---  end
---  c.session.uid = c.input.name
---  return "welcome"
---end)
---
---app:test("a password", function(t)
---  t.eq(t:post("/login", { form = { name = "ann", password = "battery" } }).status, 401)
---  t.eq(t:post("/login", { form = { name = "eve", password = "battery" } }).status, 401)
---  t.eq(t:post("/login", { form = { name = "ann", password = "correct horse" } }).body, "welcome")
---end)
---```
---@class rws.password
rws.password = {}

---The hash of a password, with a random salt, as text to store: `"$argon2id$v=19$m=65536,t=3,p=4$…"`.
---@async
---@param password string at most 1024 bytes
---@return string hash
---@nodiscard
function rws.password.hash(password) end

---Whether a password is the one that a hash was made of. It knows the hashes of argon2, bcrypt and scrypt. Without
---a hash, for a user that does not exist, it takes as long and is false. A text that is no hash raises (code
---`hash`).
---
---```lua
---local hash = rws.password.hash("correct horse")
---assert(rws.password.verify("correct horse", hash))
---assert(not rws.password.verify("battery staple", hash))
---assert(not rws.password.verify("correct horse", nil))
---```
---@async
---@param password string
---@param hash? string
---@return boolean same
---@nodiscard
function rws.password.verify(password, hash) end

---Whether a hash is of another kind or cost than `rws.password.hash` makes now: after a login, store a new one.
---
---```lua
---assert(not rws.password.needs_rehash(rws.password.hash("correct horse")))
---```
---@param hash string
---@return boolean needed
---@nodiscard
function rws.password.needs_rehash(hash) end

---Takes as long as a verification: for answers that must not tell by their time what was missing.
---@async
function rws.password.dummy() end
