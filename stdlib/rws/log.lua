---@meta

---The log of the server. A record has a level, a text and fields; inside of a request it has the request's
---id too, as `id`, or as `request_id` beside an `id` of your own. In development it is made for people, in
---production it is one line of JSON. Input can't forge records: line breaks in values are escaped. Fields
---whose names say that they hold a secret, as `password`, are not shown.
---
---Keep the text the same and put what differs into fields, so that records can be counted.
---
---```lua
---rws.log.info("user signed in", { user_id = 7, method = "password" })
---```
---@class rws.log
rws.log = {}

---Writes a record for developers. It is not shown unless `app:config { log_level = "debug" }` asks for it.
---
---```lua
---rws.log.debug("cache missed", { key = "rates" })
---```
---@param text string
---@param fields? table<string, any> tables are shown as JSON
function rws.log.debug(text, fields) end

---Writes a record of what happened.
---
---```lua
---rws.log.info("imported", { rows = 120, file = "a.csv" })
---```
---@param text string
---@param fields? table<string, any> tables are shown as JSON
function rws.log.info(text, fields) end

---Writes a record of what someone should look at some time.
---
---```lua
---rws.log.warn("disk is filling up", { free = "2gb" })
---```
---@param text string
---@param fields? table<string, any> tables are shown as JSON
function rws.log.warn(text, fields) end

---Writes a record of what failed. Errors that a handler raises are logged without this.
---
---```lua
---local ok, err = rws.try(rws.fs.read, "none.txt")
---if not ok then rws.log.error("could not import", { err = err }) end
---```
---@param text string
---@param fields? table<string, any> tables are shown as JSON
function rws.log.error(text, fields) end
