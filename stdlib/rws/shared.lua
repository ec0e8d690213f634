---@meta

---Values that all isolates of the app see and that outlive a reload; not a restart. It holds copies of texts,
---numbers, booleans and tables of them: changing a table that was read changes nothing here.
---
---```lua
---app:get("/visits", function() return { visits = app.shared:incr("visits") } end)
---
---app:test("visits are counted", function(t)
---  t:get("/visits")
---  t.eq(t:get("/visits"):json(), { visits = 2 })
---end)
---```
---@class rws.Shared
local shared = {}

---The value under a key, or nil.
---
---```lua
---app.shared:set("rates", { EUR = 1 })
---assert(app.shared:get("rates").EUR == 1)
---```
---@param key string
---@return any value a copy
---@nodiscard
function shared:get(key) end

---Stores a copy of a value. nil removes it.
---@param key string
---@param value any
function shared:set(key, value) end

---Removes a value.
---@param key string
function shared:del(key) end

---Adds to a number in one step; a key that is not there counts from 0. It counts to ±9007199254740991 (2^53-1),
---as far as whole numbers are exact in Lua: a sum beyond, or a fraction too small to change the number, is an
---error with the code `range`, and the number stays as it was.
---
---```lua
---assert(app.shared:incr("hits") == 1)
---assert(app.shared:incr("hits", 10) == 11)
---
---app.shared:set("full", 9007199254740991)
---assert(not pcall(function() app.shared:incr("full") end))
---```
---@param key string
---@param by? number default 1
---@return number sum
function shared:incr(key, by) end

---Replaces a value by what a function makes of it, while no other update of that key runs. The function may
---wait. `set` and `incr` do not wait for it: a counter is changed by one of `incr` and `update`. What the function
---computes is as exact as Lua is: beyond ±9007199254740991 `n + 1` may be `n`, where `incr` raises an error.
---
---```lua
---app.shared:update("settings", function(v)
---  v = v or {}
---  v.on = true
---  return v
---end)
---assert(app.shared:get("settings").on)
---```
---@async
---@param key string
---@param fn fun(value: any): any gets a copy, or nil, and returns the new value
---@return any value the new one
function shared:update(key, fn) end
