package proxy_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/exchange"
	"rws/server/proxy"
)

func TestPaths(t *testing.T) {
	at := echo(t)
	strict := to(t, proxy.Options{}, at)
	loose := to(t, proxy.Options{Paths: proxy.Paths{Slashes: true, Encoded: true}}, at)
	strip := to(t, proxy.Options{Strip: "/api/v1", Paths: proxy.Paths{Encoded: true}}, at)
	rules := to(t, proxy.Options{Strip: "/api", Rewrite: []proxy.Rule{{`^/v1/(.*)$`, "/$1?v=1"}, {`^/old/(.*)$`, "/new/$1"}, {`^/climb/(.*)a$`, "/x/.$1"}}}, at)
	for _, c := range []struct {
		h        http.Handler
		in, want string // "" for refused
	}{
		{strict, "/a/b?x=1&&y=%zz;", "/a/b?x=1&&y=%zz;"},
		{strict, "/%7Ea/%41;b=1", "/%7Ea/%41;b=1"},
		{strict, "/a%20b", "/a%20b"},
		{strict, "/a//b", ""}, {strict, "//a", ""}, {strict, "/a%2fb", ""}, {strict, "/a%5Cb", ""}, {strict, "/a%252fb", "/a%252fb"},
		{strict, "/a/../b", ""}, {strict, "/a/%2e%2e/b", ""}, {strict, "/a/..%2fb", ""}, {strict, "/a%00", ""}, {strict, "/a%0d%0a", ""},
		{strict, "/x/..;/admin/x", ""}, {strict, "/x/%2e%2e;/admin/x", ""}, {strict, "/x/..%3b/admin", ""}, {strict, "/.;/admin/x", ""}, {strict, "/x/.%2E%3Ba=b", ""},
		{strict, "/x/..;a=b/../c", ""}, {loose, "/x%2f..;/admin", ""}, {loose, "/x%5c..;/admin", ""}, {strict, "/x;..;/y", "/x;..;/y"}, {strict, "/x/...;/y", "/x/...;/y"}, {strict, "/;a/b;c=d", "/;a/b;c=d"},
		{strip, "/api/v1/..;/x", ""},
		{strict, "/a?b#c", ""}, {strict, "/a?b c", ""}, {strict, "/a?b\x7f", ""},
		{loose, "/a//b", "/a//b"}, {loose, "/a%2fb", "/a%2fb"}, {loose, "/a/..%2fb", ""}, {loose, "/a/..", ""},
		{strip, "/api/v1/x%3By", "/x%3By"}, {strip, "/%61pi/v1/x", "/x"}, {strip, "/api/v1", "/"}, {strip, "/api/v1/", "/"},
		{strip, "/api/v10/x", "/api/v10/x"}, {strip, "/api%2Fv1/x", "/api%2Fv1/x"}, {strip, "/api/v1/a%2Fb", "/a%2Fb"},
		{rules, "/api/v1/users?q=1", "/users?v=1&q=1"}, {rules, "/api/v1/old/x", "/new/x?v=1"}, {rules, "/v1/old/x", "/new/x?v=1"}, {rules, "/api/old/a b", "/new/a%20b"},
		{rules, "/api/climb/.a", ""}, {rules, "/api/climb/b.a", "/x/.b."},
		{rules, "/api/climb/./.", ""},
	} {
		path, query, _ := strings.Cut(c.in, "?")
		code, got := ask(t, c.h, func(r *http.Request, _ *exchange.Exchange) {
			u, err := url.Parse("http://a" + strings.ReplaceAll(path, " ", "%20"))
			require.NoError(t, err, c.in)
			u.RawQuery = query
			r.URL = u
		})
		if c.want == "" {
			assert.Equal(t, http.StatusBadRequest, code, c.in)
			continue
		}
		assert.Equal(t, 200, code, c.in)
		assert.Equal(t, c.want, got.URI, c.in)
	}
}

func TestMethodsThatAreNotPassedOn(t *testing.T) {
	h := to(t, proxy.Options{}, echo(t))
	for method, want := range map[string]int{"TRACE": 501, "CONNECT": 501, "GE T": 400, "G\r\nX": 400, "PURGE": 200} {
		code, _ := ask(t, h, func(r *http.Request, _ *exchange.Exchange) { r.Method = method })
		assert.Equal(t, want, code, method)
	}
}
