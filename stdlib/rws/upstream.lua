---@meta

---A backend of an upstream.
---@class rws.Backend
---@field url string `"http://10.0.0.7:9001"`; the schemes are `http https h2 h2c grpc grpcs ws wss unix fastcgi`. `"unix:app.sock"` is a socket file, in the app's folder unless it begins with `/`. `"dns+http://api.internal:8080"` stands for the addresses of a name, `"srv+http://api.internal"` for the hosts of its SRV records, `"file:backends.txt"` for the URLs in a file, one a line, which is read again when it changes; behind a URL may stand `weight=2` and `backup`, and `#` begins a comment
---@field weight? integer share of the requests among the others; default 1. Not of `dns+`, `srv+` and `file:`, where those that are found have their own
---@field backup? boolean takes requests only when no other can; of `dns+`, `srv+` and `file:` all that are found there do
---@field host? string what the backend and its certificate are called, where the URL has an address. For streams it is about TLS and checks only, and refused where there is neither

---How backends are chosen, where a name alone is not enough.
---@class rws.Balance
---@field policy string see `rws.UpstreamOptions`
---@field header? string whose value is hashed, of `header_hash`
---@field cookie? string whose value is hashed, of `cookie_hash`
---@field bound? number how many times the mean a backend may have under way before its keys go to their next choice, as 1.25; default no bound

---A cookie that keeps a visitor at a backend while that can answer.
---@class rws.Sticky
---@field cookie string its name
---@field max_age? rws.Duration default: until the browser is closed
---@field path? string default `"/"`

---Checks that ask each backend again and again whether it works.
---@class rws.BackendHealth
---@field path? string what is asked for; default `"/"`
---@field scheme? string how to ask, in place of the scheme of the URL: `http https h2 h2c unix` send a request, `ws wss` the handshake of a WebSocket, `grpc grpcs` speak `grpc.health.v1`, `tls` shakes hands, `tcp` and `fastcgi` only connect
---@field port? integer in place of that of the URL
---@field method? string default `"GET"`
---@field host? string the Host that is sent
---@field headers? table<string, string> that are sent too
---@field status? integer|string|table good answers: `204`, `"2xx"`, `"200-399"` or a list of these; default `"2xx"`
---@field match? string a regular expression (RE2) that the first 64 KiB of the body must match
---@field service? string of gRPC; default the server as a whole
---@field every? rws.Duration default 10s; the first check comes at once
---@field fast? rws.Duration while a backend is down or about to change; default 2s
---@field timeout? rws.Duration default 2s, or `every` if that is shorter
---@field up? integer good answers in a row until it is up again; default 2
---@field down? integer bad ones until it is down; default 3. The first check of a backend that was never checked decides alone; what is known, and how many checks in a row, outlives a reload of the script. Until it has ended the backend gets requests
---@field reuse? boolean keep the connection from one check to the next

---Judging backends by the answers to visitors: 502, 503, 504, 500 and none at all are failures, what a visitor does
---wrong never is. With gRPC the statuses UNAVAILABLE, INTERNAL, UNKNOWN and DATA_LOSS are failures too, and
---DEADLINE_EXCEEDED unless the visitor's own `grpc-timeout` is over. A reload of the script does not forget who is out.
---@class rws.Passive
---@field failures? integer that put a backend out: in a row, or with `window` of that time; default 5
---@field share? number|string of failures that does, as `"50%"`, among at least `minimum` requests of the window
---@field minimum? integer of `share`; default 100
---@field window? rws.Duration default 10s
---@field eject? rws.Duration how long it gets no requests, longer each time; default 30s
---@field max_eject? rws.Duration the longest; default 5m, not less than `eject`
---@field max_ejected? number|string how many of the backends may be out at a time; default `"50%"`, and never all
---@field alone? boolean the only backend may be out too

---A circuit breaker for each backend. While it is open, nothing is sent there. Failures are those of `rws.Passive`.
---@class rws.Breaker
---@field failures? integer in a row that open it; default 5
---@field share? number|string of failures that opens it in place of those in a row, as `"50%"`, among at least `minimum` requests of `window`
---@field minimum? integer default 20
---@field window? rws.Duration default 10s
---@field open? rws.Duration until it lets probes through; default 30s
---@field probes? integer requests at a time then; default 1
---@field successes? integer of them that close it; default 1
---@field store? string where it is remembered what is open: `"memory"`, which a reload does not forget, `"redis"` (that of the cache, of sessions or of limits), `"sql"` (the app's first database) or a URL. Default `"memory"`. While a store can't be reached the memory stands in, over a reload too

---Which failures are tried again, with another backend each time, and never when some of the answer has been sent.
---@class rws.Retry
---@field tries? integer how often a request is sent at most; default 2
---@field on? string|string[] `"connect"`, `"timeout"`, `"reset"`, `"5xx"` and statuses such as `"502"`; default connect and reset. An answer of gRPC that is nothing but a status counts as what it stands for: UNAVAILABLE as 503, DEADLINE_EXCEEDED as 504, INTERNAL, UNKNOWN and DATA_LOSS as 500; such a call is repeated whatever `methods` says, if its messages fit `max_replay`
---@field methods? string|string[] that may be sent twice when the backend may have seen them; default GET, HEAD, OPTIONS, PUT and DELETE
---@field budget? number|string how many of the requests of the last 10 s may be repetitions, those of `hedge` included, but for those after no connection; default `"20%"`, and always ten. Routes to an upstream share its budget, but for those that set their own
---@field backoff? rws.Duration the longest wait before the second try; default 25ms
---@field max_replay? rws.Size how much of a body is kept to be sent again; default 64kb

---Times of an upstream. Where `false` may stand it means no limit. A route to an upstream may have its own `response`,
---`whole` and `tunnel`, shorter or longer; the others are about connections, which all routes share.
---@class rws.UpstreamTimeout
---@field connect? rws.Duration default 3s
---@field response? rws.Duration|false until the head of the answer, once the request has been sent; default 30s
---@field read? rws.Duration|false without a byte of its body, as of events that come seldom; default 60s, for gRPC no limit
---@field idle? rws.Duration a connection waits for its next request; default 55s
---@field max_age? rws.Duration|false of a connection; default 1h
---@field whole? rws.Duration|false from the arrival of the request to the end of the answer, but not of a WebSocket; default no limit
---@field tunnel? rws.Duration|false a WebSocket may be silent; default 1h

---How backends over TLS are verified, and what they are shown.
---@class rws.BackendTls
---@field ca? string file of authorities (PEM) that are trusted in place of the system's
---@field cert? string file of a client certificate (PEM), read again when it changes
---@field key? string its key
---@field server_name? string that is verified for all backends, in place of the `host` of each and of the host of the URL
---@field insecure? boolean verifies nothing: whoever stands between can read and change all of it

---What an upstream may hold.
---@class rws.UpstreamPool
---@field idle? integer unused connections for each backend; default 64
---@field per_backend? integer requests that a backend has under way; default 256. Where requests share connections, over HTTP/2 and gRPC, it is the number of those
---@field wait? rws.Duration for a backend while all are full; default 1s
---@field waiting? integer requests that may wait; default 1024
---@field max_header? rws.Size of an answer; default 64kb

---An application behind FastCGI, as PHP-FPM. A script below a file, as `/upload.jpg/x.php`, is answered 404 where the
---files are on this machine; elsewhere see to it that PHP-FPM refuses it: `security.limit_extensions = .php` and
---`cgi.fix_pathinfo = 0`. Keep uploads out of `root` anyhow.
---
---Names that begin with a dot, but for `.well-known`, are not run: 404. Nor is a script to which a link leads out of
---`root`, which the log tells of; `root` itself may be a link, as that to a release. Put what an application shares into
---`root`, or mount it there. When `root` is not on this machine, links are for the application to refuse.
---
---The files of the application, as its styles, are those of an `app:static` with a folder of their own beside `root`: in a
---static folder no file with the `extension` is ever sent, but what else lies beside scripts, as `composer.json`, would
---be. `rws check` doubts a static folder that is, holds or lies in `root`.
---@class rws.FastCgi
---@field root string the folder with the scripts, as the application sees it
---@field index? string the script of a path that ends with `/`; default `"index.php"`. With `front` it has to be there: then `/sub/` is `/sub/index.php`, otherwise `front`. That is looked up on this machine; when `root` is elsewhere, all such paths go to `front`
---@field front? string the script for paths that name none, as `"/index.php"`, which gets the path as `PATH_INFO` too, but for `/`; default: they are answered 404
---@field extension? string what the names of scripts end with; default `".php"`
---@field env? table<string, string> further variables

---Options of `app:upstream`, and of proxies that name their backends themselves.
---@class rws.UpstreamOptions
---@field to? string|rws.Backend|table|function where the backends are: a URL, a table with one, a list of these, or a function that returns such a list and is called each `refresh`
---@field balance? string|rws.Balance `"round_robin"`, `"weighted_round_robin"` (the same), `"random"`, `"p2c"`, `"least_conn"`, `"ip_hash"`, `"path_hash"`, and with a table `header_hash` and `cookie_hash`. Default round_robin
---@field sticky? rws.Sticky
---@field slow_start? rws.Duration until a backend that came up has its full share; default at once
---@field refresh? rws.Duration how often names (`dns+`, `srv+`) and functions are asked for backends; default 10s. What was found stays while nothing can be, also across a reload of the script
---@field health? string|rws.BackendHealth a path, or more about the checks; default none
---@field passive? boolean|rws.Passive default on; `false` switches it off
---@field breaker? boolean|rws.Breaker default off
---@field timeout? string|rws.UpstreamTimeout a duration is that of the request as a whole
---@field tls? rws.BackendTls
---@field pool? rws.UpstreamPool
---@field proxy_protocol? 1|2 tells backends the visitor's address in that version of the PROXY protocol
---@field fastcgi? rws.FastCgi of backends with the scheme `fastcgi`
---@field retry? rws.Retry
---@field retries? integer short for `retry = { tries = … }`: how often a request is sent again

---Declares a pool of backends for proxies. It runs in Go: no Lua is between a visitor and a backend.
---
---```lua
---local api = app:upstream("api", {
---  to      = { "http://127.0.0.1:9001", { url = "http://127.0.0.1:9002", weight = 3 } },
---  balance = "least_conn",
---  health  = { path = "/healthz", every = "5s" },
---})
---
---app:get("/backends", function() return api:status() end)
---
---app:test("both are known", function(t) t.eq(#t:get("/backends"):json(), 2) end)
---```
---@param name string for logs and metrics
---@param options rws.UpstreamOptions
---@return rws.Upstream upstream
function app:upstream(name, options) end

---A pool of backends that `app:upstream` declared.
---@class rws.Upstream
---@field name string
local upstream = {}

---Makes these the backends, in place of all there were, be they from a file, a name or a function, which is asked no
---more. Those that stay keep their connections and what is known of them; those that go finish
---the requests they have.
---
---```lua
---local api = app:upstream("api", { to = "http://127.0.0.1:9001" })
---
---app:post("/backends", { body = { urls = "[string]" } }, function(c)
---  api:update(c.input.urls)
---  return 204
---end)
---```
---@param to string|rws.Backend|table as the option `to`
function upstream:update(to) end

---Gives a backend no more requests, or requests again. It finishes those it has. A reload of the script forgets it,
---as it does `update`: the backends are those of the script then. To keep one drained, take it out of the script.
---@param backend string its name, as `status` tells it: `"http://10.0.0.7:9001"`
---@param on? boolean false gives it requests again; default true
function upstream:drain(backend, on) end

---Tells how the backends are. A reload of the script begins to count anew.
---@return rws.BackendStatus[] backends
function upstream:status() end

---How one backend is.
---@class rws.BackendStatus
---@field name string
---@field host string what it is called
---@field state "up"|"down"|"ejected"|"open"|"full"|"drained" why it gets no requests, or `"up"`
---@field weight integer
---@field backup boolean
---@field active integer requests under way
---@field requests integer that ended
---@field failures integer by fault of the backend
---@field fault? string what happened last
---@field breaker? "closed"|"open"|"half-open"
