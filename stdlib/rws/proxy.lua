---@meta

---Changes of a header: first `remove`, then `set`, then `add`. In names `_` is `-`, as everywhere.
---@class rws.ProxyEdits
---@field set? table<string, string> in place of what was there
---@field add? table<string, string> beside what was there
---@field remove? string|string[] names, with `*` at one end for many: `"X-Internal-*"`. What belongs to the connection, as `Transfer-Encoding`, and the `Host` of a request are refused here and in the others

---Paths that are passed on although a backend may read them differently than the routes here; all others are
---answered 400.
---@class rws.ProxyPaths
---@field slashes? boolean empty segments, `/a//b`
---@field encoded? boolean `%2F` and `%5C`

---Asking another backend when one takes long. Requests with a body never are asked twice at once, and only those with
---one of the `methods` of `retry`; within the `budget` of `retry`, which is a fifth of the requests by default.
---@class rws.ProxyHedge
---@field after rws.Duration without an answer until another backend is asked too
---@field most? integer further backends; default 1

---Options of `app:proxy` and `app:grpc`. Those of `rws.UpstreamOptions` are for backends that are named here; an
---upstream has its own. `timeout`, `retry` and `retries` may be given in both places, and these here win, a longer `timeout`
---as well as a shorter one; of its fields a route may have `response`, `whole` and `tunnel`.
---@class rws.ProxyOptions: rws.UpstreamOptions
---@field strip? string a prefix of paths to leave out; the backend finds it in `X-Forwarded-Prefix`
---@field rewrite? table a pair of a regular expression (RE2) on the path and its replacement, `{ "^/v1/(.*)$", "/$1" }`, or a list of pairs, which are applied in turn; the query is kept
---@field host? string the Host for the backend: `"upstream"` is that of its URL, `"keep"` that of the visitor, or a name. Default upstream for backends over TLS, keep for others
---@field request? rws.ProxyEdits of the request
---@field response? rws.ProxyEdits of the answer, and of what comes before it, as 103 Early Hints
---@field forwarded? boolean adds `Forwarded` (RFC 7239) to the `X-Forwarded-*`
---@field protect? string|string[] request headers that a visitor's `Connection` cannot have removed, beside the usual ones, with `*` at one end for many. They are protected on all routes of the app: names are taken away before it is known which route a request goes to
---@field paths? rws.ProxyPaths
---@field max_body? rws.Size default that of the app
---@field hedge? string|rws.ProxyHedge how long to wait for an answer until another backend is asked too, and the first answer taken; default never. Never with a body, and within `retry.budget`
---@field summary? string one line for listings
---@field on_request? fun(c: rws.Context, request: rws.ProxyRequest) is called before a request is sent, and may change it, or refuse it with `c:fail`
---@field on_response? fun(c: rws.Context, response: rws.ProxyResponse) is called before an answer is passed on, and may change its status and headers, or refuse it with `c:fail`. A WebSocket or another upgrade comes with the status 101, which can't be changed but refused: the connection to the backend is then closed. Not called for 103 Early Hints
---@field fallback? fun(c: rws.Context): any answers when no backend can be reached

---Passes requests on to backends: HTTP/1.1 and HTTP/2, WebSocket and every other upgrade, streams both ways, nothing
---held in memory. It runs in Go, unless a hook or middleware is a function of the script. Between the pattern and the
---backends middleware may stand, as in other routes.
---
---A request gets `X-Forwarded-For`, `-Proto`, `-Host` and `Via`; what a visitor sent in their place is dropped, unless
---it comes from one of the setting `trusted_proxies`. So are other headers by which proxies tell of a client: `Forwarded`,
---all `X-Forwarded-*`, `X-Real-IP`, `X-Client-IP`, `X-Cluster-Client-IP`, `X-ProxyUser-IP`, `Client-IP`, `True-Client-IP`,
---`CF-Connecting-IP`, `Fastly-Client-IP`, `X-Envoy-External-Address`, `X-Original-URL`, `X-Original-URI`, `X-Original-Host`,
---`X-Rewrite-URL`, `X-Host` and `Front-End-Https`. FastCGI gets none of them either, as `HTTP_*`.
---To send one of your own, set it by `request` or `on_request`. `X-Forwarded-Host` is the host that the visitor asked for,
---whatever `rws.rewrite` has made of it.
---
---What a visitor does wrong is answered 4xx and never counts against a backend. Without a backend that answers it is 502,
---503 or 504. A WebSocket to backends over HTTP/2 (`h2`, `h2c`, `grpc`, `grpcs`) is 502: speak `http` or `https` to them.
---
---A visitor that closes its side of the connection before it has the answer has left, also if it has sent the whole
---request: the backend's work is broken off, and the log has 499. TCP does not tell who has only stopped sending from who
---is gone, and browsers and most programs close both sides at once; nginx and others hold it the same way. A client that
---shuts its side down after the request (`nc -N`) has to leave it open until it has read the answer.
---
---A reload loses nothing that is under way: requests, downloads, event streams, WebSockets and other upgrades go on with
---the script they began with, for as long as they take, and that script stays in memory until its last one has ended.
---When the server stops, or leaves for a new program (`rws upgrade`), requests may finish within `stop_grace`. What may
---have no end has half of that, at most 5 s: WebSockets get a close frame with 1001 at once, other upgrades the end of
---their half, and an event stream (`text/event-stream`) goes on. What has not ended by then is broken off, so that no
---client takes it for whole.
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
---@field headers rws.ProxyHeaders without the host, which is `request.host`
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
