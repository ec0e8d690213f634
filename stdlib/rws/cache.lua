---@meta

---Values that can be had again, kept for a while: in the memory of the server, or in Redis by the setting
---`cache.url`. All isolates share them, and reading gives a copy: texts, numbers, booleans and tables of them.
---They may be gone at any time. In tests they are in memory.
---
---```lua
---app:get("/rates", function()
---  return app.cache:fetch("rates", "5m", function()
---    return rws.http.get("https://api.example.com/rates"):json()
---  end)
---end)
---
---app:test("the rates are asked for once in 5 minutes", function(t)
---  local calls = 0
---  t:stub("https://api.example.com/rates", function() calls = calls + 1 return { json = { EUR = 1 } } end)
---  t:get("/rates")
---  t.eq(t:get("/rates"):json(), { EUR = 1 })
---  t.eq(calls, 1)
---  t:travel("6m")
---  t:get("/rates")
---  t.eq(calls, 2)
---end)
---```
---@class rws.Cache
local cache = {}

---The value under a key, or nil.
---@async
---@param key string
---@return any value a copy
---@nodiscard
function cache:get(key) end

---Options of `app.cache:set`.
---@class rws.CacheOptions
---@field ttl? rws.Duration how long it is kept, more than 0; default as long as there is room
---@field tags? string|string[] names that `app.cache:invalidate` takes

---Stores a copy of a value. What has no form in JSON, as a function, is an error.
---
---```lua
---app.cache:set("greeting", "hello", "10m")
---app.cache:set("user:7", { name = "ann" }, { ttl = "1h", tags = { "users" } })
---assert(app.cache:get("user:7").name == "ann")
---```
---@async
---@param key string
---@param value any
---@param options? rws.Duration|rws.CacheOptions how long it is kept, or more
function cache:set(key, value, options) end

---Removes values. What `fetch` is loading at that moment is not kept.
---@async
---@param ... string keys
---@return integer removed how many there were
function cache:del(...) end

---Options of `app.cache:incr`.
---@class rws.CacheCountOptions
---@field ttl? rws.Duration how long the counter is kept, from when it begins

---Adds to a whole number in one step; a key that is not there counts from 0. It counts to ±9007199254740991
---(2^53-1), as far as whole numbers are exact in Lua: a sum beyond is an error with the code `range`, and the
---number stays as it was.
---
---```lua
---assert(app.cache:incr("hits") == 1)
---assert(app.cache:incr("hits", 10) == 11)
---```
---@async
---@param key string
---@param by? integer default 1
---@param options? rws.Duration|rws.CacheCountOptions how long the counter is kept, from when it begins
---@return integer sum
function cache:incr(key, by, options) end

---Options of `app.cache:fetch`.
---@class rws.CacheFetchOptions
---@field ttl? rws.Duration how long a value is kept, more than 0; default as long as there is room
---@field missing? rws.Duration how long it is remembered that the function returned nil; default not at all
---@field stale? rws.Duration how long after `ttl` the old value is given out while a new one is made in the
---  background; the function then may run after its request is over. Default not at all
---@field tags? string|string[] names that `app.cache:invalidate` takes

---The value under a key, or what a function makes of it, which is kept. However many requests ask at once, in
---all isolates of this server, the function runs once, and the others wait for it. An error is not kept: it
---is raised to all who waited. When Redis does not answer, the function runs.
---
---```lua
---local function user(id)
---  return app.cache:fetch("user:" .. id, { ttl = "10m", missing = "30s", tags = { "users" } }, function()
---    return id == 7 and { name = "ann" } or nil
---  end)
---end
---assert(user(7).name == "ann")
---assert(user(8) == nil)
---app.cache:invalidate("users")
---```
---@async
---@param key string
---@param options rws.Duration|rws.CacheFetchOptions how long the value is kept, or more
---@param fn fun(): any
---@return any value a copy
function cache:fetch(key, options, fn) end

---Removes the values that have one of these tags, in all servers that share the cache.
---@async
---@param ... string tags
function cache:invalidate(...) end

---Removes all values of this app.
---@async
function cache:clear() end

---What `app.cache:stats` returns: counts since the start, of this server.
---@class rws.CacheStats
---@field hits integer
---@field misses integer
---@field stale integer old values that were given out
---@field loads integer functions of `fetch` that ran
---@field load_errors integer of them failed
---@field entries integer in memory
---@field bytes integer of memory
---@field evictions integer entries that had to go to make room

---How much the cache is used.
---@return rws.CacheStats stats
---@nodiscard
function cache:stats() end
