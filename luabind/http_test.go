package luabind_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"rws/luabind"
	"rws/luabind/fault"
	"rws/spec_test/peers"
)

// echo answers with what it was asked, as JSON.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Add("Set-Cookie", "a=1")
	w.Header().Add("Set-Cookie", "b=2")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"method": r.Method, "path": r.URL.Path, "query": r.URL.RawQuery, "body": string(body),
		"type": r.Header.Get("Content-Type"), "x": r.Header.Get("X-Test-Name"), "agent": r.Header.Get("User-Agent"),
	})
}

// peer starts a server and makes it env.PEER.
func peer(t *testing.T, h http.Handler) func(*luabind.Options) {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return func(o *luabind.Options) { o.Environ = append(o.Environ, "PEER="+s.URL) }
}

func peerMux() *http.ServeMux {
	mux := http.NewServeMux()
	var tries atomic.Int32
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		var code int
		_, _ = fmt.Sscan(r.PathValue("code"), &code)
		http.Error(w, "this is\n  why", code)
	})
	mux.HandleFunc("/flaky", func(w http.ResponseWriter, r *http.Request) {
		if n := tries.Add(1); n%3 != 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "at last")
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/echo?moved=1", http.StatusFound) })
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(make([]byte, 100<<10)) })
	mux.HandleFunc("/never", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/parts", func(w http.ResponseWriter, r *http.Request) {
		for _, part := range []string{"one ", "two ", "three"} {
			_, _ = io.WriteString(w, part)
			_ = http.NewResponseController(w).Flush()
		}
	})
	return mux
}

func TestHTTP(t *testing.T) {
	scripts(t, map[string]string{
		"each verb": `
			for _, verb in ipairs { "get", "post", "put", "patch", "delete" } do
				eq(rws.http[verb](env.PEER .. "/echo"):json().method, verb:upper())
			end
			eq(rws.http.head(env.PEER .. "/echo").status, 200)
			eq(rws.http.request("propfind", env.PEER .. "/echo"):json().method, "PROPFIND")
			raises("argument", '"A B" is no method', rws.http.request, "a b", env.PEER)`,
		"the response": `
			local res = rws.http.get(env.PEER .. "/echo?a=1")
			eq(res.status, 200) eq(res.url, env.PEER .. "/echo?a=1")
			eq(res.headers["Content-Type"], "application/json") eq(res.headers.content_type, "application/json")
			eq(res.headers.nothing, nil)
			list(res:header_values("set-cookie"), { "a=1", "b=2" })
			eq(res:ok(), res)
			eq(res:json().agent, "rws")
			eq(res.body:sub(1, 1), "{")
			eq(tostring(res), "200 " .. env.PEER .. "/echo?a=1")
			raises("field", 'did you mean "status"?', function() return res.statu end)`,
		"query, headers and bodies": `
			local function ask(o) return rws.http.post(env.PEER .. "/echo?z=0", o):json() end
			eq(ask({ query = { a = "x y", b = { 1, 2 } } }).query, "z=0&a=x+y&b=1&b=2")
			eq(ask({ headers = { x_test_name = "v" } }).x, "v")
			eq(ask({ headers = { ["User-Agent"] = "me" } }).agent, "me")
			local r = ask({ json = { n = 1, list = rws.array {} } })
			eq(r.body, '{"n":1,"list":[]}') eq(r.type, "application/json")
			eq(ask({ json = rws.null }).body, "null")
			eq(ask({ json = false }).body, "false")
			r = ask({ form = { a = "1 2" } })
			eq(r.body, "a=1+2") eq(r.type, "application/x-www-form-urlencoded")
			eq(ask({ body = "raw\0" }).body, "raw\0")
			eq(ask({ json = { a = 1 }, headers = { content_type = "application/vnd.x+json" } }).type, "application/vnd.x+json")`,
		"options are strict": `
			raises("option", 'unknown option "timout" (did you mean "timeout"?)', rws.http.get, env.PEER, { timout = "1s" })
			raises("option", "has no unit", rws.http.get, env.PEER, { timeout = 5 })
			raises("option", "one of json, form and body", rws.http.post, env.PEER, { json = {}, body = "x" })
			raises("option", "longer than nothing", rws.http.get, env.PEER, { timeout = "0s" })
			raises("option", "from 0 to 10", rws.http.get, env.PEER, { retries = -1 })
			raises("option", "from 0 to 50", rws.http.get, env.PEER, { redirects = 51 })
			raises("option", "a stream has no limit", rws.http.get, env.PEER, { stream = true, max_body = "1mb" })
			raises("option", "X-A: a header value can't hold line breaks", rws.http.get, env.PEER, { headers = { x_a = "a\r\nb: c" } })
			raises("option", "is not a header name", rws.http.get, env.PEER, { headers = { ["a b"] = "c" } })
			raises("option", "a function has no JSON form", rws.http.post, env.PEER, { json = print })
			raises("option", 'field "q"', rws.http.get, env.PEER, { query = { q = print } })
			raises("argument", "rws.http.get: argument 1: string expected, got nil", rws.http.get)
			raises("argument", "use ` + "`rws.http.get`" + ` with a dot", function() rws.http:get(env.PEER) end)`,
		"a status that is no success": `
			local res = rws.http.get(env.PEER .. "/status/404?token=secret")
			eq(res.status, 404)
			raises("status", "GET " .. env.PEER .. "/status/404?… answered 404 Not Found: this is why", function() res:ok() end)
			raises("json", "(status 404, text/plain; charset=utf-8)", function() res:json() end)`,
		"retries": `
			eq(rws.http.get(env.PEER .. "/flaky", { retries = 2 }).body, "at last")
			eq(rws.http.post(env.PEER .. "/flaky").status, 503)
			eq(rws.http.post(env.PEER .. "/flaky", { retries = 1 }).status, 200)`,
		"redirects": `
			local res = rws.http.get(env.PEER .. "/moved")
			eq(res.url, env.PEER .. "/echo?moved=1")
			res = rws.http.get(env.PEER .. "/moved", { redirects = 0 })
			eq(res.status, 302) eq(res.headers.location, "/echo?moved=1")
			raises("redirects", "redirected more than 3 times", rws.http.get, env.PEER .. "/loop", { redirects = 3 })`,
		"limits": `
			raises("too_large", "raise max_body or read it as a stream", rws.http.get, env.PEER .. "/large", { max_body = "64kb" })
			eq(#rws.http.get(env.PEER .. "/large", { max_body = "100kb" }).body, 102400)
			raises("timeout", "no complete answer within 50ms", rws.http.get, env.PEER .. "/never", { timeout = "50ms" })`,
		"calls that get no answer": `
			raises("url", 'the URL must start with "http://"', rws.http.get, "example.com/x")
			raises("denied", "it leads to a private address", rws.http.get, env.PEER .. "/echo", { deny_private = true })
			raises("dns", "no address is known for the host", rws.http.get, "http://nowhere.invalid/")
			raises("tls", "", rws.http.get, (env.PEER:gsub("http:", "https:")))`,
		"a stream in chunks": `
			local res = rws.http.get(env.PEER .. "/parts", { stream = true })
			eq(res.body, nil)
			local all = {}
			for chunk in res:chunks() do all[#all + 1] = chunk end
			eq(table.concat(all), "one two three")
			eq(res:read(1), nil)
			res:close()`,
		"a stream by bytes": `
			local res = rws.http.get(env.PEER .. "/parts", { stream = true })
			eq(res:read(6), "one tw") eq(res:read(100), "o three") eq(res:read(1), nil)
			res = rws.http.get(env.PEER .. "/parts", { stream = true })
			res:close() res:close()
			eq(res:read(1), nil)
			raises("argument", "from 1 to", function() res:read(0) end)
			raises("stream", "leave out stream = true", function() res:json() end)
			local whole = rws.http.get(env.PEER .. "/parts")
			raises("stream", "call with stream = true", function() whole:chunks() end)
			whole:close()`,
	}, peer(t, peerMux()))
}

func TestHTTPRefused(t *testing.T) {
	script(t, `raises("refused", "is the server running", rws.http.get, env.PEER)`,
		func(o *luabind.Options) { o.Environ = []string{"PEER=http://" + peers.FreeAddress(t)} })
}

// TestHTTPReleasesTheIsolate holds that two calls wait at the same time: the server answers
// the first when the second has arrived.
func TestHTTPReleasesTheIsolate(t *testing.T) {
	var both sync.WaitGroup
	both.Add(2)
	meet := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		both.Done()
		both.Wait()
		_, _ = io.WriteString(w, r.URL.Path)
	})
	script(t, `
		local a, b = rws.parallel(
			function() return rws.http.get(env.PEER .. "/a").body end,
			function() return rws.http.get(env.PEER .. "/b").body end)
		eq(a .. b, "/a/b")`, peer(t, meet))
}

func TestHTTPPastTheDeadlineIsA504(t *testing.T) {
	p := script(t, `app:get("/", { timeout = "20ms" }, function() return rws.http.get(env.PEER .. "/never").body end)`, peer(t, peerMux()))
	if answer := ask(t.Context(), t, p); answer.Status != http.StatusGatewayTimeout {
		t.Errorf("got %d %s, expected 504", answer.Status, answer.Body)
	}
}

// TestHTTPEndsWithItsRequest holds that a call ends when the client of the request leaves.
func TestHTTPEndsWithItsRequest(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan struct{})
	never := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leave()
		<-r.Context().Done()
		close(left)
	})
	p := script(t, `app:get("/", function() return rws.http.get(env.PEER).body end)`, peer(t, never))
	ask(ctx, t, p)
	<-left
}

func TestHTTPStreamEndsWithItsRequest(t *testing.T) {
	left := make(chan struct{})
	endless := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(left)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat("x", 1000)); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
	})
	p := script(t, `app:get("/", function() return rws.http.get(env.PEER, { stream = true }):read(10) end)`, peer(t, endless))
	if answer := ask(t.Context(), t, p); string(answer.Body) != "xxxxxxxxxx" {
		t.Errorf("got %d %s", answer.Status, answer.Body)
	}
	<-left // or the test times out
}

func TestHTTPErrorHasAPlace(t *testing.T) {
	_, err := program(t, `rws.http.get("nowhere")`)
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.At != "app.lua:1" || e.Code != "url" {
		t.Errorf("got %#v", err)
	}
}
