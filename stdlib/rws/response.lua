---@meta

---An answer that has not been sent yet: what `c:json` and its like return, and what `next()` returns in
---middleware.
---
---```lua
---app:use(function(c, next)
---  local res = next()
---  res.headers["X-Frame-Options"] = "DENY"
---  if res.status == 200 and res.body then res.body = res.body:upper() end
---  return res
---end)
---app:get("/", function() return "loud" end)
---
---app:test("middleware changes the answer", function(t)
---  local r = t:get("/")
---  t.eq(r.body, "LOUD")
---  t.eq(r.headers.x_frame_options, "DENY")
---end)
---```
---@class rws.Response
---@field status integer can be set, from 200 to 599
---@field headers rws.Headers
---@field body? string can be set; nil of files, streams and answers of the engine
local res = {}

---Headers of an answer, by name in any case, with `_` for `-`. Assigning a string or number sets one, a list
---sends several of one name, nil removes it. Several of one name read as one text, joined by `", "`.
---@class rws.Headers
---@field [string] string|string[]|nil
