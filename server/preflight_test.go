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
