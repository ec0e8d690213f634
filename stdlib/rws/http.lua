---@meta

---Calls to other HTTP servers. Connections are kept and reused, TLS is verified, HTTP/2 and gzip are
---used when the server has them, and proxies of the environment are obeyed.
---
---A call has an answer for every status; `response:ok()` makes those that are no success an error. A
---call without an answer raises, with one of these codes:
---
---| code | meaning |
---| --- | --- |
---| `timeout` | the time limit passed |
---| `dns` | the host name has no address |
---| `refused` | nothing accepts connections there |
---| `tls` | the certificate or the TLS of the server is not acceptable |
---| `protocol` | the connection broke, or what came is not HTTP |
---| `too_large` | the answer has more than `max_body` |
---| `redirects` | more redirects than `redirects` |
---| `denied` | the address is private and `deny_private` is set |
---| `url` | the URL can't be used |
---| `canceled` | the request that made the call has ended |
---@class rws.http
rws.http = {}

---Options of a call.
---@class rws.HttpOptions
---@field headers? table<string, string|number> in any case, with `_` for `-`: `{ x_api_key = key }`
---@field query? table<string, any> added to the URL; a list gives a name several times
---@field json? any a value that is sent as JSON
---@field form? table<string, any> a form that is sent as `application/x-www-form-urlencoded`
---@field body? string sent as it is; only one of json, form and body may be there
---@field timeout? rws.Duration for all of the call, retries and redirects included; default `"30s"`. Of a
---  stream it limits the time until the answer begins and each wait for more of it
---@field retries? integer how often a call that did not reach the server, or that was answered 429, 502,
---  503 or 504, is made again, from 0, the default, to 10; the waits grow from 0.1 to 10 s, and a
---  Retry-After of up to 30 s is obeyed. A POST is repeated too: ask for it only when the server
---  recognises a repetition
---@field redirects? integer how many redirects are followed, from 0 to 50; default 10. With 0 the
---  redirect itself is the answer. Authorization and cookies don't follow to another host
---@field max_body? rws.Size of the answer, after decompression; default `"10mb"`
---@field stream? boolean returns when the answer begins; read its body with `response:chunks()` or
---  `response:read(n)`. Default false
---@field deny_private? boolean refuses every address that is not on the public internet, after the
---  look-up of the name and after each redirect. Set it whenever the URL comes from a visitor. Default
---  false

---Makes a GET request.
---
---```lua
---local rates = rws.http.get("https://api.example.com/rates", {
---  query = { base = "EUR" }, timeout = "3s", retries = 2,
---}):ok():json()
---assert(type(rates) == "table")
---```
---@async
---@param url string absolute, `http` or `https`
---@param options? rws.HttpOptions
---@return rws.HttpResponse response
function rws.http.get(url, options) end

---Makes a HEAD request, whose answer has no body.
---
---```lua
---local response = rws.http.head("https://api.example.com/file.zip")
---local size = tonumber(response.headers.content_length)
---```
---@async
---@param url string
---@param options? rws.HttpOptions
---@return rws.HttpResponse response
function rws.http.head(url, options) end

---Makes a POST request.
---
---```lua
---local response = rws.http.post("https://api.example.com/notes", {
---  json = { title = "Milk" },
---  headers = { authorization = "Bearer 42" },
---})
---assert(response.status == 200)
---```
---@async
---@param url string
---@param options? rws.HttpOptions
---@return rws.HttpResponse response
function rws.http.post(url, options) end

---Makes a PUT request.
---
---```lua
---rws.http.put("https://api.example.com/notes/1", { json = { title = "Bread" } }):ok()
---```
---@async
---@param url string
---@param options? rws.HttpOptions
---@return rws.HttpResponse response
function rws.http.put(url, options) end

---Makes a PATCH request.
---
---```lua
---rws.http.patch("https://api.example.com/notes/1", { json = { done = true } }):ok()
---```
---@async
---@param url string
---@param options? rws.HttpOptions
---@return rws.HttpResponse response
function rws.http.patch(url, options) end

---Makes a DELETE request.
---
---```lua
---rws.http.delete("https://api.example.com/notes/1"):ok()
---```
---@async
---@param url string
---@param options? rws.HttpOptions
---@return rws.HttpResponse response
function rws.http.delete(url, options) end

---Makes a request with any method.
---
---```lua
---rws.http.request("PROPFIND", "https://dav.example.com/", { headers = { depth = "1" } })
---```
---@async
---@param method string in any case
---@param url string
---@param options? rws.HttpOptions
---@return rws.HttpResponse response
function rws.http.request(method, url, options) end

---The answer to a call.
---@class rws.HttpResponse
---@field status integer
---@field headers table<string, string> by name in any case, with `_` for `-`: `response.headers.content_type`.
---  Several of one name are joined by `", "`; `response:header_values` keeps them apart
---@field body? string all of it; nil of a stream
---@field url string of the last request, after redirects
local response = {}

---Returns the response itself if its status is from 200 to 299, and raises otherwise (code `status`), with
---the status and the beginning of the body.
---
---```lua
---local ok, err = rws.try(function()
---  return rws.http.get("https://api.example.com/missing"):ok():json()
---end)
---```
---@return rws.HttpResponse response
function response:ok() end

---Reads the body as JSON. It raises (code `json`) when the body is none, with the status and the type of
---the answer.
---@return any value
---@see rws.json.decode
function response:json() end

---All headers of one name, as of `Set-Cookie`.
---
---```lua
---local response = rws.http.get("https://api.example.com/")
---for _, cookie in ipairs(response:header_values("set-cookie")) do print(cookie) end
---```
---@param name string in any case
---@return string[] values
function response:header_values(name) end

---Reads from a stream: n bytes, fewer at its end, then nil.
---@async
---@param n? integer bytes, from 1 to 64 MB; default 64 KB
---@return string? bytes
function response:read(n) end

---Goes through a stream in pieces, as they arrive. The stream is closed at its end.
---
---```lua
---local response = rws.http.get("https://api.example.com/large.csv", { stream = true }):ok()
---local bytes = 0
---for chunk in response:chunks() do bytes = bytes + #chunk end
---assert(bytes > 0)
---```
---@async
---@return fun(): string? iterator
function response:chunks() end

---Closes a stream that is not read to its end. The end of a request closes its streams too.
---@async
function response:close() end
