---@meta

---@class rws.Message
---@field headers table<string, string> case does not matter
local Message = {}

---Removes a header.
---@param name string
function Message:unset(name) end

---The request that a handler answers.
---@class rws.Context: rws.Message
---@field path string
---@field session rws.Session
local c = {}

---Answers with JSON.
---@param value any
---@param status? integer 200 if absent
---@return rws.Response
---@nodiscard
function c:json(value, status) end

---@class rws.Session
local session = {}

---Gives the session a new id.
function session:renew() end

---@class rws.Response

---@class rws.Db
local db = {}

---The first row, or nil.
---@async
---@generic T
---@param sql string
---@param ... any values for the question marks
---@return table<string, any>? row nil when no row matches
---@overload fun(self, sql: string): table?
function db:one(sql, ...) end

---@deprecated use db:one
---@param sql string
function db:first(sql) end
