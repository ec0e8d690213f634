---@meta

---JSON as Lua values.
---
---Lists decode to marked tables and objects to plain ones, so that what is decoded and encoded again
---stays what it was, also when it is empty. Whole numbers print without `.0`. A whole number beyond
---2^53, which Lua can't hold, becomes a text of its digits, and is never rounded.
---@class rws.json
rws.json = {}

---Options of `rws.json.encode`.
---@class rws.JsonOptions
---@field indent? boolean puts every item and field on a line of its own; default false

---Writes a value as JSON. A table with the keys 1 to n is a list, another one an object; `rws.array`
---decides for an empty one, which otherwise is `{}`. Times and ids are text.
---
---It raises for what JSON can't say, with the place in the value: functions, nil inside of a list, NaN,
---text that is not UTF-8, a table with both items and names, tables nested more than 128 deep.
---
---```lua
---assert(rws.json.encode { 1, 2.5, "a" } == '[1,2.5,"a"]')
---assert(rws.json.encode({ a = 1 }, { indent = true }) == '{\n  "a": 1\n}')
---```
---@param value any
---@param options? rws.JsonOptions
---@return string text
---@nodiscard
function rws.json.encode(value, options) end

---Reads JSON; `null` becomes `rws.null`. It raises for text that is not JSON, with
---line and column, and for more than 64 MB, a million values or 128 levels.
---
---```lua
---local t = rws.json.decode '{"name":"ann","tags":[]}'
---assert(t.name == "ann")
---assert(rws.json.encode(t.tags) == "[]")
---```
---@param text string
---@return any value
---@nodiscard
function rws.json.decode(text) end
