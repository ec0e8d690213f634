---@meta

---URLs, taken apart and put together.
---@class rws.url
rws.url = {}

---The parts of a URL. A part that the URL does not have is nil.
---@class rws.UrlParts
---@field scheme? string in lower case, as `"https"`
---@field user? string
---@field password? string
---@field host? string without the port; an IPv6 address without brackets
---@field port? integer only if the URL names one
---@field path? string as the URL has it, with escapes, since decoding would make `%2F` a slash; `""` when
---  there is none
---@field query? table<string, any> decoded; a name that is there several times has a list
---@field fragment? string decoded, without the `#`

---Takes a URL apart, a whole one or a path with a query. It raises (code `url`) for text that is no URL.
---
---```lua
---local u = rws.url.parse("https://example.com:8443/a%20b?q=lua&tag=x&tag=y")
---assert(u.host == "example.com" and u.port == 8443 and u.path == "/a%20b")
---assert(u.query.q == "lua" and u.query.tag[2] == "y")
---```
---@param text string
---@return rws.UrlParts parts
---@nodiscard
function rws.url.parse(text) end

---Puts a URL together. What can't stand in a part is escaped, escapes in the path are kept. It raises for
---a part it does not know (code `option`) and for parts that would be read as others (code `url`).
---
---```lua
---assert(rws.url.build { scheme = "https", host = "example.com", path = "/search", query = { q = "a b" } }
---  == "https://example.com/search?q=a+b")
---```
---@param parts rws.UrlParts
---@return string url
---@nodiscard
function rws.url.build(parts) end

---Escapes a text so that it can stand in any part of a URL: all but letters, digits, `-`, `.`, `_` and `~`.
---
---```lua
---assert("/tags/" .. rws.url.encode("c++/lua") == "/tags/c%2B%2B%2Flua")
---```
---@param text string
---@return string escaped
---@nodiscard
function rws.url.encode(text) end

---Reads escapes as `%20`. A `+` stays one; in a query, where it is a blank, use `rws.url.query_decode`.
---
---```lua
---assert(rws.url.decode("a%20b+c") == "a b+c")
---```
---@param text string an escape that is none raises (code `encoding`)
---@return string text
---@nodiscard
function rws.url.decode(text) end

---Writes the query of a URL, sorted by name.
---
---```lua
---assert(rws.url.query_encode { q = "a b", tag = { "x", "y" } } == "q=a+b&tag=x&tag=y")
---```
---@param values table<string, any> texts, numbers, booleans, times, or lists of them
---@return string query without a `?`
---@nodiscard
function rws.url.query_encode(values) end

---Reads the query of a URL or a form.
---
---```lua
---local q = rws.url.query_decode("?q=a+b&tag=x&tag=y")
---assert(q.q == "a b" and q.tag[1] == "x")
---```
---@param text string with or without the `?`; an escape that is none raises (code `encoding`)
---@return table<string, any> values a name that is there several times has a list
---@nodiscard
function rws.url.query_decode(text) end

---The address that a link on a page leads to (RFC 3986).
---
---```lua
---assert(rws.url.join("https://example.com/a/b", "../c") == "https://example.com/c")
---```
---@param base string the address of the page
---@param reference string the link
---@return string url
---@nodiscard
function rws.url.join(base, reference) end
