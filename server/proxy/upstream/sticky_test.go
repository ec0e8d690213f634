package upstream_test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/exchange"
	"rws/server/proxy/upstream"
)

// visit makes a request with the cookies that the client has, and keeps the one that it is given.
func visit(t *testing.T, p *upstream.Pool, jar *string) (backend string, set *http.Cookie) {
	t.Helper()
	r := get()
	if *jar != "" {
		r.Header.Set("Cookie", *jar)
	}
	l, err := p.Pick(r, nil)
	require.NoError(t, err)
	h := http.Header{}
	p.SetSticky(h, l, r)
	l.Done(upstream.Outcome{})
	if c := (&http.Response{Header: h}).Cookies(); len(c) > 0 {
		set = c[0]
		*jar = set.Name + "=" + set.Value
	}
	return l.Backend.Name(), set
}

func sticky(t *testing.T) *upstream.Pool {
	return pool(t, upstream.Options{Targets: targets("http://a", "http://b", "http://c"), Sticky: upstream.Sticky{Cookie: "srv"}})
}

func TestAClientStaysAtItsBackend(t *testing.T) {
	p := sticky(t)
	jars := make([]string, 30)
	at := map[string]int{}
	for i := range jars {
		first, set := visit(t, p, &jars[i])
		require.NotNil(t, set)
		at[first]++
		assert.True(t, set.HttpOnly)
		assert.Equal(t, http.SameSiteLaxMode, set.SameSite)
		assert.False(t, set.Secure)
		assert.Equal(t, "/", set.Path)
		assert.Len(t, set.Value, 16)
		for _, name := range []string{"a:80", "b:80", "c:80", "http"} {
			assert.NotContains(t, set.Value, name)
		}
		for range 3 {
			again, set := visit(t, p, &jars[i])
			assert.Equal(t, first, again)
			assert.Nil(t, set, "who has the cookie is not given it again")
		}
	}
	assert.Len(t, at, 3)
}

func TestTheCookieIsGivenAnewWhenItsBackendIsUnableOrGone(t *testing.T) {
	p := sticky(t)
	jar := ""
	first, _ := visit(t, p, &jar)
	require.NoError(t, p.Drain(first, true))
	second, set := visit(t, p, &jar)
	require.NotNil(t, set)
	assert.NotEqual(t, first, second)
	require.NoError(t, p.Drain(first, false))
	again, _ := visit(t, p, &jar)
	assert.Equal(t, second, again, "and it does not jump back")

	require.NoError(t, p.Update(targets(first)))
	third, set := visit(t, p, &jar)
	require.NotNil(t, set)
	assert.Equal(t, first, third)
}

func TestTheCookieIsTheSameInEveryProcess(t *testing.T) {
	jar := ""
	first, _ := visit(t, sticky(t), &jar)
	for range 5 {
		again, set := visit(t, sticky(t), &jar)
		assert.Equal(t, first, again)
		assert.Nil(t, set)
	}
}

func TestAForgedCookieIsNone(t *testing.T) {
	p := sticky(t)
	for _, jar := range []string{"srv=", "srv=http://a:80", "srv=" + strings.Repeat("x", 4000), "srv=../..", "srv"} {
		_, set := visit(t, p, &jar)
		assert.NotNil(t, set, jar)
	}
}

func TestATriedBackendIsNotStuckTo(t *testing.T) {
	p := sticky(t)
	jar := ""
	visit(t, p, &jar)
	l, err := p.Pick(get("Cookie", jar), nil)
	require.NoError(t, err)
	l.Done(upstream.Outcome{})
	assert.NotEqual(t, l.Backend.Name(), pick(t, p, get("Cookie", jar), l.Backend))
}

func TestTheCookieIsSecureUnderTLS(t *testing.T) {
	p := pool(t, upstream.Options{Targets: targets("http://a"), Sticky: upstream.Sticky{Cookie: "srv", MaxAge: time.Hour, Path: "/app"}})
	l, err := p.Pick(get(), nil)
	require.NoError(t, err)
	defer l.Done(upstream.Outcome{})
	own := get()
	own.TLS = &tls.ConnectionState{}
	before, proxied := exchange.Of(get())
	before.Secure = true
	for _, r := range []*http.Request{own, proxied} {
		h := http.Header{}
		p.SetSticky(h, l, r)
		assert.Regexp(t, `^srv=[\w-]{16}; Path=/app; Expires=[^;]+; Max-Age=3600; HttpOnly; Secure; SameSite=Lax$`, h.Get("Set-Cookie"))
	}
}

func TestWithoutStickyThereIsNoCookie(t *testing.T) {
	p := pool(t, upstream.Options{Targets: targets("http://a")})
	jar := ""
	_, set := visit(t, p, &jar)
	assert.Nil(t, set)
}
