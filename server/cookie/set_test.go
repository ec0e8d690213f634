package cookie_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/cookie"
)

func TestDefaultsAreSafe(t *testing.T) {
	no := false
	synctest.Test(t, func(t *testing.T) { // the clock stands at 2000-01-01
		for _, c := range []struct {
			name, value string
			o           cookie.Options
			tls         bool
			want        string
		}{
			{"theme", "dark", cookie.Options{}, false, "theme=dark; Path=/; HttpOnly; SameSite=Lax"},
			{"theme", "", cookie.Options{}, true, "theme=; Path=/; HttpOnly; Secure; SameSite=Lax"},
			{"a", "b c", cookie.Options{MaxAge: 90*time.Second + 1, Path: "/x", Domain: "example.com", SameSite: "Strict", HTTPOnly: &no}, false,
				"a=b%20c; Path=/x; Domain=example.com; Expires=Sat, 01 Jan 2000 00:01:31 GMT; Max-Age=91; SameSite=Strict"},
			{"a", "b", cookie.Options{SameSite: "none"}, false, "a=b; Path=/; HttpOnly; Secure; SameSite=None"},
			{"a", "b", cookie.Options{Partitioned: true}, false, "a=b; Path=/; HttpOnly; Secure; SameSite=Lax; Partitioned"},
			{"a", "b", cookie.Options{Secure: &no}, true, "a=b; Path=/; HttpOnly; SameSite=Lax"},
			{"__Host-id", "b", cookie.Options{}, false, "__Host-id=b; Path=/; HttpOnly; Secure; SameSite=Lax"},
			{"__Http-id", "b", cookie.Options{Path: "/x"}, true, "__Http-id=b; Path=/x; HttpOnly; Secure; SameSite=Lax"},
		} {
			h := http.Header{}
			require.NoError(t, cookie.Set(h, c.name, c.value, c.o, c.tls))
			assert.Equal(t, []string{c.want}, h["Set-Cookie"])
		}
	})
}

func TestWhatBrowsersWouldDropIsAnError(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		name, value string
		o           cookie.Options
		want        string
	}{
		{"", "x", cookie.Options{}, `cookie "": the name is empty`},
		{"a b", "x", cookie.Options{}, `cookie "a b": invalid Cookie.Name`},
		{"a=b", "x", cookie.Options{}, "invalid Cookie.Name"},
		{"a\r\nSet-Cookie: b", "x", cookie.Options{}, "invalid Cookie.Name"},
		{"a", "x", cookie.Options{Path: "x"}, `the path "x" does not begin with "/"`},
		{"a", "x", cookie.Options{Path: "/x; Domain=evil"}, "in Cookie.Path"},
		{"a", "x", cookie.Options{Domain: "exa mple.com"}, "invalid Cookie.Domain"},
		{"a", "x", cookie.Options{SameSite: "strickt"}, `same_site "strickt" is none of lax, strict, none (did you mean "strict"?)`},
		{"a", "x", cookie.Options{SameSite: "none", Secure: &no}, "SameSite=None needs Secure, which is switched off"},
		{"a", "x", cookie.Options{Partitioned: true, Secure: &no}, "Partitioned needs Secure"},
		{"a", "x", cookie.Options{MaxAge: -time.Second}, "the maximum age -1s is negative; to remove a cookie, delete it"},
		{"__Host-a", "x", cookie.Options{Secure: &no}, "a name that begins with __Host- needs Secure"},
		{"__Host-a", "x", cookie.Options{Domain: "example.com"}, `for one host, so the domain "example.com" cannot be set`},
		{"__Host-a", "x", cookie.Options{Path: "/x"}, `the path must be "/", not "/x"`},
		{"__Host-Http-a", "x", cookie.Options{Path: "/x"}, `the path must be "/"`},
		{"__Http-a", "x", cookie.Options{HTTPOnly: &no, Secure: &yes}, "needs HttpOnly"},
		{"__host-a", "x", cookie.Options{}, "write the prefix as __Host-"},
		{"a", strings.Repeat("x", 4096), cookie.Options{}, "4130 bytes with its attributes; browsers keep at most 4096"},
		{"a", strings.Repeat("ü", 700), cookie.Options{}, "browsers keep at most 4096"},
	} {
		h := http.Header{}
		require.ErrorContains(t, cookie.Set(h, c.name, c.value, c.o, false), c.want)
		assert.Empty(t, h, "nothing is sent")
	}
}

func TestALaterCookieReplacesAnEarlier(t *testing.T) {
	h := http.Header{}
	set := func(name, value string, o cookie.Options) {
		t.Helper()
		require.NoError(t, cookie.Set(h, name, value, o, false))
	}
	set("a", "1", cookie.Options{})
	set("b", "2", cookie.Options{})
	set("a", "3", cookie.Options{Path: "/x"})
	set("a", "4", cookie.Options{Domain: "Example.com"})
	set("a", "5", cookie.Options{Domain: ".example.com"})
	set("a", "6", cookie.Options{})
	var got []string
	for _, line := range h["Set-Cookie"] {
		pair, _, _ := strings.Cut(line, ";")
		got = append(got, pair)
	}
	assert.Equal(t, []string{"b=2", "a=3", "a=5", "a=6"}, got, "same name, path and domain")
}

func TestDeleteEndsACookie(t *testing.T) {
	h := http.Header{}
	require.NoError(t, cookie.Set(h, "a", "1", cookie.Options{}, true))
	require.NoError(t, cookie.Delete(h, "a", cookie.Options{MaxAge: time.Hour}, true))
	assert.Equal(t, []string{"a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0; HttpOnly; Secure; SameSite=Lax"}, h["Set-Cookie"])
}
