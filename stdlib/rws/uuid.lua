---@meta

---A new UUID (RFC 9562).
---
---```lua
---local id = rws.uuid()
---assert(#id == 36)
---assert(rws.uuid("v7") < rws.uuid("v7"))
---```
---@param version? "v4"|"v7" `"v4"`, the default, is random; `"v7"` begins with the time, so that new ids
---  sort behind old ones and a database index stays compact
---@return string id as `"f47ac10b-58cc-4372-a567-0e02b2c3d479"`
---@nodiscard
function rws.uuid(version) end

---A new ULID: 26 characters that sort by the time they were made, and in the order they were made within
---one millisecond.
---
---```lua
---local a, b = rws.ulid(), rws.ulid()
---assert(a < b and #a == 26)
---```
---@return string id as `"01ARZ3NDEKTSV4RRFFQ69G5FAV"`
---@nodiscard
function rws.ulid() end
