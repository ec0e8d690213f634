---@meta

---Keys for programs. A key looks like `rws_4h2m6ytn_h3…`: a prefix that tells people and scanners for leaked secrets
---whose it is, an id to find its record by, 160 random bits and a checksum. The guard is `rws.auth.api_key`.
---
---```lua
---local key, record = rws.api_key.generate("acme")
---assert(key:sub(1, 5) == "acme_" and record.hash == rws.api_key.hash(key))
---```
---@class rws.api_key
rws.api_key = {}

---Makes a key, to be shown once, and the record to keep of it.
---@param prefix? string 1 to 16 letters and digits; default `"rws"`
---@return string key
---@return rws.ApiKeyRecord record its `id` and `hash`
---@nodiscard
function rws.api_key.generate(prefix) end

---The hash to keep of a key. A text that is no key raises.
---@param key string
---@return string hash
---@nodiscard
function rws.api_key.hash(key) end
