---@meta

---Options of `rws.http_cache`.
---@class rws.HttpCacheOptions
---@field ttl? rws.Duration how long an answer is fresh that does not say so itself in `Cache-Control` or `Expires`, and has the status 200, 203, 300, 301, 308 or 410; default such answers are not kept
---@field size? rws.Size bound of all that is kept, in memory; 64kb or more. Default 64mb
---@field max_entry? rws.Size largest answer that is kept. Default 4mb, or `size` if that is less
---@field stale_while_revalidate? rws.Duration how long after that an answer is given out stale, while a new one is made in the background
---@field stale_if_error? rws.Duration how long after that an answer is given out stale in place of a status from 500 on
---@field vary? string|string[] request headers that choose between answers, in addition to those that answers name in `Vary`
---@field ignore_cookies? string|string[] names of cookies that change no answer, such as `"_ga*"`; a request that has others gets its own answers
---@field ignore_client? boolean does not obey `Cache-Control`, `Pragma`, `If-Match` and `If-Unmodified-Since` of requests, by which any client can have the handler called; a request with `X-HTTP-Method-Override`, `X-Original-URL` or their like passes and is not kept. Another query is another answer still: a limit behind the cache bounds those

---A shared HTTP cache (RFC 9111) in the memory of the server, for an app, a group, a host or a route. What it has
---is answered without Lua. It obeys `Cache-Control` and `Vary`, answers conditional requests, HEAD and ranges from
---what it has, calls the handler once however many ask for the same, and forgets the answers of a path when a
---POST, PUT, PATCH or DELETE to it succeeds, whichever route of the app answers that. `Cache-Status` tells what it did.
---
---It keeps nothing that may be for one visitor: no answer with `Set-Cookie`; none to a request with cookies or a
---user (`c.user`) unless it is `public` or has `s-maxage`, and none to one with `Authorization` unless it has one
---of these or `must-revalidate`. When the script is loaded again, the cache begins empty.
---
---Guards belong before it, for who gets past it may get any answer it has. The script does not load when
---`rws.auth.*`, `rws.ip_filter`, `rws.csrf`, `rws.maintenance` or a webhook's guard stands behind a cache. What a Lua
---function behind a cache decides cannot be known: it is not asked for what the cache has, so one that lets only
---some visitors in belongs before the cache as well, or has to set `c.user`, or answer with
---`Cache-Control: private` or the right `Vary`. A limit behind it (`rws.rate_limit`, `rws.concurrency`) counts only
---what the cache does not answer.
---
---```lua
---local pages = rws.http_cache { ttl = "1m", stale_while_revalidate = "10m" }
---local calls = 0
---
---app:get("/news", pages, function(c)
---  calls = calls + 1
---  c.res.headers["Cache-Tag"] = "news"
---  return "number " .. calls
---end)
---app:post("/publish", function()
---  pages:purge_tag("news")
---  return 204
---end)
---
---app:test("the news are made once a minute", function(t)
---  t.eq(t:get("/news").body, "number 1")
---  t.eq(t:get("/news").body, "number 1")
---  t:post("/publish")
---  t.eq(t:get("/news").body, "number 2")
---end)
---```
---@param options? rws.HttpCacheOptions
---@return rws.HttpCache cache middleware
function rws.http_cache(options) end

---A cache that `rws.http_cache` made: middleware, and what to remove from it.
---@class rws.HttpCache: rws.Middleware
local pages = {}

---Removes the answers for paths, whatever their host; with a query, as `"/search?q=a"`, those for that query
---alone. Answers that are being made at that moment are not kept.
---
---```lua
---local pages = rws.http_cache { ttl = "1h" }
---app:get("/notes/:id", pages, function(c) return "note " .. c.params.id end)
---app:on("start", function() pages:purge("/notes/1", "/notes/2") end)
---```
---@param ... string paths
---@return integer removed how many answers there were
function pages:purge(...) end

---Removes the answers for all paths that begin like that.
---@param ... string beginnings of paths, as `"/blog/"`
---@return integer removed how many answers there were
function pages:purge_prefix(...) end

---Removes the answers that have one of the tags. An answer names its tags in the header `Cache-Tag`, with commas
---between them, or `Surrogate-Key`, with spaces; these headers are not sent to clients.
---@param ... string tags
---@return integer removed how many answers there were
function pages:purge_tag(...) end

---Removes everything.
---@return integer removed how many answers there were
function pages:clear() end

---What `pages:stats` returns: counts since the script was loaded.
---@class rws.HttpCacheStats
---@field hits integer answers without the handler, fresh
---@field stale integer the same, stale
---@field rescued integer stale answers in place of a failure
---@field misses integer calls of the handler
---@field validated integer calls that found that what is there still holds (304)
---@field collapsed integer requests that waited for another one
---@field bypasses integer requests that the cache had nothing to do with
---@field stored integer answers that were kept
---@field purged integer answers that were removed
---@field entries integer answers that are there now
---@field bytes integer what they take up
---@field evictions integer answers that had to go to make room

---How the cache fares.
---@return rws.HttpCacheStats stats
---@nodiscard
function pages:stats() end
