package server_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"rws/server"
)

// preflight is a request of a browser that wants to make one of another method.
func preflight(method string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Origin", "https://a.example")
		r.Header.Set("Access-Control-Request-Method", method)
	}
}

func TestPreflightIsAnsweredByTheRouteItAsksFor(t *testing.T) {
	a := &server.App{Routes: []server.Route{
		{Method: "GET", Pattern: "/notes/:id", Handler: say("get"), Preflight: say("preflight of get")},
		{Method: "DELETE", Pattern: "/notes/x", Handler: say("delete")},
		{Method: "PUT", Pattern: "/own", Handler: say("put"), Preflight: say("preflight of put")},
		{Method: "OPTIONS", Pattern: "/own", Handler: say("own")},
		{Pattern: "/all", Handler: say("all"), Preflight: say("preflight of all")},
		{Method: "OPTIONS", Pattern: "/*", Handler: say("any path")},
	}}
	h := compiled(t, a)
	for _, x := range []struct{ target, method, want string }{
		{"/notes/7", "GET", "preflight of get"},
		{"/notes/7", "HEAD", "preflight of get"},
		{"/notes/7", "PUT", "any path"},    // which GET allows nothing for
		{"/notes/x", "DELETE", "any path"}, // a route beside it neither
		{"/own", "PUT", "own"},
		{"/all", "PATCH", "preflight of all"},
		{"/none", "GET", "any path"},
	} {
		w := ask(h, "OPTIONS "+x.target, preflight(x.method))
		assert.Equal(t, x.want, w.Body.String(), "%s for %s", x.target, x.method)
	}
	assert.Equal(t, "any path", ask(h, "OPTIONS /notes/7").Body.String(), "not a preflight")
	assert.Equal(t, "any path", ask(h, "OPTIONS /notes/7", preflight("GET"), func(r *http.Request) {
		r.Header.Add("Access-Control-Request-Method", "PUT")
	}).Body.String(), "two methods are none")
}

// The engine's own answer to OPTIONS tells nothing to whom the route tells nothing.
func TestOptionsPassesTheGuardOfTheRoute(t *testing.T) {
	guard := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	h := compiled(t, &server.App{Routes: []server.Route{
		{Method: "GET", Pattern: "/notes/:id", Handler: say("get"), Guard: guard},
		{Method: "POST", Pattern: "/notes/:id", Handler: say("post")},
		{Method: "GET", Pattern: "/open", Handler: say("get")},
		{Method: "GET", Pattern: "/own", Handler: say("get"), Guard: guard},
		{Method: "OPTIONS", Pattern: "/own", Handler: say("own")},
	}})
	w := ask(h, "OPTIONS /notes/7")
	assert.Equal(t, 401, w.Code)
	assert.Empty(t, w.Header().Get("Allow"))
	assert.Equal(t, 401, ask(h, "OPTIONS /notes/7", preflight("GET")).Code, "nobody answers preflights here")
	w = ask(h, "OPTIONS /notes/7", func(r *http.Request) { r.Header.Set("Authorization", "x") })
	assert.Equal(t, 204, w.Code)
	assert.Equal(t, "GET, HEAD, OPTIONS, POST", w.Header().Get("Allow"))
	w = ask(h, "OPTIONS /open")
	assert.Equal(t, 204, w.Code)
	assert.Equal(t, "GET, HEAD, OPTIONS", w.Header().Get("Allow"))
	assert.Equal(t, "own", ask(h, "OPTIONS /own").Body.String())
}

func TestHeaderNamesThatPassForOthersAreDropped(t *testing.T) {
	h := compiled(t, app(map[string]http.Handler{"/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, http.Header{"X-User": {"ann"}}, r.Header)
		assert.Equal(t, http.Header{"X-Sum": nil}, r.Trailer)
	})}))
	ask(h, "/", func(r *http.Request) {
		r.Trailer = http.Header{"X-Sum": nil, "X_sum": nil}
		r.Header = http.Header{"X-User": {"ann"}, "X_user": {"eve"}, "X.user": {"eve"}, "_": {"eve"}, "X-User_": {"eve"}}
	})
}
