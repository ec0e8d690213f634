---@meta

---The library. Scripts know three globals: `app`, the application they declare, `rws`, this library,
---and `env`, the environment. `require "rws"` returns the same table as `rws`.
---
---Your Lua runs one piece at a time; only calls that wait let other requests run. Which calls wait is
---said with each.
---
---Durations are texts with a unit: `"200ms"`, `"30s"`, `"5m"`, `"1h30m"`, `"7d"`, `"2w"`. Sizes too:
---`"512b"`, `"64kb"`, `"10mb"`, `"2gb"`, with 1024 bytes to the kb. A bare number is an error.
---
---What fails raises an `rws.Error`, whose `code` tells failures apart; what looks for something and
---finds nothing returns nil.
---@class rws
rws = {}

---The version of rws.
---@type string
rws.version = ""

---JSON's null, where nil would leave out the field.
---
---```lua
---assert(rws.json.encode { name = rws.null } == '{"name":null}')
---```
---@type userdata
rws.null = nil

---The environment variables of the process and, below them, those of the file `.env` beside the
---script. A variable that is not set is nil.
---
---```lua
---app:config { port = env.PORT or 3000 }
---```
---@type table<string, string>
env = {}

---A length of time as text with its unit: `"200ms"`, `"30s"`, `"5m"`, `"1h30m"`, `"7d"`, `"2w"`.
---@alias rws.Duration string

---A number of bytes as text with its unit: `"512b"`, `"64kb"`, `"10mb"`, `"2gb"`.
---@alias rws.Size string

---Makes an application that another one mounts, so that a part of a large app can live in its own file:
---return it from the file, and mount what `require` gives.
---
---```lua
---local blog = rws.app()
---blog:get("/", function() return "all posts" end)
---app:mount("/blog", blog)
---```
---@return rws.App app
---@see app:mount
function rws.app() end

---Marks a table as a list, so that it is `[]` in JSON also when it is empty. Other empty tables are `{}`.
---Lists from JSON, from the database and from functions of rws are marked already.
---
---```lua
---assert(rws.json.encode { tags = rws.array {} } == '{"tags":[]}')
---```
---@param list? table default a new one
---@return table list the same table
function rws.array(list) end
