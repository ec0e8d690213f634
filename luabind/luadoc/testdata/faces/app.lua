---@meta

---An application: routes, jobs and everything that one script declares.
---@class rws.App
local App = {}

---The application that the script declares.
---@type rws.App
app = {}

---Answers GET requests.
---
---A parameter of the path starts with a colon; `{int}` makes it a number.
---
---```lua
---app:get("/hello/:name", function(c)
---  return "hello " .. c.params.name
---end)
---```
---@param path string must start with a slash; parameters as `:name`, a rest of the path
---  as `*rest`
---@param ... rws.Handler|rws.Middleware|rws.Spec middleware and a spec may come before the handler
---@return rws.Route route
---@see app:post
function App:get(path, ...) end

---Opens a database.
---@async
---@param url string
---@param options? { name?: string, max_open?: integer }
---@return rws.Db
function App:db(url, options) end

---@alias rws.Handler fun(c: rws.Context): any
---@alias rws.Middleware fun(c: rws.Context, next: fun(): rws.Response): any
---@alias rws.Method
---| "GET"  # reads
---| "POST" # changes

---What a route validates and limits.
---@class rws.Spec
---@field query? table<string, string> the query parameters
---How long a request may take.
---@field timeout? string  a duration,
---  such as "2s"
---@field [integer] string
---@field private _compiled any

---@class rws.Route
local Route = {}

---@param name string
---@return self
function Route:name(name) end
