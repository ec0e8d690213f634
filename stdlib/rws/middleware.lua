---@meta

---Middleware that runs in Go. Give it to `app:use`, to a group, to a host or to a route. Its answers are
---problems (`application/problem+json`, or a page); `app:on_error` does not run for them, so that a flood that
---is turned away costs no Lua.
---@class rws.Middleware

---Options of `rws.request_id`.
---@class rws.RequestIdOptions
---@field header? string the header of the id; default `X-Request-Id`
---@field trusted? string|string[] whose ids are kept: addresses, prefixes, `"loopback"`, `"private"`; `{}` is nobody.
---  It goes by the address of the client. Default: everybody

---Sends the id of the request to the client, and gives it to whoever the request is passed on to. The same id is
---in the log, in problems and in `c.id`: the one the client sent, if it is 1 to 64 letters, digits, `.`, `_` or `-`,
---else one of our own.
---
---```lua
---app:use(rws.request_id { header = "X-Correlation-Id" })
---app:get("/", function(c) return c.id end)
---
---app:test("one id everywhere", function(t)
---  local r = t:get("/", { headers = { x_correlation_id = "abc-1" } })
---  t.eq(r.body, "abc-1")
---  t.eq(r.headers.x_correlation_id, "abc-1")
---end)
---```
---@param options? rws.RequestIdOptions
---@return rws.Middleware middleware
function rws.request_id(options) end

---Options of `rws.compress`.
---@class rws.CompressOptions
---@field encodings? string[] of which the client chooses, the best for us first; default
---  `{ "zstd", "br", "gzip" }`
---@field min_size? rws.Size smaller answers stay as they are; default 1kb
---@field types? string[] media types, or all of a kind as `"text/*"`; default text, JSON, XML, JavaScript, WebAssembly,
---  SVG and uncompressed fonts

---Compresses answers as the client accepts it. What is compressed already, parts of a file, and answers that say
---`Cache-Control: no-transform` or have a `Content-Digest`, `Repr-Digest` or `Content-MD5` stay as they are. A strong ETag becomes weak. `out:write` of a stream still
---reaches the client at once.
---
---```lua
---app:use(rws.compress { min_size = "256b" })
---app:get("/", function() return ("words "):rep(100) end)
---
---app:test("it is compressed for who can read it", function(t)
---  t.eq(t:get("/", { headers = { accept_encoding = "gzip" } }).headers.content_encoding, "gzip")
---  t.eq(t:get("/", { headers = { accept_encoding = "gzip;q=0" } }).headers.content_encoding, nil)
---end)
---```
---@param options? rws.CompressOptions
---@return rws.Middleware middleware
function rws.compress(options) end

---Options of `rws.decompress`.
---@class rws.DecompressOptions
---@field encodings? string[] those that are accepted; default `{ "gzip", "zstd", "br" }`
---@field max_size? rws.Size of a body when it is decompressed, after which the answer is 413. It can only lower what
---  `max_body` of the route or of the app allows, which is the default
---@field max_ratio? integer how many times its compressed size a body may have, beyond the first 64 KiB; default 100

---Gives handlers the plain form of request bodies that came compressed. An encoding that is not accepted is
---answered 415, a body that grows too large 413, a broken one 400. The limits of bodies (the setting `max_body`, that of
---a route, and `rws.max_body`) hold for the plain form too.
---
---```lua
---app:post("/import", rws.decompress { max_size = "1mb" }, function(c) return { bytes = #c.body } end)
---
---app:test("others are refused", function(t)
---  t.eq(t:post("/import", { body = "x", headers = { content_encoding = "compress" } }).status, 415)
---end)
---```
---@param options? rws.DecompressOptions
---@return rws.Middleware middleware
function rws.decompress(options) end

---Options of `rws.security_headers`. Of the texts `"off"` sends nothing.
---@class rws.SecurityHeadersOptions
---@field csp? string|table<string, string|string[]|boolean> what a page may load (Content-Security-Policy): a text, or
---  sources by directive, with `_` for `-` and `true` for a directive without sources. `'nonce'` among the sources
---  stands for a new nonce in each answer, see `c.csp_nonce`. Default: none is sent
---@field report_only? boolean browsers only report what `csp` forbids; default false
---@field hsts? rws.Duration how long browsers must use TLS for this host, as `"365d"`; sent over TLS only. Default:
---  none is sent
---@field subdomains? boolean `hsts` for all names below the host too; default false
---@field preload? boolean `hsts` may be built into browsers: needs `subdomains` and a year; default false
---@field frame? "deny"|"sameorigin"|"off" who may show pages in a frame; default deny
---@field referrer? string the Referrer-Policy; default strict-origin-when-cross-origin
---@field permissions? string the Permissions-Policy, as `"camera=(), geolocation=(self)"`. Default: none is sent
---@field opener? string the Cross-Origin-Opener-Policy; default same-origin
---@field resource? string the Cross-Origin-Resource-Policy; default same-origin. Files that pages of other sites use
---  want cross-origin
---@field embedder? string the Cross-Origin-Embedder-Policy. Default: none is sent
---@field sniff? boolean leaves out `X-Content-Type-Options: nosniff`; default false

---Tells browsers to be careful. A handler may set other values for its answer.
---
---In a template `{{ csp_nonce }}` is the nonce of the answer, as `c.csp_nonce` in Lua.
---
---```lua
---app:use(rws.security_headers {
---  csp = { default_src = "'self'", script_src = { "'self'", "'nonce'" }, object_src = "'none'" },
---  hsts = "365d", subdomains = true,
---})
---app:get("/", function(c)
---  return c:html('<script nonce="' .. c.csp_nonce .. '">start()</script>')
---end)
---
---app:test("the page may run its own script", function(t)
---  local r = t:get("/")
---  local nonce = r.body:match('nonce="([^"]+)"')
---  t.ok(r.headers.content_security_policy:find("'nonce-" .. nonce .. "'", 1, true))
---  t.eq(r.headers.x_frame_options, "deny")
---end)
---```
---@param options? rws.SecurityHeadersOptions
---@return rws.Middleware middleware
function rws.security_headers(options) end

---Options of `rws.cors`.
---@class rws.CorsOptions
---@field origins string|string[] pages that may read answers: `"https://app.example.com"`; `"https://*.example.com"` for
---  all names below; `"*"` for all pages, which goes without `credentials`
---@field credentials? boolean pages may send cookies, and read what they bring; default false
---@field methods? string[] default `{ "GET", "HEAD", "POST" }`
---@field headers? string[] what pages may send beyond the usual: `"Content-Type"` for JSON, `"Authorization"`; `"*"` is
---  any but Authorization, and goes without `credentials`. Default none
---@field expose? string[] headers of answers that pages may read beyond the usual. Default none
---@field max_age? rws.Duration how long browsers keep the answer to a preflight; `"0s"` is not at all. Default 10m

---Lets pages of other origins read answers (CORS). Preflights are answered without a handler, and without a
---Lua function of the chain, also on a group, a host or a route; one that is not allowed gets 403. Put it
---before authentication, for a preflight has no token. It protects answers, not actions: for those there is
---`rws.csrf`.
---
---```lua
---local api = app:group("/api", rws.cors {
---  origins = { "https://app.example.com" }, methods = { "GET", "PUT" }, headers = { "Content-Type" },
---})
---api:put("/notes/:id", function(c) return c:read_json() end)
---
---app:test("pages of the app may write notes", function(t)
---  local r = t:options("/api/notes/7", { headers = { origin = "https://app.example.com",
---    access_control_request_method = "PUT", access_control_request_headers = "content-type" } })
---  t.eq(r.status, 204)
---  t.eq(r.headers.access_control_allow_origin, "https://app.example.com")
---end)
---```
---@param options rws.CorsOptions
---@return rws.Middleware middleware
function rws.cors(options) end

---Rules of `rws.headers` for one direction; first `remove`, then `set`, then `add`.
---@class rws.HeaderRules
---@field remove? string|string[] names, or how they begin, as `"X-Internal-*"`
---@field set? table<string, string>
---@field add? table<string, string>

---Options of `rws.headers`.
---@class rws.HeadersOptions
---@field request? rws.HeaderRules for what comes behind
---@field response? rws.HeaderRules for what it answers

---Changes header fields of requests and answers.
---
---```lua
---app:use(rws.headers {
---  request = { remove = { "X-User" } },
---  response = { set = { ["X-Served-By"] = "edge" } },
---})
---app:get("/", function(c) return c.headers.x_user or "nobody" end)
---
---app:test("nobody can say who they are", function(t)
---  local r = t:get("/", { headers = { x_user = "admin" } })
---  t.eq(r.body, "nobody")
---  t.eq(r.headers.x_served_by, "edge")
---end)
---```
---@param options rws.HeadersOptions
---@return rws.Middleware middleware
function rws.headers(options) end

---Options of `rws.ip_filter`. Addresses are `"192.0.2.7"`, `"10.0.0.0/8"`, `"2001:db8::/32"`, and the words
---`"loopback"`, `"private"`, `"all"`, `"unix"` for clients of a unix socket, and `"unknown"` for clients that a
---trusted proxy does not name. These two are not in `"all"`, and may come in only where `allow` has their word.
---@class rws.IpFilterOptions
---@field allow? string|string[] who may come in; `{}` is nobody. Default, without `allow_files`: everybody
---@field deny? string|string[] who may not, also when allowed. Default nobody
---@field allow_files? string|string[] files in the app's folder with more, one address a line, `#` for comments. They are
---  read again when they change; one that cannot be read then is logged, and what was known stays
---@field deny_files? string|string[] the same for `deny`

---Answers 403 to those who may not come in, by the address of the client: `c.ip`, behind proxies that
---`trusted_proxies` names.
---
---```lua
---local admin = app:group("/admin", rws.ip_filter { allow = { "10.0.0.0/8", "loopback" }, deny = "10.0.0.66" })
---admin:get("/", function() return "hello" end)
---
---app:test("this machine may come in", function(t) t.eq(t:get("/admin").status, 200) end)
---```
---@param options rws.IpFilterOptions
---@return rws.Middleware middleware
function rws.ip_filter(options) end

---A rule of `rws.rewrite`. The parts that are given apply in this order.
---@class rws.RewriteRule
---@field host? string only requests for this host: `"a.example.com"`, or `"*.example.com"` for all names below
---@field strip? string a prefix to remove, by whole segments; a request without it does not match the rule
---@field from? string a regular expression (RE2) on the path; write `^…$` to match all of it
---@field to? string what replaces all of the path: `$1` or `${name}` is what a group has matched. It may end in `?` and
---  a query, which comes before the one of the request
---@field add? string a prefix to add
---@field set_host? string the host for what comes behind; backends still learn in `X-Forwarded-Host` what the visitor asked for

---Changes where a request goes, by the first rule that matches; the query is kept. It works before the routing
---only, so it is given to `app:use` before the first route and the first function.
---
---A rule sees the path as routes do: `%61` is `a`, and `%2F` is no slash.
---
---```lua
---app:use(rws.rewrite { from = [[^/old/(\d+)$]], to = "/new/$1" })
---app:get("/new/:id", function(c) return c.params.id end)
---
---app:test("old links work", function(t) t.eq(t:get("/old/7").body, "7") end)
---```
---@param rules rws.RewriteRule|rws.RewriteRule[]
---@return rws.Middleware middleware
function rws.rewrite(rules) end

---A rule of `rws.redirect`.
---@class rws.RedirectRule
---@field host? string only requests for this host: `"a.example.com"`, or `"*.example.com"` for all names below
---@field from? string a regular expression (RE2) on the path. Default: any path
---@field to string a path, or a URL; `$1` or `${name}` is what a group has matched, `$0` the path, and not in the host
---@field status? 301|302|303|307|308 default 308: for good, with the same method

---Sends clients elsewhere by the first rule that matches; the query is kept. Who is there already is not sent.
---
---```lua
---app:use(rws.redirect {
---  { host = "www.example.com", to = "https://example.com$0" },
---  { from = [[^/feed$]], to = "/feed.xml", status = 302 },
---})
---
---app:test("the feed has moved", function(t) t.eq(t:get("/feed?full=1").headers.location, "/feed.xml?full=1") end)
---```
---@param rules rws.RedirectRule|rws.RedirectRule[]
---@return rws.Middleware middleware
function rws.redirect(rules) end

---Options of `rws.redirect_https`.
---@class rws.RedirectHttpsOptions
---@field port? integer of TLS; default 443
---@field hosts? string|string[] those that are redirected to, others are answered 400. Default: the one that is asked for
---@field status? 301|302|303|307|308 default 308

---Sends clients that do not speak TLS, with us or with a trusted proxy, to the same place over TLS. Without `hosts`
---that is at whatever host the client names, which a cache before the server may keep for others; in production the
---log warns of it at the start. A host that is neither a name of letters, digits, hyphens and dots nor an address is
---answered 400.
---
---```lua
---app:use(rws.redirect_https { hosts = { "example.com", "*.example.com" } })
---
---app:test("it is https from here on", function(t)
---  t.eq(t:get("http://example.com/a").headers.location, "https://example.com/a")
---end)
---```
---@param options? rws.RedirectHttpsOptions
---@return rws.Middleware middleware
function rws.redirect_https(options) end

---Options of `rws.maintenance`.
---@class rws.MaintenanceOptions
---@field file string in the app's folder, or one of the setting `fs.allow`: the service is in maintenance while it
---  exists. What is in it is the page. It is looked for once a second; its folder has to be there
---@field page? string HTML for when the file is empty. Default: a plain problem
---@field allow? string|string[] who is served nevertheless, as in `rws.ip_filter`. Default nobody
---@field retry_after? rws.Duration when clients are told to come again; default 5m

---Answers 503 with `Retry-After` while a file exists: `touch maintenance.html` begins it, `rm` ends it, each within
---about a second, for that is how often the file is looked for. The routes of
---`app:health` and `app:metrics` answer as ever: they are for who runs the service.
---
---```lua
---app:use(rws.maintenance { file = "maintenance.html", allow = "10.0.0.0/8", retry_after = "10m" })
---```
---@param options rws.MaintenanceOptions
---@return rws.Middleware middleware
function rws.maintenance(options) end

---Answers 504 when what comes behind has not begun to answer in time, counted from the arrival of the request, and
---ends what it waits for. An answer that has begun, as a stream, goes on.
---
---```lua
---app:get("/slow", rws.timeout "20ms", function() rws.sleep("10s") end)
---```
---@param duration rws.Duration
---@return rws.Middleware middleware
function rws.timeout(duration) end

---Answers 413 to requests with a larger body: before anything of it is read when the request says how large it is,
---else as soon as it is too much. It can only lower what the setting `max_body` allows; who sends more than that is
---told of the smallest limit on the way.
---
---```lua
---app:use(rws.max_body "1kb")
---app:post("/", function(c) return { bytes = #c.body } end)
---
---app:test("too much is refused", function(t)
---  t.eq(t:post("/", { body = ("x"):rep(404) }):json().bytes, 404)
---  t.eq(t:post("/", { body = ("x"):rep(2000) }).status, 413)
---end)
---```
---@param size rws.Size
---@return rws.Middleware middleware
function rws.max_body(size) end

---Options of `rws.concurrency`. One of `max` and `per_key` is needed.
---@class rws.ConcurrencyOptions
---@field max? integer requests at a time in all; more are answered 503. Default: no limit
---@field per_key? integer requests at a time of each client; more are answered 429. Default: no limit
---@field by? string what a client is told by: `"ip"` (an IPv6 client by its /64), `"user"` behind an authentication, or
---  `"header:NAME"`. Who tells none counts by address. Default ip
---@field queue? integer how many may wait for one of `max` to end; needs `wait`. Default none
---@field wait? rws.Duration how long they wait at most; needs `queue`

---Bounds the requests that are under way at once. Refused ones get `Retry-After`.
---
---```lua
---app:post("/report", rws.concurrency { max = 4, per_key = 1, queue = 20, wait = "5s" }, function()
---  return "done"
---end)
---```
---@param options rws.ConcurrencyOptions
---@return rws.Middleware middleware
function rws.concurrency(options) end
