---@meta

---An application: the routes and whatever else a script declares, while it loads. Nobody is served meanwhile (after
---a reload, by what is loaded): a script has 30 s to load, of which it may compute for 5 s without waiting, and the log
---says after 3 s where it waits.
---@class rws.App
---@field shared rws.Shared values that all isolates see and that outlive a reload
---@field sessions rws.Sessions the sessions of everybody
---@field cache rws.Cache values that can be had again, in memory or in Redis
---@field state table a table that a reload hands on; see `app:on`. It belongs to one isolate
local App = {}

---The application that the script declares.
---@type rws.App
app = {}

---What answers a request. Its result is the answer: a string is sent as `text/plain`, a table as JSON, a
---number is an empty answer with that status, nil is status 204, and what `c:json` and its like return is
---itself.
---@alias rws.Handler fun(c: rws.Context): any

---Middleware: `function(c, next)` that returns `next()`, or an answer of its own, or middleware of rws. What
---`next()` returns can be changed before it is returned. An error goes through `next()` as through any
---call, so a transaction around it rolls back; its answer is made outside of the middleware in Lua.
---@alias rws.AnyMiddleware rws.Middleware|fun(c: rws.Context, next: fun(): rws.Response): any

---What a route takes and gives, as the table before its handler. What does not hold is answered 422, with
---everything that is wrong.
---
---A field is a type, then what limits it: `"int 1.."`, `"string 1..120"`, `"email"`, `"date?"` (may be left
---out), `"int = 1"` (with a default), `"[string ..20] ..5"` (a list), `"enum a|b|c"`, `"string /^[a-z]+$/"`,
---`"file image/* ..5mb"`. The types are string int number decimal bool enum email url uuid slug date time
---datetime ip hostname file object any. A nested table is an object; its first element may say more, as in
---`{ "[object] 1..50", title = "string" }`, and `rws.schema` has the rest.
---
---```lua
---app:post("/notes/:id{int}", {
---  params = { id = "int 1.." },
---  query  = { notify = "bool = false" },
---  body   = { title = "string 1..120", tags = "[string ..20] ..5 = []" },
---  returns = 201, timeout = "2s", max_body = "64kb", summary = "adds a note",
---}, function(c)
---  return { id = c.params.id, title = c.input.title, notify = c.query.notify }
---end)
---
---app:test("a note has a title", function(t)
---  t.eq(t:post("/notes/1", { json = { title = "" } }).status, 422)
---  t.eq(t:post("/notes/1?notify=1", { json = { title = "Milk" } }):json(), { id = 1, title = "Milk", notify = true })
---end)
---```
---@class rws.Spec
---@field params? table<string, any>|rws.SchemaField parameters of the path, in `c.params`
---@field query? table<string, any>|rws.SchemaField the query, in `c.query`
---@field body? table<string, any>|rws.SchemaField a body of JSON, in `c.input`
---@field form? table<string, any>|rws.SchemaField a form, in `c.input`
---@field upload? table<string, any>|rws.SchemaField files of a form, in `c.input` and `c.files`
---@field returns? integer the status of an answer that has none of its own, from 200 to 399
---@field timeout? rws.Duration how long the handler may take, then 504 is answered, also when it returns something
---  or fails later; an answer that has begun goes on. Default is the setting `timeout`
---@field max_body? rws.Size of the request; default is the setting `max_body`
---@field summary? string what the route does, for listings
---@field limit? string|rws.LimitOptions how often, as `"5/min per ip"`. It is counted before the input is checked: by address
---  before any function, by all else last, when it is known who asks
---@field auth? rws.AnyMiddleware|rws.AnyMiddleware[] guards that stand before all else of the route

---Answers GET requests, and HEAD requests where no route is declared for them.
---
---In a pattern `:name` is a segment of the path and `*name` the rest of it; `:id{int}`, `:id{uuid}` and
---`:id{slug}` match only such a segment, and an `{int}` is a number in `c.params`. A part in parentheses may
---be left out: `/posts(/:page{int})`. The most specific route wins, wherever it was declared.
---
---```lua
---app:get("/hello/:name", function(c)
---  return "hello " .. c.params.name
---end)
---
---app:test("it greets", function(t)
---  t.eq(t:get("/hello/ann").body, "hello ann")
---end)
---```
---@param pattern string
---@param ... rws.AnyMiddleware|rws.Spec|rws.Handler middleware and one spec in any order, then the handler
---@return rws.Route route
function App:get(pattern, ...) end

---Answers POST requests.
---
---```lua
---app:post("/notes", { body = { title = "string 1..120" } }, function(c)
---  return c:json({ title = c.input.title }, 201)
---end)
---```
---@param pattern string
---@param ... rws.AnyMiddleware|rws.Spec|rws.Handler middleware and one spec in any order, then the handler
---@return rws.Route route
---@see app:get
function App:post(pattern, ...) end

---Answers PUT requests.
---@param pattern string
---@param ... rws.AnyMiddleware|rws.Spec|rws.Handler middleware and one spec in any order, then the handler
---@return rws.Route route
---@see app:get
function App:put(pattern, ...) end

---Answers PATCH requests.
---@param pattern string
---@param ... rws.AnyMiddleware|rws.Spec|rws.Handler middleware and one spec in any order, then the handler
---@return rws.Route route
---@see app:get
function App:patch(pattern, ...) end

---Answers DELETE requests.
---
---```lua
---app:delete("/notes/:id{int}", function(c) return 204 end)
---```
---@param pattern string
---@param ... rws.AnyMiddleware|rws.Spec|rws.Handler middleware and one spec in any order, then the handler
---@return rws.Route route
---@see app:get
function App:delete(pattern, ...) end

---Answers HEAD requests, where a GET route would do too much work for an answer without a body.
---@param pattern string
---@param ... rws.AnyMiddleware|rws.Spec|rws.Handler middleware and one spec in any order, then the handler
---@return rws.Route route
---@see app:get
function App:head(pattern, ...) end

---Answers OPTIONS requests, in place of the built-in answer that lists the methods of a path.
---@param pattern string
---@param ... rws.AnyMiddleware|rws.Spec|rws.Handler middleware and one spec in any order, then the handler
---@return rws.Route route
---@see app:get
function App:options(pattern, ...) end

---Answers requests of any method that no other route of the pattern is declared for.
---
---```lua
---app:all("/echo", function(c) return c.method end)
---```
---@param pattern string
---@param ... rws.AnyMiddleware|rws.Spec|rws.Handler middleware and one spec in any order, then the handler
---@return rws.Route route
---@see app:get
function App:all(pattern, ...) end

---Answers requests of one method, which may be one of your own.
---
---```lua
---app:route("PROPFIND", "/files/*path", function(c) return 207 end)
---```
---@param method string
---@param pattern string
---@param ... rws.AnyMiddleware|rws.Spec|rws.Handler middleware and one spec in any order, then the handler
---@return rws.Route route
---@see app:get
function App:route(method, pattern, ...) end

---Puts middleware around the routes that are declared after it. On the app itself it is around answers of
---"not found" too. The first one is the outermost. A guard of the library that comes behind routes does not guard
---these, which the log and `rws check` warn of: put it before them, or what it guards into a group.
---
---Middleware of the library (`rws.request_id()` and its like) that the app uses before its first function and
---its first route stands before the routing: every request passes it, whatever answers, and it may change where
---a request goes.
---
---```lua
---app:use(function(c, next)
---  local started = rws.now()
---  local res = next()
---  res.headers["Server-Timing"] = "app;dur=" .. started:elapsed("ms")
---  return res
---end)
---
---app:get("/", function() return "hi" end)
---
---app:test("answers tell how long they took", function(t)
---  t.ok(t:get("/").headers.server_timing:find("app;dur=", 1, true))
---end)
---```
---@param ... rws.AnyMiddleware
---@return rws.App app the same
function App:use(...) end

---A part of the app whose patterns begin alike and that has middleware of its own.
---
---```lua
---local function signed_in(c, next)
---  if not c.headers.authorization then return 401 end
---  return next()
---end
---
---local api = app:group("/api", signed_in)
---api:get("/notes", function() return rws.array {} end)
---
---app:test("the API is for members", function(t)
---  t.eq(t:get("/api/notes").status, 401)
---  t.eq(t:get("/api/notes", { headers = { authorization = "Bearer 42" } }).body, "[]")
---end)
---```
---@param prefix string
---@param ... rws.AnyMiddleware
---@return rws.App group
function App:group(prefix, ...) end

---A part of the app for one host.
---
---```lua
---app:host("api.example.com"):get("/", function() return "the API" end)
---app:host("*.example.com", function(host)
---  host:get("/", function(c) return "the site " .. c.host end)
---end)
---```
---@param name string as `"api.example.com"`, without a port: it answers on every port; `"*.example.com"` is every name
---  below
---@param declare? fun(host: rws.App) is called with it
---@return rws.App host
function App:host(name, declare) end

---Puts the routes of another app below a prefix.
---
---```lua
---local blog = rws.app()
---blog:get("/:slug", function(c) return c.params.slug end)
---app:mount("/blog", blog)
---
---app:test("the blog is there", function(t) t.eq(t:get("/blog/one").body, "one") end)
---```
---@param prefix string
---@param other rws.App as made by `rws.app()`
function App:mount(prefix, other) end

---Handlers of `app:resource`; those that are there become routes.
---@class rws.ResourceHandlers
---@field index? rws.Handler GET /notes
---@field new? rws.Handler GET /notes/new
---@field create? rws.Handler POST /notes
---@field show? rws.Handler GET /notes/:id
---@field edit? rws.Handler GET /notes/:id/edit
---@field update? rws.Handler PUT and PATCH /notes/:id
---@field destroy? rws.Handler DELETE /notes/:id

---Declares the usual routes of a kind of thing.
---
---```lua
---app:resource("/notes", {
---  index = function() return rws.array {} end,
---  show = function(c) return { id = c.params.id } end,
---})
---
---app:test("a note is shown", function(t) t.eq(t:get("/notes/7"):json(), { id = "7" }) end)
---```
---@param prefix string
---@param ... rws.AnyMiddleware|rws.ResourceHandlers middleware, then the table of handlers
function App:resource(prefix, ...) end

---Options of `app:static`.
---@class rws.StaticOptions
---@field index? string[] the files that answer for a folder; default `{ "index.html" }`
---@field spa? boolean answers paths that are no file with the index page, for apps that route in the
---  browser; default false
---@field list? boolean shows what is in a folder without an index page; default false
---@field precompressed? boolean sends `name.br`, `name.zst` or `name.gz` in place of `name` where it exists and
---  the client takes it; default false
---@field cache? rws.Duration how long a client may use a file without asking; without it the client asks each
---  time and mostly hears that nothing has changed
---@field immutable? boolean for files whose name holds a hash: clients never ask again; default false
---@field dot_files? boolean serves names that begin with a dot; default false

---Serves a folder of files, with ETag, ranges and the right types. No Lua runs for it. Of the app's own folder
---scripts, templates, databases (`.db`, `.sqlite`) and keys (`.pem`, `.key`) are never served, and of no folder the
---scripts of an application behind FastCGI, which end as its `extension` says (`.php`). In development HTML pages load
---again when the app or a file of the folder changes.
---
---```lua
---app:static("/assets", "public", { cache = "1h" })
---
---app:test("files are served", function(t)
---  t.eq(t:get("/assets/hello.txt").headers.cache_control, "public, max-age=3600")
---end)
---```
---@param prefix string
---@param folder string in the app's folder; links do not lead out of it
---@param options? rws.StaticOptions
function App:static(prefix, folder, options) end

---Calls a function when something happens to the app: `"start"`, when its addresses are open and before it takes
---requests, once per process;
---`"stop"`, when it has answered the last; `"reload"`, in the new version of the script, with a table whose
---`state` is the `app.state` of the old one. A table that it returns becomes `app.state`.
---
---```lua
---app.state = { visits = 0 }
---app:on("reload", function(old) return old.state end)
---app:on("start", function() rws.log.info("ready") end)
---```
---@param event "start"|"stop"|"reload"
---@param fn fun(old: { state: table? }): any
function App:on(event, fn) end

---Answers for errors of one status, or of all when the status is left out. The function gets the request and
---the error; what it returns is sent with the status of the error. Without it errors are answered by
---`application/problem+json` or a page, by what the client accepts.
---
---```lua
---app:on_error(404, function(c) return c:html("<h1>nothing here</h1>") end)
---app:on_error(function(c, err) return { error = err.message } end)
---
---app:test("a page that is not there", function(t)
---  local r = t:get("/none")
---  t.eq(r.status, 404)
---  t.eq(r.body, "<h1>nothing here</h1>")
---end)
---```
---@param status integer|fun(c: rws.Context, err: rws.Error): any from 400 to 599, or the function
---@param fn? fun(c: rws.Context, err: rws.Error): any
function App:on_error(status, fn) end

---Opens a database, or returns the one that is open: `sqlite:notes.db` in the app's folder,
---`sqlite::memory:`, `postgres://user:password@host/name`, `mysql://user:password@host/name`. It belongs to
---the app: all isolates share its connections, a reload keeps them, and the end of the app closes them. SQLite
---makes the file; a server is connected to when it is first asked.
---
---What is behind a `?` in the URL are options, as in `sqlite:notes.db?mode=ro&busy_timeout=5s`. A space is `%20`
---there, and a `+` is a `+`. The path of a SQLite file is taken as it is: `%20` in it is three characters. One that
---is not in this table is an error, which lists those that are.
---
---| option | engine | meaning |
---| --- | --- | --- |
---| `max_open`, `max_idle`, `max_lifetime`, `max_idle_time`, `wait` | all | `max_open`, `max_idle`, `lifetime`, `idle_time` and `wait` of `rws.DbOptions`, which come first |
---| `mode` | SQLite | `rwc` (default) makes a file that is missing, `rw` doesn't, `ro` only reads |
---| `busy_timeout` | SQLite | for the lock of another process, then the error is `busy`; default 10s |
---| `synchronous` | SQLite | `normal` (default): a crash of the machine may lose the last commits; `full`, `extra`, `off` |
---| `cache_size` | SQLite | KiB of each connection; default 8192 |
---| `foreign_keys` | SQLite | `on` (default) or `off` |
---| `sslmode`, `sslrootcert`, `connect_timeout` (in s), `search_path`, `options`, `application_name`, … | Postgres | as in libpq; `application_name` is `rws` by default |
---| `tls` | MySQL | `false` (default), `true`, `skip-verify` or `preferred` |
---| `tls_ca`, `tls_cert`, `tls_key` | MySQL | PEM files, with `tls=true` |
---| `socket` | MySQL | path of a unix socket, in the place of the host |
---| `collation`, `time_zone`, `sql_mode` | MySQL | of each connection; default utf8mb4_general_ci, `+00:00`, and strict as in MySQL 8 |
---| `timeout`, `read_timeout`, `write_timeout` | MySQL | to connect, default 10s; of each read and write, default none |
---| `compress` | MySQL | `true` or `false` (default) |
---
---`rws test` never touches these data: a SQLite file is an empty one for each test, and a database on a server
---is refused unless the option `test` names one for tests.
---
---```lua
---local db = app:db(env.DATABASE_URL or "sqlite:notes.db")
---db:migrate { [[create table notes (id integer primary key, title text not null)]] }
---
---app:get("/notes", function() return db:all("select * from notes order by id") end)
---
---app:test("there are no notes at first", function(t)
---  t.eq(t:get("/notes").body, "[]")
---end)
---```
---@async
---@param url string
---@param options? rws.DbOptions
---@return rws.Db db
function App:db(url, options) end

---Shows metrics to Prometheus: those of `rws.metrics`, requests by method, status and the pattern of their route, and
---gauges of the process, Go and Lua. Put a guard before them, or use the setting `metrics.listen`, which shows
---them at an address of their own without a route.
---
---Of the edge there are, with counters that go on over reloads:
---
--- - of each `backend` of an `upstream`: `rws_upstream_up`, `_active`, `_ejected`, `_breaker` (0 closed, 1 half-open,
---   2 open), `_connections`, `_requests_total`, `_failures_total`;
--- - of each proxied `route`, and of what it leads `to` (`backends`; `old` and `new` of a canary; `main` and `shadow` of
---   a mirror): `rws_proxy_active`, `_tunnels`, `_requests_total`, `_retries_total`, `_hedges_total`,
---   `_fallbacks_total`, `_upgrades_total`, `_failures_total`, `_refused_total` (by fault of the client) and
---   `_left_total` (clients that went away);
--- - of each `canary`: `rws_canary_share`, `_rolled_back`, and `_requests_total` by `version` and `result`;
--- - of each mirrored `route`: `rws_mirror_requests_total`, `_skipped_total` and `_differed_total`;
--- - of each address of `app:tcp` and `app:udp`: `rws_stream_open`, `_connections_total`, `_failures_total`, and
---   `_bytes_total` by `direction`.
---
---```lua
---app:metrics("/metrics", function(c, next)
---  c:assert(c.headers.authorization == "Bearer " .. (env.METRICS_TOKEN or "secret"), 401)
---  return next()
---end)
---
---app:test("not everybody may read them", function(t) t.eq(t:get("/metrics").status, 401) end)
---```
---@param path? string default `"/metrics"`
---@param ... rws.AnyMiddleware guards
---@return rws.Route route
function App:metrics(path, ...) end

---One check of `app:health`.
---@class rws.HealthCheck
---@field check fun(): any fails by an error, or by returning false
---@field timeout? rws.Duration how long it may take. Default 2s
---@field every? rws.Duration how long its result is good for, however often somebody asks. Default 1s
---@field live? boolean the process is to be restarted when this fails: it counts for `live` too

---Options of `app:health`.
---@class rws.HealthOptions
---@field live? string path that answers whether the process lives. Default /healthz
---@field ready? string path that answers whether it takes requests. Default /readyz
---@field details? boolean shows checks and errors to all who get past the guards; without it they get the status alone. Default
---  false
---@field checks? table<string, rws.HealthCheck|fun(): any> what has to work for it to take requests, by name

---Tells load balancers and supervisors how the app is: 200 with `{"status":"ok"}`, else 503. While the server stops
---it is not ready; the setting `stop_delay` leaves time to notice. The address of `metrics.listen` answers the
---same paths with details. A check that fails is in the log.
---
---```lua
---local db = app:db("sqlite::memory:")
---app:health { checks = {
---  db = function() return db:value("select 1") end,
---  disk = { every = "30s", check = function() return rws.fs.exists(".") end },
---} }
---
---app:test("it is ready", function(t)
---  t.eq(t:get("/readyz"):json(), { status = "ok" })
---end)
---```
---@param options? rws.HealthOptions
---@param ... rws.AnyMiddleware guards
function App:health(options, ...) end

---Settings of `app:config`. An environment variable, as RWS_PORT, and a command-line flag, as `--port`, win
---over the script.
---@class rws.Config
---@field port? integer|string TCP port; 0 takes a free one. Default 3000
---@field host? string address to listen on. Default: all in production, this machine only in development
---@field listen? string|(string|rws.Listener)[]|rws.Listener addresses in place of host and port: `":8080"`,
---  `"unix:/run/app.sock"`, `"systemd:web"` for a socket that systemd has opened (`FileDescriptorName=web`) and
---  `"systemd:"` for its next one
---@field http3? boolean HTTP/3 as well, on the UDP port of each TCP address with TLS. Answers over TLS say so
---  (`Alt-Svc`). Default false
---@field early_data? boolean HTTP/3 answers GET, HEAD and OPTIONS without a body, cookies, `Authorization` or a
---  certificate in the first flight of a client that comes again (0-RTT), when it shows the token it was given for
---  its address, as browsers do. Who listens can send such a request again. All else waits until the handshake is
---  complete, one round trip, as without. Default false
---@field tls? rws.ConfigTls certificate; with it the server speaks HTTPS and HTTP/2
---@field h2c? boolean HTTP/2 without TLS as well. Default false
---@field env? "development"|"production" development shows errors and reloads on save. Default development
---@field isolates? integer|"auto" Lua isolates that run in parallel, `"auto"` for one per core. Above 1 the script
---  runs once in each, and a handler that writes a local, a global or a table of the script, of which each isolate
---  has its own, is refused at load. That finds what the code shows, also through functions and tables, but no
---  table that travels through varargs, a coroutine, `setfenv`, a metatable that the handler sets, or a field that it
---  assigns twice. Default 1
---@field timeout? rws.Duration how long a handler may take. Default 30s
---@field stall? rws.Duration how long Lua may compute without waiting, in `rws -e` at least 1m, and using
---  at most 256 MB. A string has at most 64 MB, whether `..` or a function makes it. Default 1s
---@field max_body? rws.Size largest request body. Default 10mb
---@field max_header? rws.Size largest block of request headers. Default 16kb
---@field max_connections? integer connections at a time of each address in `listen`; more wait in line. Connections of HTTP/3 count apart, against the same number, and are refused beyond it; app:tcp has its own `max_conns`. Default 10000
---@field memory_limit? rws.Size|"auto"|"off" above it new requests get 503; `"auto"` is 80 % of the machine or
---  container. Default auto
---@field stop_grace? rws.Duration how long requests may finish when the server stops, or the script is replaced; of
---  the latter, those that `app:proxy` passed on have no limit. Default 30s
---@field stop_delay? rws.Duration|"off" how long the server goes on after SIGTERM while `/readyz` says 503, so that load
---  balancers leave first. Default off
---@field metrics? rws.ConfigMetrics an address for metrics and health
---@field templates? string folder of `c:render`, in the app's. Default templates
---@field fs? rws.ConfigFs what `rws.fs` may use
---@field log? "auto"|"pretty"|"json"|"off" pretty for people, json for machines, auto by terminal. Default auto
---@field log_level? "debug"|"info"|"warn"|"error" least level that is logged. Default info
---@field access_log? boolean|rws.ConfigAccessLog a line per request, or how it is written. Default true
---@field trusted_proxies? string|string[] proxies that are believed about the client: addresses, prefixes as
---  `"10.0.0.0/8"`, `"loopback"`, `"private"`, and `"unix"` for those on a unix socket. `c.ip`, the log, limits and
---  `rws.ip_filter` then go by the client, and `c.scheme` and cookies by whether it spoke TLS (`X-Forwarded-Proto`).
---  From others such headers are removed. Without it they are like any header: nothing believes them
---@field client_ip_header? string where trusted proxies write the client: `X-Forwarded-For` and `Forwarded` are read from
---  their right end, others, as `X-Real-Ip`, hold one address. Default X-Forwarded-For
---@field migrate? "auto"|boolean run what `db:migrate` declares at the start: `"auto"` does in development. Default auto
---@field watch? boolean reload when a file of the app changes, in development. Default true
---@field console? boolean let the user who runs the server in by `rws attach`; read-only in production. Default true
---@field secret? string|string[] signs and encrypts cookies: 32 random characters or more. Of a list the first is used
---  and all are tried, so that it can be changed without logging everybody out. Without one, development makes a
---  random one in `.rws/secret`, and in production what needs it fails
---@field session? rws.ConfigSession where sessions are kept, and for how long
---@field cache? rws.ConfigCache where `app.cache` keeps its values
---@field limits? rws.ConfigLimits where limits of requests count

---An address to listen on, with more to say about it.
---
---```lua
---app:config { listen = {
---  "127.0.0.1:8080",
---  { address = "127.0.0.1:8081", hosts = { "a.example", "*.a.example" }, proxy_protocol = { trusted = { "10.0.0.0/8" } } },
---} }
---```
---@class rws.Listener
---@field address string as in the list
---@field tls? boolean whether it speaks TLS. Default: if there is a certificate, unless another listener says true
---@field hosts? string[] the hosts that are answered here; a request for another gets 421. `"*.a.example"` is every name
---  below. Default: all
---@field http3? boolean HTTP/3 as well, on the UDP port of the same number. Default is the setting `http3`
---@field proxy_protocol? rws.ProxyProtocol expects the PROXY protocol, version 1 or 2, which names the client to `c.ip`

---The PROXY protocol of a listener. Its header must come within 5 s; TLS comes after it. On UDP there is none: HTTP/3
---is for those who need not send it.
---@class rws.ProxyProtocol
---@field trusted? string[] who sends it, and has to: addresses, prefixes, `"loopback"`, `"private"`, `"all"`. A unix
---  socket trusts whom the mode of its file lets in
---@field others? "refuse"|"plain" what becomes of the rest: its connections are closed, or served as they are, without
---  the protocol. Default refuse

---The line per request.
---
---```lua
---app:config { access_log = { format = "combined", file = "access.log", max_size = "10mb", max_age = "30d" } }
---```
---@class rws.ConfigAccessLog
---@field format? string `"common"` or `"combined"`, as Apache httpd writes them, `"json"`, `"pretty"`, or a text with
---  variables as nginx names them: `$remote_addr`, `$remote_user`, `$time_local`, `$time_iso8601`, `$msec`, `$request`,
---  `$request_method`, `$request_uri`, `$uri`, `$args`, `$status`, `$body_bytes_sent`, `$request_time`, `$request_id`,
---  `$route`, `$host`, `$scheme`, `$server_protocol` and `$http_NAME`; the user is `c.user`. As the setting `log`: Default auto
---@field file? string file for these lines alone, in a folder that exists; SIGHUP opens it again, for logrotate. Without one
---  the lines are in the log
---@field max_size? rws.Size size at which a new file is begun, 1mb or more; the old one gets its time into its name. Default
---  100mb
---@field max_files? integer old files that stay; 0 is all. Default 7
---@field max_age? rws.Duration|"off" age, in days, at which old files go. Default off
---@field every? rws.Duration|"off" time after which a new file is begun. Default off
---@field compress? boolean compress old files by gzip. Default true
---@field sample? number share of the lines that are written; server errors always are. Default 1
---@field redact? string|string[] names in queries and headers whose values are not written, beside `token`, `password`,
---  `cookie` and their like, and in queries `code`, `key`, `signature`, `sig`, `otp`, `pin`, `assertion` and `credit_card`

---@class rws.ConfigMetrics
---@field listen? string address for metrics and health alone, as `"127.0.0.1:9100"`; it speaks plain HTTP
---@field path? string path of the metrics there, for `listen` alone. Default /metrics

---@class rws.ConfigTls
---@field cert? string certificate file (PEM)
---@field key? string private key file (PEM)

---@class rws.ConfigFs
---@field allow? string[] folders outside the app's that `rws.fs` may use

---Sessions cost nothing until a handler uses `c.session`.
---@class rws.ConfigSession
---@field store? string `"memory"`; `"cookie"`, which keeps them encrypted in the browser; or a URL: `"sqlite:app.db"`,
---  `"postgres://…"`, `"mysql://…"`, `"redis://…"`. In memory they end with the server. What has ended is never
---  given out again, and removed from the store every 10 minutes. Default memory
---@field secret? string|string[] encrypts sessions that are kept in cookies; `secret` by itself, and in place of it
---@field ttl? rws.Duration how long a session lasts from its login, whatever happens. Default 30d
---@field idle? rws.Duration how long it lasts without a request; `ttl` at most. Default 24h
---@field user? string key that names the user: when it changes, so does the id. Default uid
---@field max_size? rws.Size largest session, as JSON. Default 64kb
---@field prefix? string in front of its keys in Redis. Default rws:sess:
---@field cookie? rws.ConfigSessionCookie the cookie that carries the id

---The cookie is HttpOnly, and for the whole site.
---@class rws.ConfigSessionCookie
---@field name? string under TLS `__Host-` is put in front where that is possible. Default rws_sid
---@field path? string Default /
---@field domain? string gives it to all hosts below, too; by default it is for this host alone
---@field same_site? "lax"|"strict"|"none" whether other sites may send it along. Default lax
---@field secure? "auto"|boolean whether it is sent over TLS only; as the request came. Default auto

---@class rws.ConfigCache
---@field url? string `"memory"` or that of Redis. Default memory
---@field size? rws.Size largest cache in memory; what is used least has to go. Default 64mb
---@field prefix? string in front of its keys in Redis. Default rws:cache:

---@class rws.ConfigLimits
---@field store? string `"memory"`, `"redis"`, which is that of the cache or the sessions, or a URL: `"redis://…"`,
---  `"sqlite:app.db"`, `"postgres://…"`, `"mysql://…"`. Instances that share one share their limits. Default memory
---@field prefix? string in front of their keys in Redis; apps that share one need their own. Default rws:limit:

---Changes settings of the app. A setting it does not know is an error.
---
---```lua
---app:config { port = 8080, timeout = "5s", max_body = "1mb" }
---```
---@param settings rws.Config
function App:config(settings) end

---The path of a route that has a name. Values that the pattern does not take become the query.
---
---```lua
---app:get("/u/:name", function(c) return c.params.name end):name("profile")
---app:get("/me", function(c) return c:redirect(app:url("profile", { name = "ann", tab = "posts" })) end)
---
---app:test("it knows where to go", function(t)
---  t.eq(t:get("/me").headers.location, "/u/ann?tab=posts")
---end)
---```
---@param name string
---@param params? table<string, string|number>
---@return string path
---@nodiscard
function App:url(name, params) end

---Declares a test for `rws test`. Each runs with the app freshly loaded, a clock that only the test moves,
---and no network but what it stubs.
---
---```lua
---app:get("/", function() return "hi" end)
---
---app:test("it says hi", function(t)
---  t.eq(t:get("/").body, "hi")
---end)
---```
---@param name string
---@param fn fun(t: rws.Test)
function App:test(name, fn) end

---Opens a pool of connections: `redis://user:password@host:6379/0`, `rediss://` with TLS,
---`redis+cluster://a:7000,b:7000`, `redis+sentinel://a:26379,b:26379/mymaster`, `unix:///run/redis.sock`. Options
---follow `?`, as in `?pool_size=20&read_timeout=1s`. It connects when it is first used. The same URL gives the
---same pool.
---
---```lua
---local redis = app:redis "redis://127.0.0.1:6379/0?pool_size=20"
---app:post("/hits", function() return { hits = redis:call("INCR", "hits") } end)
---```
---@param url string
---@return rws.Redis redis
---@nodiscard
function App:redis(url) end

---Options of `app:storage`.
---@class rws.StorageOptions
---@field test? string the URL that `rws test` uses in its place. Default: files in memory for a bucket, or tests
---  would reach what others use; a folder and memory as they are

---A store of files under keys: a folder, memory, or a bucket of S3 and what speaks its protocol. It is reached when
---it is first used; a bucket that does not exist is an error then. The same URL gives the same store.
---
--- - `dir:./uploads`: a folder, from the app's when it is relative. It is made when it is needed
--- - `memory:` or `memory:?size=16mb`: in memory, 64 MB unless it says more, to try things. It outlives a reload
--- - `s3://bucket/prefix?region=eu-north-1&endpoint=https://minio.example:9000`: without an endpoint Amazon's; the
---   region is else `AWS_REGION`, or `us-east-1`. `path_style=false` puts the bucket into the name of the host also
---   where there is an endpoint
---
---Credentials are those of the URL (`s3://KEY:SECRET@bucket`, percent-encoded), else `AWS_ACCESS_KEY_ID`,
---`AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, else the role that EKS (`AWS_ROLE_ARN` and
---`AWS_WEB_IDENTITY_TOKEN_FILE`), ECS (`AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `_FULL_URI`) or EC2 gives the program.
---
---```lua
---local files = app:storage(env.STORAGE_URL or "dir:./uploads")
---
---app:put("/files/*", { max_body = "1gb", timeout = "5m" }, function(c)
---  files:put(c.params["*"], c.body_stream)
---  return 201
---end)
---app:get("/files/*", function(c) return files:send(c, c.params["*"]) end)
---
---app:test("what was put comes back", function(t)
---  t.eq(t:put("/files/a/b.txt", { body = "hello" }).status, 201)
---  local answer = t:get("/files/a/b.txt")
---  t.eq(answer.body, "hello")
---  t.eq(answer.headers.content_type, "text/plain; charset=utf-8")
---  t.eq(t:get("/files/a/none.txt").status, 404)
---end)
---```
---@param url string
---@param options? rws.StorageOptions
---@return rws.Storage files
---@nodiscard
function App:storage(url, options) end

---A route, as `app:get` and its like return it.
---@class rws.Route
local route = {}

---Gives the route a name, for `app:url`.
---@param name string one that no other route has
---@return rws.Route route the same
function route:name(name) end

---Speaks HTTPS, with HTTP/2, on the addresses of the server. It may be called several times, for hosts with
---certificates or clients of their own, which the name that a client asks for chooses (SNI); the first is for clients
---that send none. A certificate of `app:config { tls = … }` comes before all.
---
---Certificates in files are read again when they change; what does not load leaves what is in use. Those of ACME are
---got and renewed in the background, and kept in `storage`: nothing else is to be done than to let the authority
---reach port 443, or port 80, of the domains.
---
---```lua
---app:tls { domains = { "example.com", "www.example.com" }, email = "ann@example.com", redirect = ":80" }
---app:tls { domains = "*.shop.example", dns = {
---  zone = "shop.example",
---  present = function(zone, name, value) rws.http.post("https://dns.example/" .. zone, { json = { name = name, txt = value } }) end,
---  cleanup = function(zone, name, value) rws.http.delete("https://dns.example/" .. zone .. "/" .. name) end,
---} }
---```
---
---Hosts that ask for client certificates need connections of their own: a request for one that comes over a
---connection for another is answered 421, and one without TLS is sent to the first address that has it (308). Who the
---client is stands in `c.tls.client`.
---
---```lua
---app:tls { cert = "site.pem", key = "site.key" }
---app:tls { domains = "internal.example.com", cert = "internal.pem", key = "internal.key", client_ca = "staff.pem" }
---
---app:host("internal.example.com"):get("/", function(c) return "hello " .. c.tls.client.common_name end)
---```
---
---In development the local authority makes certificates for `https://localhost`, names below it, and `domains`; `rws
---trust` tells how to have browsers trust it. Its root is made once, in the folder `.rws/ca`. It also stands in
---for Let's Encrypt, which would find nobody at the domains of an app that only this machine reaches.
---
---```lua
---app:tls { issuer = "local" }
---app:get("/", function(c) return { secure = c.tls ~= nil } end)
---app:test("a test has no TLS", function(t) t.eq(t:get("/"):json(), { secure = false }) end)
---```
---@param options rws.TlsOptions
---@return rws.App app
function App:tls(options) end
