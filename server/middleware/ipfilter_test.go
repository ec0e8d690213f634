package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/middleware"
	"rws/server/ratelimit"
)

func ipFilter(t *testing.T, o middleware.IPFilterOptions) http.Handler {
	t.Helper()
	f := must(middleware.NewIPFilter(o))(t)
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	return f.Wrap(say("ok"))
}

func TestWhoMayComeIn(t *testing.T) {
	for _, c := range []struct {
		allow, deny []string
		peer        string
		want        int
	}{
		{[]string{"10.0.0.0/8"}, nil, "10.1.2.3:1", 200},
		{[]string{"10.0.0.0/8"}, nil, "11.1.2.3:1", 403},
		{[]string{"10.0.0.0/8"}, nil, "[::ffff:10.1.2.3]:1", 200},
		{[]string{"10.0.0.0/8"}, []string{"10.1.0.0/16"}, "10.1.2.3:1", 403},
		{[]string{"10.1.0.0/16"}, []string{"10.0.0.0/8"}, "10.1.2.3:1", 403},
		{nil, []string{"10.0.0.0/8"}, "[::ffff:10.1.2.3]:1", 403},
		{nil, []string{"::ffff:10.0.0.0/104"}, "10.1.2.3:1", 403},
		{nil, []string{"::ffff:10.1.2.3"}, "10.1.2.3:1", 403},
		{nil, []string{"10.1.2.3"}, "10.1.2.4:1", 200},
		{nil, []string{"2001:db8::/32"}, "[2001:DB8:0:0::1]:1", 403},
		{nil, []string{"fe80::1"}, "[fe80::1%eth0]:1", 403},
		{nil, []string{"::/0"}, "10.1.2.3:1", 200}, // IPv4 is no IPv6
		{nil, []string{"all"}, "10.1.2.3:1", 403},
		{[]string{"private", "loopback"}, nil, "192.168.3.4:1", 200},
		{[]string{"private", "loopback"}, nil, "[::1]:1", 200},
		{[]string{"private"}, nil, "172.32.0.1:1", 403},
		{[]string{}, nil, "10.1.2.3:1", 403}, // an empty list is nobody
		{nil, []string{"1.1.1.1"}, "@", 403},
		{[]string{"10.0.0.0/8"}, nil, "", 403},
		{[]string{"10.0.0.0/8", "unix"}, nil, "@", 200},
		{[]string{"all"}, nil, "@", 403},
	} {
		h := ipFilter(t, middleware.IPFilterOptions{Allow: c.allow, Deny: c.deny})
		assert.Equal(t, c.want, ask(h, "/", from(c.peer), with("X-Forwarded-For: 10.9.9.9", "X-Real-Ip: 10.9.9.9")).Code, c)
	}
}

func TestTheFilterAsksForTheClientBehindAProxy(t *testing.T) {
	h := middleware.Chain(ipFilter(t, middleware.IPFilterOptions{Deny: []string{"192.0.2.0/24"}}),
		must(middleware.ClientIP(middleware.ClientIPOptions{Trusted: []string{"10.0.0.1"}}))(t))
	assert.Equal(t, 403, ask(h, "/", from("10.0.0.1:1"), with("X-Forwarded-For: 192.0.2.7")).Code)
	assert.Equal(t, 200, ask(h, "/", from("10.0.0.1:1"), with("X-Forwarded-For: 192.0.2.7, 198.51.100.1")).Code)
	// Without an exchange around, as a library.
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "192.0.2.1:1"
	h.ServeHTTP(w, r)
	assert.Equal(t, 403, w.Code)
}

// A proxy may leave out who the client is, and clients can have some do so.
func TestClientsThatNoProxyNamesMayNotComeIn(t *testing.T) {
	for _, c := range []struct {
		allow, deny []string
		want        int
	}{
		{nil, []string{"192.0.2.0/24"}, 403},
		{[]string{"all"}, nil, 403},
		{[]string{"::/0", "0.0.0.0/0", "::"}, nil, 403},
		{[]string{"unknown"}, nil, 200},
		{[]string{"all", "unknown"}, []string{"192.0.2.0/24"}, 200},
		{[]string{"all", "unknown"}, []string{"unknown"}, 403},
	} {
		filter := ipFilter(t, middleware.IPFilterOptions{Allow: c.allow, Deny: c.deny})
		for header, fields := range map[string][]string{
			"Forwarded":       {"Forwarded: for=unknown", "Forwarded: for=_hidden", "Forwarded: proto=https", `Forwarded: for="[::]"`},
			"X-Forwarded-For": {"X-Forwarded-For: unknown", "X-Forwarded-For: _hidden", "X-Forwarded-For: ::", "X-Forwarded-For: 0.0.0.0"},
		} {
			h := middleware.Chain(filter, must(middleware.ClientIP(middleware.ClientIPOptions{Trusted: []string{"10.0.0.1"}, Header: header}))(t))
			for _, field := range fields {
				assert.Equal(t, c.want, ask(h, "/", from("10.0.0.1:1"), with(field)).Code, "%v: %s", c, field)
			}
		}
	}
	refused(t, middleware.ClientIP, map[string]middleware.ClientIPOptions{"nobody to believe": {Trusted: []string{"unknown"}}})
}

func TestClientsThatNoProxyNamesAreLimitedTogether(t *testing.T) {
	limit := must(middleware.RateLimit(middleware.RateLimitOptions{Rate: ratelimit.Rate{Count: 1, Per: time.Hour}, Store: ratelimit.NewMemory(0)}))(t)
	h := middleware.Chain(say("ok"), must(middleware.ClientIP(middleware.ClientIPOptions{Trusted: []string{"10.0.0.1"}}))(t), limit)
	assert.Equal(t, 200, ask(h, "/", from("10.0.0.1:1"), with("X-Forwarded-For: unknown")).Code)
	assert.Equal(t, 429, ask(h, "/", from("10.0.0.1:1"), with("X-Forwarded-For: _other")).Code)
	assert.Equal(t, 200, ask(h, "/", from("10.0.0.1:1"), with("X-Forwarded-For: ::1")).Code, "an address counts for itself")
}

func TestListsAreReadAgain(t *testing.T) {
	file, log := filepath.Join(t.TempDir(), "deny"), &record{}
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	write("# bad people\n192.0.2.1 # ann\n\n2001:db8::/32\n")
	h := ipFilter(t, middleware.IPFilterOptions{DenyFiles: []string{file}, Logger: log.logger()})
	code := func(peer string) int { return ask(h, "/", from(peer)).Code }
	assert.Equal(t, 403, code("192.0.2.1:1"))
	assert.Equal(t, 403, code("[2001:db8::9]:1"))
	assert.Equal(t, 200, code("192.0.2.2:1"))
	write("192.0.2.2\n")
	require.Eventually(t, func() bool { return code("192.0.2.2:1") == 403 }, patience, 5*time.Millisecond)
	assert.Equal(t, 200, code("192.0.2.1:1"))
	write("192.0.2.999\n")
	require.Eventually(t, func() bool { return log.Contains("deny:1") }, patience, 5*time.Millisecond)
	assert.Equal(t, 403, code("192.0.2.2:1"), "the list before stays")
	require.NoError(t, os.Remove(file))
	require.Eventually(t, func() bool { return log.Contains("no such file") || log.Contains("cannot find") }, patience, 5*time.Millisecond)
	assert.Equal(t, 403, code("192.0.2.2:1"))
}

func TestIPFilterOptionsAreChecked(t *testing.T) {
	for part, o := range map[string]middleware.IPFilterOptions{
		"neither":                 {},
		"allow: address \"x\"":    {Allow: []string{"x"}},
		"192.168.1.0/24":          {Deny: []string{"192.168.1.7/24"}},
		"deny files: open":        {DenyFiles: []string{filepath.Join(t.TempDir(), "none")}},
		"missing":                 {DenyFiles: []string{filepath.Join(t.TempDir(), "missing")}},
		`did you mean "private"?`: {Allow: []string{"privat"}},
	} {
		_, err := middleware.NewIPFilter(o)
		assert.ErrorContains(t, err, part)
	}
}
