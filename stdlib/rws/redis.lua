---@meta

---A pool of connections to Redis, or what speaks its protocol. All isolates share it; it is closed when the
---server stops. What fails raises: the code is that of the server (`"WRONGTYPE"`, `"OOM"`, `"ERR"`), or
---`"unavailable"`, `"timeout"` and `"pool"` when it does not answer, does so too late, or all connections are
---in use. A connection that broke is made again by the next call.
---
---```lua
---local redis = app:redis(env.REDIS_URL or "redis://127.0.0.1:6379/0")
---
---app:post("/hits", function() return { hits = redis:call("INCR", "hits") } end)
---```
---@class rws.Redis
local redis = {}

---Sends a command. What is not there is nil, within lists and maps `rws.null`; whole numbers beyond 2^53 are
---texts. Maps, as that of HGETALL, are tables by name.
---
---```lua
---local redis = app:redis "redis://127.0.0.1:6379/0"
---app:get("/name", function()
---  redis:call("SET", "name", "ann", "EX", 60)
---  return redis:call("GET", "name")
---end)
---```
---@async
---@param command string
---@param ... string|number|boolean
---@return any reply
function redis:call(command, ...) end

---Sends commands together, in one round trip: a list of lists, or what a function hands to `batch:call`. The replies come in
---order. A command that fails does not stop the others; its error is raised after them.
---
---```lua
---local redis = app:redis "redis://127.0.0.1:6379/0"
---app:get("/both", function()
---  return redis:pipeline(function(batch)
---    batch:call("INCR", "hits")
---    batch:call("TTL", "hits")
---  end)
---end)
---app:get("/same", function() return redis:pipeline { { "INCR", "hits" }, { "TTL", "hits" } } end)
---```
---@async
---@param commands (string|number|boolean)[][]|fun(batch: rws.RedisBatch)
---@return any[] replies
function redis:pipeline(commands) end

---Sends commands as one transaction (MULTI and EXEC): no command of others comes between them. Nothing is undone
---when one of them fails.
---@async
---@param commands (string|number|boolean)[][]|fun(batch: rws.RedisBatch)
---@return any[] replies
---@see redis:pipeline
function redis:multi(commands) end

---A Lua program that runs in Redis, sent once and then called by its hash.
---
---```lua
---local redis = app:redis "redis://127.0.0.1:6379/0"
---local add = redis:script "return redis.call('INCRBY', KEYS[1], ARGV[1])"
---app:post("/add", function() return { sum = add:call("total", 5) } end)
---```
---@param source string
---@return rws.RedisScript script
---@nodiscard
function redis:script(source) end

---Sends a message to a channel.
---@async
---@param channel string
---@param message string
---@return integer receivers
function redis:publish(channel, message) end

---A message of a channel.
---@class rws.RedisMessage
---@field channel string
---@field payload string
---@field pattern? string that matched

---Goes over the messages of channels, and of patterns as `"news.*"`, until the request ends, or the app is replaced or
---stopped. Messages that come while the connection is made again are lost, as always in Redis.
---
---```lua
---local redis = app:redis "redis://127.0.0.1:6379/0"
---app:get("/news", function(c)
---  return c:stream(function(out)
---    for message in redis:subscribe("news") do out:write(message.payload, "\n") end
---  end)
---end)
---```
---@async
---@param ... string channels and patterns
---@return fun(): rws.RedisMessage?
function redis:subscribe(...) end

---What `redis:stats` returns.
---@class rws.RedisStats
---@field open integer connections
---@field idle integer of them
---@field hits integer uses of a connection that was open
---@field misses integer uses of a new one
---@field timeouts integer waits for a connection in vain

---The state of the pool.
---@return rws.RedisStats stats
---@nodiscard
function redis:stats() end

---Collects the commands of `redis:pipeline` and `redis:multi`.
---@class rws.RedisBatch
local batch = {}

---Adds a command; the reply comes with those of the others.
---@param command string
---@param ... string|number|boolean
function batch:call(command, ...) end

---A Lua program in Redis.
---@class rws.RedisScript
local script = {}

---Runs the program.
---@async
---@param keys string|string[] KEYS in the program
---@param ... string|number|boolean ARGV in the program
---@return any reply
function script:call(keys, ...) end
