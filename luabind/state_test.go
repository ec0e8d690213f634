package luabind_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/luabind"
	"rws/spec_test/peers"
)

const cacheApp = `
	app:get("/values", function()
	  local values = { "text\0", 7, 1.5, true, false, { a = { 1, 2 } }, rws.array {}, rws.null }
	  for i, v in ipairs(values) do app.cache:set("v" .. i, v, "1m") end
	  local out = rws.array {}
	  for i = 1, #values do out[i] = app.cache:get("v" .. i) end
	  return out
	end)
	app:get("/copy", function()
	  local t = { n = 1 }
	  app.cache:set("copy", t)
	  t.n = 2
	  app.cache:get("copy").n = 3
	  return app.cache:get("copy")
	end)
	app:get("/set-function", function() app.cache:set("f", print) end)
	app:get("/fetch-function", function() return app.cache:fetch("f", "1m", function() return { f = print } end) end)
	app:get("/bare", function() app.cache:set("a", 1, 60) end)
	app:get("/unknown", function() app.cache:set("a", 1, { tll = "1m" }) end)
	app:get("/del", function()
	  app.cache:set("a", 1) app.cache:set("b", 2)
	  return { app.cache:del("a", "b", "c"), app.cache:get("a") == nil }
	end)
	app:get("/incr", function() return { app.cache:incr("n"), app.cache:incr("n", 5, "1m"), app.cache:get("n") } end)
	app:get("/tags", function()
	  app.cache:set("one", 1, { tags = "t" })
	  local first = app.cache:fetch("two", { ttl = "1m", tags = { "t", "u" } }, function() return "x" end)
	  app.cache:invalidate("t")
	  return { first, app.cache:get("one") == nil, app.cache:get("two") == nil }
	end)
	local calls = 0
	app:get("/missing", function()
	  local function get() return app.cache:fetch("gone", { ttl = "1m", missing = "1m" }, function() calls = calls + 1 return nil end) end
	  return { get() == nil, get() == nil, calls }
	end)
	app:get("/raise", function()
	  local ok, err = rws.try(function()
	    return app.cache:fetch("bad", "1m", function() error({ code = "own", message = "no luck" }) end)
	  end)
	  return { ok, err.code, err.message }
	end)
	app:get("/again", function() return app.cache:fetch("bad", "1m", function() return "good" end) end)
	app:get("/itself", function()
	  return app.cache:fetch("me", "1m", function() return app.cache:fetch("me", "1m", function() return 1 end) end)
	end)
	app:get("/clear", function() app.cache:clear() return { app.cache:get("v1") == nil, app.cache:stats().hits > 0 } end)
`

// TestCache holds for the cache in memory and for that in Redis.
func TestCache(t *testing.T) {
	for name, url := range map[string]func(t *testing.T) string{
		"memory": func(*testing.T) string { return "memory" },
		"redis":  func(t *testing.T) string { return peers.Redis(t) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newApp(t, cacheApp, nil, "cache-url="+url(t))
			b := newBrowser(t, p)
			for _, c := range []struct{ request, want string }{
				{"GET /values", `["text\u0000",7,1.5,true,false,{"a":[1,2]},[],null]`},
				{"GET /copy", `{"n":1}`},
				{"GET /del", `[2,true]`},
				{"GET /incr", `[1,6,6]`},
				{"GET /tags", `["x",true,true]`},
				{"GET /missing", `[true,true,1]`},
				{"GET /raise", `[false,"own","no luck"]`},
				{"GET /again", `good`},
				{"GET /clear", `[true,true]`},
			} {
				assert.Equal(t, c.want, b.body(c.request), c.request)
			}
			for request, want := range map[string]string{
				"GET /set-function": "argument 2", "GET /fetch-function": "what the function returned", "GET /bare": "no unit",
				"GET /unknown": "did you mean", "GET /itself": "waits for itself",
			} {
				assert.Contains(t, b.body(request), want, request)
			}
		})
	}
}

// TestFetchRunsOnce has many requests in several isolates ask at once.
func TestFetchRunsOnce(t *testing.T) {
	p := newApp(t, `
		app:get("/", function(c)
		  return app.cache:fetch("key", "1m", function()
		    app.shared:incr("calls")
		    rws.sleep("50ms")
		    return { by = "one" }
		  end)
		end)
		app:get("/raise", function()
		  local ok, err = rws.try(function()
		    return app.cache:fetch("bad", "1m", function()
		      app.shared:incr("failures")
		      rws.sleep("50ms")
		      error({ code = "own", message = "no luck" })
		    end)
		  end)
		  return err.code .. " " .. err.message
		end)
		app:get("/calls", function() return { app.shared:get("calls"), app.shared:get("failures") } end)
	`, nil, "isolates=4")
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			path, want := "/", `{"by":"one"}`
			if i%2 == 1 {
				path, want = "/raise", "own no luck"
			}
			assert.Equal(t, want, string(do(t, p, "GET "+path).Body))
		})
	}
	all.Wait()
	var calls, failures int
	_, err := fmt.Sscanf(string(do(t, p, "GET /calls").Body), "[%d,%d]", &calls, &failures)
	require.NoError(t, err)
	assert.Equal(t, 1, calls)
	assert.LessOrEqual(t, failures, 5, "a failure is not kept, and is shared by those who wait")
}

// TestStaleFetch refreshes in the background, when the request is over.
func TestStaleFetch(t *testing.T) {
	require.NoError(t, luabind.RunTests(t.Context(), luabind.Options{File: "app.lua", Dir: t.TempDir(), Source: `
		local n = 0
		app:get("/", function(c)
		  return app.cache:fetch("k", { ttl = "1m", stale = "1h" }, function() n = n + 1 return tostring(n) end)
		end)
		app:test("old values are given out while new ones are made", function(t)
		  t.eq(t:get("/").body, "1")
		  t:travel("2m")
		  t.eq(t:get("/").body, "1")
		  local deadline = 0
		  while t:get("/").body ~= "2" do
		    deadline = deadline + 1
		    t.ok(deadline < 10000, "it is never refreshed")
		  end
		  t:travel("2h")
		  while t:get("/").body == "2" do -- who made it may not have ended yet, and still be asked
		    deadline = deadline + 1
		    t.ok(deadline < 10000, "it is given out for ever")
		  end
		end)
	`}, "", func(r luabind.TestResult) { assert.NoError(t, r.Err) }))
}

// TestRedis talks to a real one.
func TestRedis(t *testing.T) {
	p := newApp(t, `
		local redis = app:redis(env.URL)
		app:get("/call", function()
		  redis:call("SET", "a", "text\0") redis:call("RPUSH", "list", 1, 2.5, true) redis:call("HSET", "h", "x", 1, "y", "two")
		  return {
		    redis:call("GET", "none") == nil, redis:call("GET", "a"), redis:call("INCR", "n"), redis:call("LRANGE", "list", 0, -1),
		    redis:call("HGETALL", "h"), redis:call("MGET", "a", "none", "n"), redis:call("EXISTS", "a"),
		    redis:call("SET", "big", "9007199254740993") == "OK" and redis:call("INCR", "big"),
		  }
		end)
		app:get("/error", function()
		  local ok, err = rws.try(function() redis:call("LPUSH", "a", 1) end)
		  return err.code .. ": " .. err.message
		end)
		app:get("/table", function() redis:call("SET", "t", {}) end)
		app:get("/empty", function() redis:call() end)
		app:get("/pipeline", function()
		  return { redis:pipeline(function(b) b:call("SET", "p", 1) b:call("INCR", "p") end), redis:pipeline { { "GET", "p" }, { "GET", "none" } }, redis:pipeline {} }
		end)
		app:get("/multi", function() return redis:multi { { "INCR", "m" }, { "INCR", "m" } } end)
		app:get("/broken", function()
		  local ok, err = rws.try(function() redis:pipeline { { "SET", "s", "x" }, { "INCR", "s" }, { "SET", "after", 1 } } end)
		  return err.code .. " " .. tostring(err.message:find("command 2 of 3", 1, true) ~= nil) .. " " .. redis:call("GET", "after")
		end)
		app:get("/script", function()
		  local add = redis:script "return { redis.call('INCRBY', KEYS[1], ARGV[1]), ARGV[2], false }"
		  return { add:call("sum", 5, "x"), add:call({ "sum" }, 5, "y") }
		end)
		app:get("/listen", function(c)
		  local list = rws.array {}
		  local ready = false
		  local messages = redis:subscribe("news:a:" .. env.NAME, "news:b*:" .. env.NAME)
		  redis:publish("news:a:" .. env.NAME, "one")
		  redis:publish("news:bee:" .. env.NAME, "two")
		  for m in messages do
		    list[#list + 1] = m
		    if #list == 2 then break end
		  end
		  return list
		end)
		app:get("/forever", { timeout = "100ms" }, function() for m in redis:subscribe("never") do end return "no" end)
		app:get("/same", function() return tostring(app:redis(env.URL)) .. " " .. app:redis(env.URL):stats().open end)
		app:get("/scheme", function() app:redis("http://127.0.0.1") end)
	`, map[string]string{".env": "URL=" + peers.Redis(t) + "\nNAME=" + strings.ReplaceAll(t.Name(), "/", "-")})
	b := newBrowser(t, p)
	for _, c := range []struct{ request, want string }{
		{"GET /call", `[true,"text\u0000",1,["1","2.5","1"],{"x":"1","y":"two"},["text\u0000",null,"1"],1,"9007199254740994"]`},
		{"GET /pipeline", `[["OK",2],["2",null],[]]`},
		{"GET /multi", `[1,2]`},
		{"GET /broken", `ERR true 1`},
		{"GET /script", `[[5,"x",null],[10,"y",null]]`},
		{"GET /listen", `[{"channel":"news:a:TestRedis","payload":"one"},{"channel":"news:bee:TestRedis","payload":"two","pattern":"news:b*:TestRedis"}]`},
	} {
		assert.Equal(t, c.want, b.body(c.request), c.request)
	}
	assert.Contains(t, b.body("GET /error"), "WRONGTYPE: redis:call: ")
	assert.Contains(t, b.body("GET /table"), "argument 3")
	assert.Contains(t, b.body("GET /empty"), "name of a command")
	assert.Contains(t, b.body("GET /scheme"), "scheme")
	assert.Equal(t, 504, b.do("GET /forever").Status)
	assert.Regexp(t, `^redis://127\.0\.0\.1:\d+/\d+ [1-9]\d*$`, b.body("GET /same"))
}

// TestRedisTopologies have the same promises by other URLs.
func TestRedisTopologies(t *testing.T) {
	if testing.Short() {
		t.Skip("a cluster takes seconds to form")
	}
	for name, url := range map[string]func(t *testing.T) string{
		"cluster":  func(t *testing.T) string { return peers.RedisCluster(t) },
		"sentinel": func(t *testing.T) string { return peers.RedisSentinel(t, peers.RedisServer(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			address := url(t)
			p := newApp(t, sessionApp+`
				app:get("/redis", function()
				  local redis = app:redis(env.URL)
				  redis:call("SET", "a", 1)
				  return {
				    redis:call("GET", "a"), redis:pipeline { { "SET", "x", 1 }, { "GET", "x" }, { "GET", "y" } },
				    app.cache:fetch("k", "1m", function() return "v" end), app.cache:fetch("k", "1m", function() return "w" end),
				  }
				end)`, map[string]string{".env": "URL=" + address}, "session-store="+address, "cache-url="+address)
			b := newBrowser(t, p)
			assert.Equal(t, `["1",["OK","1",null],"v","v"]`, b.body("GET /redis"))
			assert.Equal(t, "in", b.body("GET /login/ann"))
			assert.Equal(t, `{"uid":"ann"}`, b.body("GET /read"))
			assert.Equal(t, `{"n":1,"all":1}`, b.body("GET /list"))
		})
	}
}

// TestPasswords are slow on purpose, so there are few.
func TestPasswords(t *testing.T) {
	p := newApp(t, `
		local bcrypt = "$2a$04$abcdefghijklmnopqrstuuPlaceholderPlaceholderPlaceholder"
		local hash = rws.password.hash("correct horse")
		app:get("/", function()
		  local ok, err = rws.try(rws.password.verify, "x", "no hash")
		  local empty = select(2, rws.try(rws.password.hash, ""))
		  rws.password.dummy()
		  return {
		    hash:sub(1, 31), rws.password.verify("correct horse", hash), rws.password.verify("battery", hash), rws.password.verify("x", nil),
		    rws.password.needs_rehash(hash), rws.password.needs_rehash(bcrypt), err.code, empty.code,
		  }
		end)
	`, nil)
	assert.Equal(t, `["$argon2id$v=19$m=65536,t=3,p=4$",true,false,false,false,true,"hash","password"]`, string(do(t, p, "GET /").Body))
}

// TestCloseLeavesNothing closes programs that have used all stores.
func TestCloseLeavesNothing(t *testing.T) {
	url := peers.Redis(t)
	before := goleak.IgnoreCurrent()
	for _, store := range []string{"sqlite:sessions.db", url} {
		p, err := load(t, sessionApp+`
			app:get("/use", function(c)
			  return app.cache:fetch("k", { ttl = "1ms", stale = "1h" }, function() return "kept" end)
			end)
			app:get("/short", { timeout = "50ms" }, function() for m in app:redis(env.URL):subscribe("closing") do end end)`,
			map[string]string{".env": "URL=" + url}, "session-store="+store, "cache-url="+url)
		require.NoError(t, err)
		assert.Equal(t, 504, do(t, p, "GET /short").Status)
		assert.Equal(t, "in", string(do(t, p, "GET /login/ann").Body))
		for range 3 {
			assert.Equal(t, "kept", string(do(t, p, "GET /use").Body))
		}
		require.NoError(t, p.Close(t.Context()))
	}
	goleak.VerifyNone(t, before)
}
