---@meta

---How many failures of the new version end its trial.
---@class rws.Rollback
---@field errors number|string share of its answers that are 500 and above, or broken off: more end the trial, as `"2%"`
---@field window? rws.Duration in which they are counted; default 1m
---@field least? integer answers in the window before they are judged; default 20

---Keeps a client at the version that it got first.
---@class rws.CanarySticky
---@field by "cookie"|"ip" a cookie that it keeps, or its address
---@field max_age? rws.Duration of the cookie; default 24h

---Options of `app:canary`. Those of `rws.ProxyOptions` hold for both versions; one that is declared by `app:upstream`
---has its backends' options there. An option about one kind of backend, as `tls` or `fastcgi`, is that of the side which
---has such backends.
---@class rws.CanaryOptions: rws.ProxyOptions
---@field share? number|string of the clients that get the new version, as `"5%"`; default none but by header and cookie
---@field header? string request header by which a client chooses: `new`, `always`, `true`, `1` or `canary`; `old`, `never`, `false` or `0`. It also works after a rollback
---@field cookie? string cookie by which a client chooses, with the same words
---@field sticky? "cookie"|"ip"|rws.CanarySticky keeps a client where it was; a greater share only adds to those that have the new version. Default: each request draws its lot
---@field rollback? rws.Rollback ends the trial by itself; default never
---@field name? string in logs, metrics and the cookie, of letters, digits and `-`; default made of the pattern

---Gives a share of the clients a new version: requests go to `old` or to `new`, as `app:proxy` passes them on. When
---the new one has too many failures, all get the old one, until `canary:resume`.
---
---What `set_share` and `rollback` have changed outlives a reload, unless the script then says otherwise of the
---canary; a restart begins anew.
---
---```lua
---local shop = app:upstream("shop", { to = { "http://127.0.0.1:9001", "http://127.0.0.1:9002" } })
---
---local trial = app:canary("/shop/*", shop, "http://127.0.0.1:9003", {
---  share = "5%", sticky = "cookie", header = "X-Canary", rollback = { errors = "2%", window = "1m" },
---})
---
---app:get("/trial", function() return trial:state() end)
---app:post("/trial/share", { body = { share = "number 0..1" } }, function(c)
---  trial:set_share(c.input.share)
---  return 204
---end)
---
---app:test("the share can be raised", function(t)
---  t:post("/trial/share", { json = { share = 0.25 } })
---  t.eq(t:get("/trial"):json().share, 0.25)
---end)
---```
---@param pattern string as of `app:proxy`
---@param ... any middleware, then the old version and the new one, each an upstream, a URL or a list of URLs; at last options
---@return rws.Canary canary
function app:canary(pattern, ...) end

---A trial of a new version, and its route.
---@class rws.Canary
local canary = {}

---Gives its route a name, for `app:url`.
---@param name string one that no other route has
---@return rws.Canary canary the same
function canary:name(name) end

---Changes the share of clients that get the new version. A rollback stays one.
---@param share number|string as `"10%"`
function canary:set_share(share) end

---Ends the trial: all clients get the old version.
---@param reason? string for the log and `state`
function canary:rollback(reason) end

---Begins the trial anew after a rollback.
function canary:resume() end

---Tells how the trial stands.
---@return rws.CanaryState state
function canary:state() end

---How a trial stands.
---@class rws.CanaryState
---@field share number
---@field rolled_back boolean
---@field reason? string of the rollback
---@field since? rws.Time of the rollback
---@field old rws.CanaryCount
---@field new rws.CanaryCount

---Answers of a version since the script was loaded.
---@class rws.CanaryCount
---@field requests integer
---@field errors integer 500 and above, or broken off

---What the shadow of a mirror may cost.
---@class rws.MirrorShadow
---@field max_body? rws.Size of a request; those with more are not mirrored. Default 64kb
---@field concurrency? integer requests that it has at once; those beyond are not mirrored. Default 64
---@field timeout? rws.Duration for its answer; default 30s

---Options of `app:mirror`. Those of `rws.ProxyOptions` hold for both sides, but for `fallback`.
---@class rws.MirrorOptions: rws.ProxyOptions
---@field share? number|string of the requests that the shadow gets too; default all
---@field diff? boolean logs where the shadow answers otherwise: status, length or content
---@field shadow? rws.MirrorShadow

---Has a second backend do what the first does, and nobody notices: its answers are dropped, and it gets a request when
---the client has its answer. WebSockets and other upgrades are not mirrored. Requests that are left out, as their body is
---too large or the shadow is busy, are counted in `rws_mirror_skipped_total`, and the log tells of each at the level debug.
---
---```lua
---app:mirror("/search", "http://127.0.0.1:9001", "http://127.0.0.1:9002", { share = "10%", diff = true })
---```
---@param pattern string as of `app:proxy`
---@param ... any middleware, then what answers and its shadow, each an upstream, a URL or a list of URLs; at last options
---@return rws.Route route
function app:mirror(pattern, ...) end
