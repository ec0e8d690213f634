---@meta

---A request, and the ways to answer it. Handlers may store fields of their own, as `c.account`, for those that
---come after. Once the request is over, its methods raise.
---@class rws.Context
---@field method string as `"GET"`
---@field path string decoded, without the query
---@field url string path and query as they were sent
---@field host string as the client wrote it, with the port
---@field scheme "http"|"https" what the client speaks with us, or with a trusted proxy
---@field ip string address of the client, behind proxies that `trusted_proxies` names
---@field id string of the request, in the log too
---@field route string pattern of the route that answers
---@field csp_nonce string? the nonce of this answer, for `<script nonce="…">`, when the policy of
---  `rws.security_headers` has `'nonce'`; in templates `{{ csp_nonce }}`
---@field params rws.Params parameters of the path
---@field query table<string, any> the first value of each name; typed and with defaults when the route has a
---  spec. All values of one name: `c:queries(name)`
---@field headers rws.RequestHeaders what the client sent, by name in any case
---@field cookies rws.Cookies what the client sent; assigning sends one
---@field session rws.Session what this client left in earlier requests. Using it waits for its store
---@field form table<string, string> the form of the body, the first value of each name. Reading it waits
---@field files table<string, rws.File> the files of the form, the first of each name. Reading it waits
---@field input table<string, any> what the spec of the route has checked
---@field body string of the request, at most `max_body`. Reading it waits
---@field body_stream rws.Reader the same in pieces, which are not kept: a handler has one or the other. For `files:put`
---  of `app:storage`. Also here `max_body` is what a client may send
---@field tls rws.Tls? the TLS of the connection, and the certificate of the client; nil without, also behind a proxy
---@field res rws.Response the answer so far
---@field user any who sends the request: what a guard of `rws.auth` has found out, or what a function has set. It is data:
---  texts, numbers, booleans and tables of them. Limits by user, `rws.auth.require` and the engine see the same;
---  to change it, set it anew
---@field csrf_token string for scripts of the page to send as `X-Csrf-Token`; see `rws.csrf`. Reading it may wait
---@field csrf_field string a hidden field of a form with the token, as HTML
---@field [string] any what the script stored
local c = {}

---Parameters of the path, as text, `{int}` as numbers. One that the pattern does not have is nil.
---@class rws.Params
---@field [string] any

---The header of a request, by name in any case, with `_` for `-`: `c.headers.user_agent`. A header with a `_` or `.`
---of its own is dropped, or `X_User` could pass for `X-User`; what is not UTF-8 is read as Latin-1. It can't be changed:
---those of the answer are `c.res.headers`, and what a backend gets `on_request` of `app:proxy` changes.
---@class rws.RequestHeaders
---@field [string] string

---Reads the body as JSON. A body that is none is answered 400, and so is one of more than 100,000 values;
---where so many are expected, `rws.json.decode(c.body)` takes a million.
---
---```lua
---app:post("/sum", function(c)
---  local sum = 0
---  for _, n in ipairs(c:read_json()) do sum = sum + n end
---  return { sum = sum }
---end)
---
---app:test("it adds", function(t)
---  t.eq(t:post("/sum", { json = { 1, 2, 3 } }):json(), { sum = 6 })
---  t.eq(t:post("/sum", { body = "{" }).status, 400)
---end)
---```
---@async
---@return any value
---@see rws.json.decode
function c:read_json() end

---All values of one name in the query.
---
---```lua
---app:get("/search", function(c) return c:queries("tag") end)
---app:test("tags", function(t) t.eq(t:get("/search?tag=a&tag=b").body, '["a","b"]') end)
---```
---@param name string
---@return string[] values
function c:queries(name) end

---Answers with JSON.
---
---```lua
---app:get("/", function(c) return c:json({ ok = true }, 201) end)
---app:test("it is JSON", function(t) t.eq(t:get("/").status, 201) end)
---```
---@param value any
---@param status? integer from 200 to 599; default 200
---@return rws.Response response
---@see rws.json.encode
function c:json(value, status) end

---Answers with a page of `db:page` as JSON, and says in a `Link` header (RFC 8288) where the first, previous,
---next and last pages are: at the URL of the request with another `page`, or another `after` or `before`.
---
---```lua
---local db = app:db("sqlite::memory:")
---app:get("/numbers", { query = { page = "int 1.. = 1" } }, function(c)
---  return c:page(db:page("select value as n from json_each('[1, 2, 3]')", nil, { page = c.query.page, size = 2 }))
---end)
---
---app:test("a page has links", function(t)
---  local r = t:get("/numbers")
---  t.eq(r:json(), { items = { { n = 1 }, { n = 2 } }, page = 1, size = 2, more = true })
---  t.eq(r.headers.link, '</numbers?page=1>; rel="first", </numbers?page=2>; rel="next"')
---end)
---```
---@param page rws.Page
---@return rws.Response response
function c:page(page) end

---Answers with plain text.
---@param text string
---@param status? integer from 200 to 599; default 200
---@return rws.Response response
function c:text(text, status) end

---Answers with HTML. Nothing is escaped: for pages that hold input use `c:render`.
---
---```lua
---app:get("/", function(c) return c:html("<h1>hi</h1>") end)
---app:test("it is HTML", function(t)
---  t.eq(t:get("/").headers.content_type, "text/html; charset=utf-8")
---end)
---```
---@param html string
---@param status? integer from 200 to 599; default 200
---@return rws.Response response
function c:html(html, status) end

---Answers with a template of the folder `templates`, in the language of Jinja. Values are escaped.
---
---```lua
---app:get("/", function(c) return c:render("page.html", { title = "<Notes>" }) end)
---app:test("it is escaped", function(t) t.ok(t:get("/").body:find("&lt;Notes&gt;", 1, true)) end)
---```
---@async
---@param name string of the file; its ending decides the type of the answer
---@param data? table<string, any> what the template sees
---@param status? integer from 200 to 599; default 200
---@return rws.Response response
function c:render(name, data, status) end

---Sends the client to another address.
---
---```lua
---app:post("/login", function(c) return c:redirect("/", 303) end)
---app:test("it moves on", function(t) t.eq(t:post("/login").headers.location, "/") end)
---```
---@param url string a path, or a URL of http or https; don't take it from input without a check
---@param status? integer from 300 to 399; default 302
---@return rws.Response response
function c:redirect(url, status) end

---Options of `c:file`.
---@class rws.FileOptions
---@field download? string makes the browser save the file, under this name
---@field type? string media type; default by the ending of the name
---@field cache? rws.Duration how long the client may use it without asking; default it asks each time

---Answers with a file, with ETag and ranges. A file that is not there raises with status 404, and so do those
---of the app's folder that `app:static` does not serve either, as the path may be a visitor's: scripts,
---templates, databases, keys and names that begin with a dot.
---
---```lua
---app:get("/report", function(c)
---  return c:file("data.csv", { download = "report.csv" })
---end)
---app:test("it is a download", function(t)
---  t.eq(t:get("/report").headers.content_disposition, "attachment; filename=report.csv")
---end)
---```
---@async
---@param path string in the app's folder, or in one of the setting `fs.allow`
---@param options? rws.FileOptions
---@return rws.Response response
function c:file(path, options) end

---Options of `c:stream`.
---@class rws.StreamOptions
---@field type? string media type; default `"text/plain; charset=utf-8"`
---@field status? integer default 200

---Answers piece by piece. The function has no time limit; it ends when it returns or when the client leaves.
---When the server stops or replaces the app, it may go on for half of `stop_grace`, at most 5 s; then the client
---sees the answer break off: it runs in the old script, which hears nothing of the new one. A function that fails
---before its first write gives an error answer.
---
---```lua
---app:get("/count", function(c)
---  return c:stream(function(out)
---    for n = 1, 3 do
---      out:write(n, "\n")
---      rws.sleep("1s")
---    end
---  end)
---end)
---
---app:test("it counts", function(t) t.eq(t:get("/count").body, "1\n2\n3\n") end)
---```
---@param fn fun(out: rws.Out)
---@param options? rws.StreamOptions
---@return rws.Response response
function c:stream(fn, options) end

---Sets the status of the answer; an answer without a body is empty.
---
---```lua
---app:get("/tea", function(c) return c:status(418) end)
---app:test("no coffee", function(t) t.eq(t:get("/tea").status, 418) end)
---```
---@param status integer from 200 to 599
---@return rws.Response response
function c:status(status) end

---Ends the request with an error.
---
---```lua
---app:get("/", function(c) c:fail(403, "members only") end)
---app:test("no entry", function(t) t.eq(t:get("/").status, 403) end)
---```
---@param status integer from 400 to 599
---@param message? string for the client; default is the name of the status
---@param fields? table<string, string> messages by the name of the input field
function c:fail(status, message, fields) end

---Returns a value that is true, and ends the request with an error for nil and false.
---
---```lua
---local notes = { ["1"] = "Milk" }
---app:get("/notes/:id", function(c)
---  return c:assert(notes[c.params.id], 404, "no such note")
---end)
---app:test("notes", function(t)
---  t.eq(t:get("/notes/1").body, "Milk")
---  t.eq(t:get("/notes/2").status, 404)
---end)
---```
---@generic T
---@param value T
---@param status integer from 400 to 599
---@param message? string for the client; default is the name of the status
---@return T value
function c:assert(value, status, message) end

---An uploaded file, in memory or on disk until the request is over.
---
---```lua
---app:post("/pictures", { upload = { picture = "file image/* ..5mb" } }, function(c)
---  local file = c.files.picture
---  file:save("uploads/" .. rws.uuid())
---  return { name = file.name, size = file.size, type = file.type }
---end)
---
---app:test("a picture is taken", function(t)
---  local r = t:post("/pictures", { files = { picture = { name = "a.gif", content = "GIF89a" } } })
---  t.eq(r:json(), { name = "a.gif", size = 6, type = "image/gif" })
---end)
---```
---@class rws.File
---@field name string as the client called it, without folders; never a path to trust
---@field size integer in bytes
---@field type string media type, by the content and not by what the client says
---@field field string of the form
local file = {}

---Reads the content.
---@async
---@return string content
function file:read() end

---Copies the content to a file of the app, without holding it in memory. Missing folders are made.
---@async
---@param path string
function file:save(path) end

---Cookies: reading a name gives what the client sent, or nil; assigning one sends it, and nil removes it.
---Cookies are sent with safe options: not for scripts, only from the same site, over TLS only when the
---request came so, for the whole site, until the browser closes. Values may hold any text; what a cookie can't
---hold is written as %XX. `pairs` goes over those that the client sent.
---
---```lua
---app:get("/theme", function(c)
---  local before = c.cookies.theme or "none"
---  c.cookies.theme = "dark"
---  return before
---end)
---
---app:test("the theme is kept", function(t)
---  t.eq(t:get("/theme").body, "none")
---  t.eq(t:get("/theme").body, "dark")
---end)
---```
---@class rws.Cookies
---@field [string] string
local cookies = {}

---Options of `c.cookies:set`.
---@class rws.CookieOptions
---@field signed? boolean the client can read the value and not change it: read it by `c.cookies:get` with the
---  same option. The key is the setting `secret`
---@field encrypted? boolean the client can neither read nor change it; read it with the same option
---@field max_age? rws.Duration how long the browser keeps it; default until it closes. A value that is signed or
---  encrypted ends then, whatever the client does
---@field path? string default `"/"`
---@field domain? string default this host only
---@field http_only? boolean scripts of the page can't read it; default true
---@field secure? boolean it is sent over TLS only; default as the request came
---@field same_site? "lax"|"strict"|"none" whether other sites may send it along; default `"lax"`
---@field partitioned? boolean it has a jar for each site that embeds this one (CHIPS); default false

---Options of `c.cookies:get`.
---@class rws.CookieReadOptions
---@field signed? boolean it was set so
---@field encrypted? boolean it was set so

---Options of `c.cookies:delete`.
---@class rws.CookieDeleteOptions
---@field path? string default `"/"`
---@field domain? string default this host only
---@field secure? boolean default as the request came
---@field same_site? "lax"|"strict"|"none" default `"lax"`
---@field partitioned? boolean default false

---What the client sent. Of a cookie that was set signed or encrypted, it is the value that was set, or nil
---when it was altered, is over, or was made for another name or with another key.
---
---```lua
---app:get("/set", function(c)
---  c.cookies:set("user", "7", { signed = true, max_age = "7d" })
---  return "set"
---end)
---app:get("/get", function(c) return c.cookies:get("user", { signed = true }) or "nobody" end)
---
---app:test("it can't be forged", function(t)
---  t:get("/set")
---  t.eq(t:get("/get").body, "7")
---  t:travel("8d")
---  t.eq(t:get("/get").body, "nobody")
---  t.eq(t:get("/get", { cookies = { user = "8" } }).body, "nobody")
---end)
---```
---@param name string
---@param options? rws.CookieReadOptions
---@return string? value
---@nodiscard
function cookies:get(name, options) end

---Sends a cookie. What the browser would drop in silence is an error here.
---
---```lua
---app:get("/", function(c) c.cookies:set("seen", "1", { max_age = "30d" }) return "hi" end)
---app:test("it is sent", function(t) t.ok(t:get("/").headers.set_cookie:find("seen=1", 1, true)) end)
---```
---@param name string
---@param value string with the name and all options at most 4096 bytes
---@param options? rws.CookieOptions
function cookies:set(name, value, options) end

---Removes a cookie from the browser. Path and domain must be those it was set with.
---@param name string
---@param options? rws.CookieDeleteOptions
function cookies:delete(name, options) end

---Where the function of `c:stream` writes.
---@class rws.Out
local out = {}

---Sends texts and numbers at once. It raises (code `closed`) when the client is gone.
---@async
---@param ... string|number
---@return rws.Out out the same
function out:write(...) end
