---@meta

---A backend of an upstream.
---@class rws.Backend
---@field url string `"http://10.0.0.7:9001"`; the schemes are `http https h2 h2c grpc grpcs ws wss unix fastcgi`. `"unix:app.sock"` is a socket file, in the app's folder unless it begins with `/`. `"dns+http://api.internal:8080"` stands for the addresses of a name, `"srv+http://api.internal"` for the hosts of its SRV records, `"file:backends.txt"` for the URLs in a file, one a line, which is read again when it changes
---@field weight? integer share of the requests among the others; default 1
---@field backup? boolean takes requests only when no other can
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
---@field scheme? string how to ask, in place of the scheme of the URL: `http https h2c grpc ws wss tcp tls`; `grpc` is the protocol `grpc.health.v1`
---@field port? integer in place of that of the URL
---@field method? string default `"GET"`
---@field host? string the Host that is sent
---@field headers? table<string, string> that are sent too
---@field status? integer|string|table good answers: `204`, `"2xx"`, `"200-399"` or a list of these; default `"2xx"`
---@field match? string a regular expression (RE2) that the first 64 KiB of the body must match
---@field service? string of gRPC; default the server as a whole
---@field every? rws.Duration default 10s; the first check comes at once
---@field fast? rws.Duration while a backend is down or about to change; default 2s
---@field timeout? rws.Duration default 2s
---@field up? integer good answers in a row until it is up again; default 2
---@field down? integer bad ones until it is down; default 3. The first check after the start, or after a backend is new, decides alone, as nothing is known of it before: one bad answer puts it down. Until that check has ended it gets requests
---@field reuse? boolean keep the connection from one check to the next

---Judging backends by the answers to visitors: 502, 503, 504, 500 and none at all are failures, what a visitor does
---wrong never is.
---@class rws.Passive
---@field failures? integer that put a backend out: in a row, or with `window` of that time; default 5
---@field share? number|string of failures that does, as `"50%"`, among at least `minimum` requests of the window
---@field minimum? integer of `share`; default 100
---@field window? rws.Duration default 10s
---@field eject? rws.Duration how long it gets no requests, longer each time; default 30s
---@field max_eject? rws.Duration default 5m
---@field max_ejected? number|string how many of the backends may be out at a time; default `"50%"`, and never all
---@field alone? boolean the only backend may be out too

---A circuit breaker for each backend. While it is open, nothing is sent there.
---@class rws.Breaker
---@field failures? integer in a row that open it; default 5
---@field share? number|string of failures that opens it in place of those in a row, as `"50%"`, among at least `minimum` requests of `window`
---@field minimum? integer default 20
---@field window? rws.Duration default 10s
---@field open? rws.Duration until it lets probes through; default 30s
---@field probes? integer requests at a time then; default 1
---@field successes? integer of them that close it; default 1
---@field store? string where it is remembered what is open: `"memory"`, which a reload does not forget, `"redis"` (that of the cache, of sessions or of limits), `"sql"` (the app's first database) or a URL. Default `"memory"`

---Which failures are tried again, with another backend each time, and never when some of the answer has been sent.
---@class rws.Retry
---@field tries? integer how often a request is sent at most; default 2
---@field on? string|string[] `"connect"`, `"timeout"`, `"reset"`, `"5xx"` and statuses such as `"502"`; default connect and reset
---@field methods? string|string[] that may be sent twice when the backend may have seen them; default GET, HEAD, OPTIONS, PUT and DELETE
---@field budget? number|string how many of the requests of the last 10 s may be repetitions, but for those after no connection; default `"20%"`, and always ten. Routes to an upstream share its budget, but for those that set their own
---@field backoff? rws.Duration the longest wait before the second try; default 25ms
---@field max_replay? rws.Size how much of a body is kept to be sent again; default 64kb

---Times of an upstream. Where `false` may stand it means no limit.
---@class rws.UpstreamTimeout
---@field connect? rws.Duration default 3s
---@field response? rws.Duration|false until the head of the answer; default 30s
---@field read? rws.Duration|false without a byte of its body, as of events that come seldom; default 60s, for gRPC no limit
---@field idle? rws.Duration a connection waits for its next request; default 55s
---@field max_age? rws.Duration|false of a connection; default 1h
---@field whole? rws.Duration from the arrival of the request to the end of the answer, but not of a WebSocket; default no limit
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
---@class rws.FastCgi
---@field root string the folder with the scripts, as the application sees it
---@field index? string the script of a path that ends with `/`; default `"index.php"`
---@field front? string the script for paths that name none, as `"/index.php"`; default: they are answered 404
---@field extension? string what the names of scripts end with; default `".php"`
---@field env? table<string, string> further variables

---Options of `app:upstream`, and of proxies that name their backends themselves.
---@class rws.UpstreamOptions
---@field to? string|rws.Backend|table|function where the backends are: a URL, a table with one, a list of these, or a function that returns such a list and is called each `refresh`
---@field balance? string|rws.Balance `"round_robin"`, `"weighted_round_robin"` (the same), `"random"`, `"p2c"`, `"least_conn"`, `"ip_hash"`, `"path_hash"`, and with a table `header_hash` and `cookie_hash`. Default round_robin
---@field sticky? rws.Sticky
---@field slow_start? rws.Duration until a backend that came up has its full share; default at once
---@field refresh? rws.Duration how often names (`dns+`, `srv+`) and functions are asked for backends; default 10s
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

---Makes these the backends. Those that stay keep their connections and what is known of them; those that go finish
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

---Tells how the backends are.
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
