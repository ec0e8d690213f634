package proxy_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy"
)

func says(text string, status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	})
}

func canary(t testing.TB, o proxy.CanaryOptions) *proxy.Canary {
	t.Helper()
	if o.Old == nil {
		o.Old = says("old", 200)
	}
	if o.New == nil {
		o.New = says("new", 200)
	}
	o.Name, o.Logger = "shop", quiet
	c, err := proxy.NewCanary(o)
	require.NoError(t, err)
	return c
}

func version(h http.Handler, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/", nil)
	for _, f := range edit {
		f(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func TestCanaryShares(t *testing.T) {
	for _, share := range []float64{0, 0.25, 1} {
		c, n := canary(t, proxy.CanaryOptions{Share: share}), 0
		for range 4000 {
			if version(c).Body.String() == "new" {
				n++
			}
		}
		assert.InDelta(t, share*4000, n, 150)
		assert.Equal(t, uint64(n), c.State().New.Requests)
	}
}

func TestCanaryByHeaderAndCookie(t *testing.T) {
	c := canary(t, proxy.CanaryOptions{Header: "x-canary", Cookie: "trial"})
	assert.Equal(t, "old", version(c).Body.String())
	assert.Equal(t, "new", version(c, header("X-Canary", "Always")).Body.String())
	assert.Equal(t, "new", version(c, header("Cookie", "trial=new")).Body.String())
	assert.Equal(t, "old", version(c, header("Cookie", "trial=new"), header("X-Canary", "never")).Body.String())
	assert.Equal(t, "old", version(c, header("X-Canary", "perhaps")).Body.String())
	c.Rollback("by hand")
	assert.Equal(t, "old", version(c, header("Cookie", "trial=new")).Body.String())
	assert.Equal(t, "new", version(c, header("X-Canary", "1")).Body.String(), "who says so still gets it")
}

// A client stays where it was, and a greater share only adds.
func TestCanaryIsSticky(t *testing.T) {
	c := canary(t, proxy.CanaryOptions{Share: 0.3, Sticky: "cookie"})
	for range 50 {
		first := version(c)
		cookie := first.Result().Cookies()[0]
		assert.True(t, cookie.HttpOnly)
		again := version(c, header("Cookie", cookie.Name+"="+cookie.Value))
		assert.Equal(t, first.Body.String(), again.Body.String())
		assert.Empty(t, again.Result().Cookies())
	}
	byIP := canary(t, proxy.CanaryOptions{Share: 0.3, Sticky: "ip"})
	ask := func(i int) string {
		return version(byIP, func(r *http.Request) { r.RemoteAddr = fmt.Sprintf("192.0.2.%d:1", i) }).Body.String()
	}
	var before [256]string
	for i := range before {
		before[i] = ask(i)
		assert.Equal(t, before[i], ask(i))
	}
	require.NoError(t, byIP.SetShare(0.6))
	for i := range before {
		if before[i] == "new" {
			assert.Equal(t, "new", ask(i))
		}
	}
}

func TestCanaryRollsBack(t *testing.T) {
	told := make(chan proxy.CanaryState, 1)
	c := canary(t, proxy.CanaryOptions{New: says("new", 500), Share: 0.5, Header: "X-New",
		Rollback: &proxy.Rollback{Errors: 0.02, Window: time.Minute, Least: 10, OnRollback: func(s proxy.CanaryState) { told <- s }}})
	for range 9 {
		assert.Equal(t, "new", version(c, header("X-New", "1")).Body.String())
	}
	assert.False(t, c.State().RolledBack, "too few to judge")
	version(c, header("X-New", "1"))
	s := <-told
	assert.True(t, s.RolledBack)
	assert.Contains(t, s.Reason, "10 of 10")
	assert.Equal(t, proxy.CanaryCount{Requests: 10, Errors: 10}, s.New)
	for range 50 {
		assert.Equal(t, "old", version(c).Body.String())
	}
	c.Resume()
	assert.False(t, c.State().RolledBack)
}

// What the client is to blame for does not end a trial, what a backend is does, in whatever way.
func TestCanaryJudgesBackendsNotClients(t *testing.T) {
	bad := to(t, proxy.Options{}, nobody(t))
	broken := to(t, proxy.Options{}, scripted(t, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", true))
	good := to(t, proxy.Options{MaxBody: 2}, backend(t, func(http.ResponseWriter, *http.Request) {}))
	panics := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh") })
	for name, c := range map[string]struct {
		h     http.Handler
		path  string
		fails bool
	}{"refused": {bad, "/", true}, "broken": {broken, "/", true}, "panic": {panics, "/", true}, "fine": {good, "/", false}, "client": {good, "/a/../b", false}, "404": {says("", 404), "/", false}} {
		t.Run(name, func(t *testing.T) {
			k := canary(t, proxy.CanaryOptions{New: c.h, Share: 1, Rollback: &proxy.Rollback{Errors: 0.5, Least: 3}})
			for range 5 {
				func() {
					defer func() { _ = recover() }()
					version(k, func(r *http.Request) { r.URL.Path = c.path })
				}()
			}
			assert.Equal(t, c.fails, k.State().RolledBack)
		})
	}
}

func TestCanaryTeaches(t *testing.T) {
	for want, o := range map[string]proxy.CanaryOptions{
		"old and a new": {}, "share 2": {Share: 2, Old: says("", 200), New: says("", 200)},
		`want "cookie", "ip"`: {Sticky: "session", Old: says("", 200), New: says("", 200)},
		"less than 1":         {Rollback: &proxy.Rollback{Errors: 1}, Old: says("", 200), New: says("", 200)},
	} {
		_, err := proxy.NewCanary(o)
		assert.ErrorContains(t, err, want)
	}
}
