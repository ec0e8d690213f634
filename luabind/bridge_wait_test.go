package luabind_test

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/luabind"
	"rws/server"
)

// bridged has functions of the script around middleware of the engine around functions of the script.
const bridged = `
	app:config { stall = "1s", secret = "0123456789abcdef0123456789abcdef" }
	app:use(function(c, next) local res = next() res.headers["X-Outer"] = "1" return res end)
	local function around(c, next) return next() end
	local T, long = rws.timeout "30ms", rws.timeout "20s"
	app:get("/ok", function() return "ok" end)
	app:get("/late", T, function() rws.sleep("5s") return "late" end)
	app:get("/late/around", around, T, around, function() rws.sleep("5s") return "late" end)
	app:get("/late/caught", T, function() rws.try(rws.sleep, "5s") return "late" end)
	app:get("/late/raises", { timeout = "30ms" }, function() rws.try(rws.sleep, "5s") error("boom") end)
	app:get("/late/fails", { timeout = "30ms" }, function(c) pcall(rws.sleep, "5s") c:fail(418) end)
	app:get("/late/busy", T, function() while true do end end)
	app:get("/late/cached", rws.http_cache { ttl = "1s" }, T, function() rws.sleep("5s") return "late" end)
	app:get("/late/compressed", rws.compress(), T, around, rws.compress(), function() rws.sleep("5s") return "late" end)
	app:get("/late/narrow", rws.concurrency { max = 100, queue = 100, wait = "5s" }, T, around, function() rws.sleep("5s") return "late" end)
	app:get("/late/stream", T, around, rws.compress(), function(c) return c:stream(function(out) rws.sleep("5s") out:write("late") end) end)
	app:get("/edge", T, function() rws.sleep("30ms") return "edge" end)
	app:get("/edge/caught", T, around, rws.request_id(), function() rws.try(rws.sleep, "30ms") return "edge" end)
	app:get("/stream", T, rws.compress(), function(c) return c:stream(function(out) out:write("a") rws.sleep("60ms") out:write("b") end) end)
	app:get("/fail", long, rws.compress(), function(c) c:fail(403, "no") end)
	app:get("/error", long, rws.compress(), around, rws.request_id(), function() error("broken") end)
	app:get("/instead", function(c, next) next() return "instead" end, T, function() rws.sleep("5s") end)
	app:get("/instead/stream", function(c, next) next() return "instead" end, rws.compress(), function(c)
		return c:stream(function(out) for n = 1, 100 do out:write("x") rws.sleep("10ms") end end) end)
	app:get("/caught", function(c, next) local ok = rws.try(next) error("outside") end, T, function() rws.sleep("5s") end)
	app:get("/token", rws.csrf(), long, around, function(c) return "token" end)
	app:on_error(504, function(c) return c:text("too late", 504) end)
`

// bridgedAnswers are what they answer: one of the statuses, and a part of the body.
var bridgedAnswers = map[string]struct {
	statuses []int
	body     string
}{
	"/ok": {[]int{200}, "ok"}, "/late": {[]int{504}, ""}, "/late/around": {[]int{504}, ""}, "/late/caught": {[]int{504}, ""},
	"/late/raises": {[]int{504}, ""}, "/late/fails": {[]int{504}, ""},
	"/late/cached": {[]int{504}, ""}, "/late/compressed": {[]int{504}, ""}, "/late/narrow": {[]int{504}, ""}, "/late/stream": {[]int{504}, ""},
	"/edge": {[]int{200, 504}, ""}, "/edge/caught": {[]int{200, 504}, ""}, "/stream": {[]int{200, 504}, ""}, "/fail": {[]int{403}, "no"},
	"/error": {[]int{500}, ""}, "/instead": {[]int{200}, "instead"}, "/instead/stream": {[]int{200}, "instead"},
	"/caught": {[]int{500}, ""}, "/token": {[]int{200}, "token"},
}

// TestFunctionsAroundMiddlewareOfTheEngine has every order of who waits for whom come up.
func TestFunctionsAroundMiddlewareOfTheEngine(t *testing.T) {
	for _, isolates := range []string{"1", "3"} {
		t.Run(isolates, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			address, stop := serveQuietly(t, bridged, isolates)
			client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			var work sync.WaitGroup
			for range 12 {
				work.Go(func() {
					for range 4 {
						askBridged(t, client, address)
					}
				})
			}
			work.Wait()
			client.CloseIdleConnections()
			start := time.Now()
			stop()
			assert.Less(t, time.Since(start), 10*time.Second, "a request stayed behind")
		})
	}
}

// askBridged asks for all of bridged in any order.
func askBridged(t *testing.T, client *http.Client, address string) {
	paths := make([]string, 0, len(bridgedAnswers))
	for path := range bridgedAnswers {
		paths = append(paths, path)
	}
	rand.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
	for _, path := range paths {
		res, err := client.Get("http://" + address + path)
		if !assert.NoError(t, err, path) {
			return
		}
		body, err := io.ReadAll(res.Body)
		assert.NoError(t, err, path)
		assert.NoError(t, res.Body.Close())
		want := bridgedAnswers[path]
		assert.Contains(t, want.statuses, res.StatusCode, path+": "+string(body))
		assert.Contains(t, string(body), want.body, path)
		if path == "/stream" && res.StatusCode == 200 {
			assert.Equal(t, "ab", string(body), "what has begun goes on")
		}
		if res.StatusCode < 500 && path != "/fail" {
			assert.Equal(t, "1", res.Header.Get("X-Outer"), path)
		}
	}
}

// serveQuietly serves a script; stop ends all of it.
func serveQuietly(t *testing.T, source, isolates string) (address string, stop func()) {
	t.Helper()
	p, err := luabind.Load(luabind.Options{File: "app.lua", Dir: t.TempDir(), Source: source, Flags: map[string]string{"isolates": isolates, "env": "production"}})
	require.NoError(t, err)
	s := server.New(server.Options{Logger: slog.New(slog.DiscardHandler)})
	app := *p.App
	app.Settings.Listen, app.Settings.Listeners = []string{"127.0.0.1:0"}, nil
	require.NoError(t, s.Start(t.Context(), &app))
	return s.Addrs()[0].String(), func() {
		assert.NoError(t, s.Shutdown(context.Background()))
		assert.NoError(t, p.Close(context.Background()))
	}
}

// A request that has been answered for its time leaves nothing behind.
func TestATimeoutBehindAFunctionLetsTheServerStop(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	address, stop := serveQuietly(t, `
		app:use(function(c, next) return next() end)
		app:get("/x", rws.timeout "20ms", function() rws.sleep("5s") return "late" end)
	`, "1")
	for range 20 {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		_, err = io.WriteString(conn, "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		require.NoError(t, err)
		text, err := io.ReadAll(conn)
		require.NoError(t, err)
		assert.Contains(t, string(text), "HTTP/1.1 504")
		require.NoError(t, conn.Close())
	}
	start := time.Now()
	stop()
	assert.Less(t, time.Since(start), 3*time.Second)
}

// Each function has the answer of what it is around, whoever else is still at work.
func TestAnAnswerForTheTimeIsNotMixedWithTheLateOne(t *testing.T) {
	h := handler(t, `
		app:get("/", function(c, next)
			local res = next()
			res.headers["X-Seen"] = tostring(res.status)
			rws.sleep("60ms")
			return res
		end, rws.timeout "20ms", function(c)
			rws.try(rws.sleep, "5s")
			c.res.headers["X-Late"] = "1"
			c.res.status = 201
			return "late"
		end)`)
	for range 5 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		assert.Equal(t, 504, w.Code)
		assert.Equal(t, "504", w.Header().Get("X-Seen"))
		assert.Empty(t, w.Header().Get("X-Late"))
		assert.NotContains(t, w.Body.String(), "late\n")
	}
}

// What a function has stored in c is there for those behind middleware of the engine, and back.
func TestFunctionsBehindMiddlewareOfTheEngineShareTheRequest(t *testing.T) {
	h := handler(t, `
		app:post("/", function(c, next)
			c.a = "a" c.user = { id = 7 } c.session.n = 1
			local keep, body = c, c.body
			local res = next()
			res.headers["X-B"] = c.b
			res.headers["X-Session"] = tostring(c.session.n)
			return res
		end, rws.request_id(), function(c) c.b = "b" c.session.n = c.session.n + 1 return c.a .. c.user.id .. c.body end)`)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader("body")))
	assert.Equal(t, 200, w.Code, w.Body.String())
	assert.Equal(t, "a7body", w.Body.String())
	assert.Equal(t, "b", w.Header().Get("X-B"))
	assert.Equal(t, "2", w.Header().Get("X-Session"))
}
