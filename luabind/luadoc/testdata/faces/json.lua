---@meta

---JSON as Lua values.
rws.json = {}

---Writes a value as JSON.
---
---```lua
---local text = rws.json.encode { a = 1 }
---assert(text == '{"a":1}')
---```
---
---And again, shorter:
---```lua no-run
---rws.json.encode(1)
---```
---@param value any
---@param options? { indent?: string }
---@return string # the text
function rws.json.encode(value, options) end

---The explicit null.
---@type userdata
rws.null = nil

---Waits.
---@async
---@param duration string for example "200ms"
function rws.sleep(duration) end
