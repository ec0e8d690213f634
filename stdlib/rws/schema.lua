---@meta

---Fields of a spec that a line of text can't say well: with patterns of their own, made by a function,
---shared by routes, or lists of objects. A field made here stands wherever a text as `"string 1..20"` does,
---and is the same thing.
---
---```lua
---local item = rws.schema.object {
---  sku   = rws.schema.string { pattern = [[^[A-Z]{2}\d+$]] },
---  count = rws.schema.int { min = 1, default = 1 },
---}
---app:post("/orders", { body = {
---  email = "email",
---  size  = rws.schema.one_of { "small", "large" },
---  items = rws.schema.array(item, { min = 1, max = 50 }),
---} }, function(c) return { n = #c.input.items } end)
---
---app:test("orders are checked", function(t)
---  local order = { email = "a@example.com", size = "small", items = { { sku = "AB1" } } }
---  t.eq(t:post("/orders", { json = order }):json(), { n = 1 })
---  order.items = {}
---  t.eq(t:post("/orders", { json = order }).status, 422)
---end)
---```
---@class rws.schema
rws.schema = {}

---A field of a spec, made by `rws.schema`. `tostring` gives the text that says the same.
---@class rws.SchemaField

---Options of the fields of `rws.schema`; each function takes those that mean something for its type.
---@class rws.SchemaOptions
---@field min? number|string least value; of a text in characters, of a list in items, of a file as `"1kb"`
---@field max? number|string largest value, as `min`
---@field pattern? string RE2 that a text must match, anywhere unless it has `^` and `$`
---@field format? string of a text: `email`, `url`, `uuid`, `slug`, `date`, `time`, `datetime`, `ip`, `hostname` or `decimal`
---@field types? string[] media types that a file may have, as `image/*`
---@field optional? boolean may be left out
---@field default? any what it is when it is left out
---@field unknown? boolean an object may have other members, which are dropped; default is an error

---A text.
---
---```lua
---assert(tostring(rws.schema.string { min = 1, max = 20 }) == "string 1..20")
---assert(tostring(rws.schema.string { format = "email", optional = true }) == "email?")
---```
---@param options? rws.SchemaOptions
---@return rws.SchemaField field
---@nodiscard
function rws.schema.string(options) end

---A whole number.
---
---```lua
---assert(tostring(rws.schema.int { min = 1, default = 1 }) == "int 1.. = 1")
---```
---@param options? rws.SchemaOptions
---@return rws.SchemaField field
---@nodiscard
function rws.schema.int(options) end

---A number.
---@param options? rws.SchemaOptions
---@return rws.SchemaField field
---@nodiscard
function rws.schema.number(options) end

---True or false.
---@param options? rws.SchemaOptions
---@return rws.SchemaField field
---@nodiscard
function rws.schema.bool(options) end

---Any JSON value.
---@param options? rws.SchemaOptions
---@return rws.SchemaField field
---@nodiscard
function rws.schema.any(options) end

---A file, for `upload`.
---
---```lua
---assert(tostring(rws.schema.file { types = { "image/*" }, max = "2mb" }) == "file image/* ..2mb")
---```
---@param options? rws.SchemaOptions
---@return rws.SchemaField field
---@nodiscard
function rws.schema.file(options) end

---One of several texts.
---
---```lua
---assert(tostring(rws.schema.one_of({ "a", "b" }, { default = "a" })) == "enum 'a'|'b' = 'a'")
---```
---@param values string[]
---@param options? rws.SchemaOptions
---@return rws.SchemaField field
---@nodiscard
function rws.schema.one_of(values, options) end

---A list. The bounds of its length are `min` and `max`; without them it has 10,000 items at most.
---
---```lua
---assert(tostring(rws.schema.array("string ..20", { max = 5 })) == "[string ..20] ..5")
---```
---@param of string|rws.SchemaField what each item is
---@param options? rws.SchemaOptions
---@return rws.SchemaField field
---@nodiscard
function rws.schema.array(of, options) end

---An object with fields. It may be the whole `body` of a spec too.
---
---```lua
---local point = rws.schema.object({ x = "number", y = "number" }, { unknown = true })
---app:post("/move", { body = { to = point } }, function(c) return { c.input.to.x } end)
---```
---@param fields table<string, string|table|rws.SchemaField>
---@param options? rws.SchemaOptions
---@return rws.SchemaField field
---@nodiscard
function rws.schema.object(fields, options) end
