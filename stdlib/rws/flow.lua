---@meta

---Waits for a while. Other requests run meanwhile. Tests do not wait: their clock moves at once.
---
---```lua
---rws.sleep("10ms")
---```
---@async
---@param duration rws.Duration
function rws.sleep(duration) end

---Runs several functions at a time and returns their first results, in the order of the functions. They
---share all variables and take turns in Lua; only their waits overlap. The first error ends the other
---functions and is raised.
---
---```lua
---local a, b = rws.parallel(
---  function() rws.sleep("5ms") return 1 end,
---  function() rws.sleep("5ms") return 2 end)
---assert(a + b == 3)
---```
---@async
---@param ... fun(): any
---@return any ... the first result of each function
function rws.parallel(...) end

---Runs several functions at a time and returns the result of the one that ends first. The others are
---ended. When the first one fails, its error is raised.
---
---```lua
---local answer, which = rws.race(
---  function() rws.sleep("1h") return "slow" end,
---  function() return "quick" end)
---assert(answer == "quick" and which == 2)
---```
---@async
---@param ... fun(): any
---@return any result
---@return integer which the number of the function, from 1
function rws.race(...) end

---Runs a function while no other one runs under the same name, in any request of this process. A second
---caller waits for its turn.
---
---```lua
---local rows = rws.lock("import", function()
---  return 3
---end)
---assert(rows == 3)
---```
---@async
---@param name string
---@param fn fun(): any
---@return any ... what the function returns
function rws.lock(name, fn) end

---Calls a function and returns true and its results, or false and the error. Unlike `pcall` it always
---gives an `rws.Error`, whatever was raised.
---
---```lua
---local ok, err = rws.try(rws.fs.read, "none.txt")
---assert(not ok and err.code == "not_found")
---```
---@param fn fun(...): any
---@param ... any the function's arguments
---@return boolean ok
---@return any ... the results, or the `rws.Error`
function rws.try(fn, ...) end

---What functions of rws raise, and what `rws.try` returns for any error. `tostring(err)` is the place and
---the message. Raise your own with `error { code = "paid", message = "the invoice is paid" }`; `status` and
---`hint` may be there too.
---
---```lua
---local ok, err = rws.try(rws.time.parse, "yesterday")
---assert(not ok and err.code == "time")
---
---ok, err = rws.try(function() error { code = "paid", message = "the invoice is paid", status = 409 } end)
---assert(err.code == "paid" and err.status == 409)
---```
---@class rws.Error
---@field code? string one word that tells kinds of failure apart, as `"timeout"`; nil for plain text
---@field message string what happened, without the place
---@field at? string where, as `"app.lua:61"`; nil when it was raised outside of a script
---@field status integer the HTTP status that an answer with this error has, 500 unless it says otherwise
---@field fields? rws.FieldError[] what is wrong with the input, for status 422
---@field hint? string what to do about it, when that is known
---@field traceback string the message and the calls that led to it, one per line
---@field statement? string of a database: the SQL, without its values
---@field constraint? string of a database: the name of what does not hold
---@field table? string of a database
---@field column? string of a database: one or more, as `"a, b"`
---@field state? string of a database: its own number for the error, as SQLSTATE

---What is wrong with one field of the input.
---@class rws.FieldError
---@field path string which field, as `"items[2].title"`
---@field code string kind of the problem, as `"required"`
---@field message string for people
