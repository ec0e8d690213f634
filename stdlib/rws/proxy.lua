---@meta

---Changes of a header: first `remove`, then `set`, then `add`. In names `_` is `-`, as everywhere.
---@class rws.ProxyEdits
---@field set? table<string, string> in place of what was there
---@field add? table<string, string> beside what was there
---@field remove? string|string[] names, with `*` at one end for many: `"X-Internal-*"`

---Paths that are passed on although a backend may read them differently than the routes here; all others are
---answered 400.
---@class rws.ProxyPaths
---@field slashes? boolean empty segments, `/a//b`
---@field encoded? boolean `%2F` and `%5C`

---@class rws.ProxyHedge
---@field after rws.Duration without an answer until another backend is asked too
---@field most? integer further backends; default 1

---Options of `app:proxy` and `app:grpc`. Those of `rws.UpstreamOptions` are for backends that are named here; an
---upstream has its own. `timeout`, `retry` and `retries` may be given in both places, and these here win.
---@class rws.ProxyOptions: rws.UpstreamOptions
---@field strip? string a prefix of paths to leave out; the backend finds it in `X-Forwarded-Prefix`
---@field rewrite? table a pair of a regular expression (RE2) on the path and its replacement, `{ "^/v1/(.*)$", "/$1" }`, or a list of pairs, which are applied in turn; the query is kept
---@field host? string the Host for the backend: `"upstream"` is that of its URL, `"keep"` that of the visitor, or a name. Default upstream for backends over TLS, keep for others
---@field request? rws.ProxyEdits of the request
---@field response? rws.ProxyEdits of the answer
---@field forwarded? boolean adds `Forwarded` (RFC 7239) to the `X-Forwarded-*`
---@field protect? string|string[] request headers that a visitor's `Connection` cannot have removed, beside the usual ones
---@field paths? rws.ProxyPaths
---@field max_body? rws.Size default that of the app
---@field hedge? string|rws.ProxyHedge how long to wait for an answer until another backend is asked too, and the first answer taken; default never
---@field summary? string one line for listings
---@field on_request? fun(c: rws.Context, request: rws.ProxyRequest) is called before a request is sent, and may change it, or refuse it with `c:fail`
---@field on_response? fun(c: rws.Context, response: rws.ProxyResponse) is called before an answer is passed on, and may change its status and headers
---@field fallback? fun(c: rws.Context): any answers when no backend can be reached

---Passes requests on to backends: HTTP/1.1 and HTTP/2, WebSocket and every other upgrade, streams both ways, nothing
---held in memory. It runs in Go, unless a hook or middleware is a function of the script. Between the pattern and the
---backends middleware may stand, as in other routes.
---
---A request gets `X-Forwarded-For`, `-Proto`, `-Host` and `Via`; what a visitor sent in their place is dropped, unless
---it comes from one of the setting `trusted_proxies`. What a visitor does wrong is answered 4xx and never counts
---against a backend. Without a backend that answers it is 502, 503 or 504.
---
---```lua
---local api = app:upstream("api", { to = { "http://127.0.0.1:9001", "http://127.0.0.1:9002" }, health = "/healthz" })
---
---app:proxy("/api/*", rws.rate_limit "100/min", api, { strip = "/api", request = { remove = { "Cookie" } } })
---app:proxy("/old/*", "http://127.0.0.1:8080", { timeout = "10s", fallback = function(c) return c:html("<h1>Soon back</h1>", 503) end })
---
---app:test("the old one is away", function(t) t.eq(t:get("/old/x").status, 503) end)
---```
---@param pattern string as of other routes, with any method
---@param ... any middleware, then the backends: what `app:upstream` returned, a URL, or a list of URLs; at last options
---@return rws.Route route
function app:proxy(pattern, ...) end

---Passes gRPC on: unary calls and streams, with trailers. Backends are `h2c://` and `grpc://`, over TLS `h2://` and
---`grpcs://`. Where none can be reached the client gets the status UNAVAILABLE, and DEADLINE_EXCEEDED after its
---`grpc-timeout`. What a client sends in one call, all messages of a stream together, is a body: beyond the setting
---`max_body` (10mb unless set) the call ends with RESOURCE_EXHAUSTED. Where streams of clients are long, raise it for
---the route: `{ max_body = "1gb" }`.
---
---```lua
---app:grpc("/shop.Orders/*", "h2c://127.0.0.1:50051")
---```
---@param pattern string `"/package.Service/*"`
---@param ... any as of `app:proxy`
---@return rws.Route route
function app:grpc(pattern, ...) end

---A request that is about to be sent to a backend.
---
---```lua
---app:proxy("/api/*", "http://127.0.0.1:9001", {
---  on_request = function(c, request)
---    request.headers["X-Tenant"] = c.host:match("^[^.]+")
---    if request.path == "/api/secret" then c:fail(403, "not from outside") end
---  end,
---})
---```
---@class rws.ProxyRequest
---@field method string
---@field path string decoded
---@field query string without `?`
---@field url string path and query, to be read only
---@field host string
---@field headers rws.ProxyHeaders
local request = {}

---An answer that is about to be passed on.
---@class rws.ProxyResponse
---@field status integer
---@field headers rws.ProxyHeaders
local response = {}

---The header of a request or an answer, with case-free names: `headers.user_agent` is `User-Agent`. What is set is a
---string, a list for several lines, or nil to remove.
---@class rws.ProxyHeaders
---@field [string] any
local headers = {}
