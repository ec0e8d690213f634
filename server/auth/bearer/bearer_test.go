package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/auth/bearer"
	"rws/server/auth/jwt"
	"rws/server/exchange"
)

const secret = "q7Vb1xN0c2Lk9sQe4Rz8Wm3Jp6Yt5UhA0dFgHjKl"

func key(t testing.TB) *jwt.Key {
	t.Helper()
	k, err := jwt.Secret(secret)
	require.NoError(t, err)
	return k
}

func verifier(t testing.TB) *jwt.Verifier {
	t.Helper()
	v, err := jwt.NewVerifier(jwt.Options{Keys: jwt.Keys{key(t)}})
	require.NoError(t, err)
	return v
}

func token(t testing.TB, claims map[string]any) string {
	t.Helper()
	text, err := jwt.Sign(key(t), claims, jwt.SignOptions{})
	require.NoError(t, err)
	return text
}

// inside tells who got in.
var inside = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	user, _ := exchange.From(r.Context()).User.(map[string]any)
	fmt.Fprintf(w, "in: %v", user["sub"])
})

func guarded(t testing.TB, o bearer.Options) http.Handler {
	t.Helper()
	if o.Verifier == nil {
		o.Verifier = verifier(t)
	}
	guard, err := bearer.New(o)
	require.NoError(t, err)
	return guard(inside)
}

// send sends raw header lines over a socket, so that nothing on our side tidies them up.
func send(t *testing.T, h http.Handler, target string, lines ...string) (*http.Response, string) {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	conn := dial(t, server.Listener.Addr().String())
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", target, strings.Join(append(lines, "Connection: close"), "\r\n"))
	return read(t, conn)
}

func TestAGoodTokenEnters(t *testing.T) {
	good := token(t, map[string]any{"sub": "ann"})
	h := guarded(t, bearer.Options{From: []bearer.Source{bearer.Authorization(), bearer.Header("x-token"), bearer.Cookie("token"), bearer.Query("token")}})
	for _, line := range []string{
		"Authorization: Bearer " + good, "authorization: bearer   " + good, "AUTHORIZATION: BEARER " + good,
		"X-Token: " + good, "Cookie: a=b; token=" + good,
		"Authorization: Bearer " + good + "\r\nConnection: Authorization",
	} {
		res, body := send(t, h, "/", line)
		assert.Equal(t, 200, res.StatusCode, line)
		assert.Equal(t, "in: ann", body, line)
	}
	res, body := send(t, h, "/?a=1&token="+good)
	assert.Equal(t, "in: ann", body)
	assert.Equal(t, "private", res.Header.Get("Cache-Control"))
}

func TestNoTokenIsToldHowToGetIn(t *testing.T) {
	h := guarded(t, bearer.Options{Realm: "notes"})
	good := token(t, map[string]any{"sub": "ann"})
	for _, line := range []string{
		"X: y", "Authorization: Basic YTpi", "Authorization: " + good, "Authorization:",
		"Cookie: token=" + good, "X-Authorization: Bearer " + good, "X_Token: " + good,
		"Proxy-Authorization: Bearer " + good, "Connection: Authorization",
	} {
		res, body := send(t, h, "/?access_token="+good, line)
		assert.Equal(t, 401, res.StatusCode, line)
		assert.Equal(t, `Bearer realm="notes"`, res.Header.Get("Www-Authenticate"), line)
		assert.Equal(t, "no-store", res.Header.Get("Cache-Control"))
		assert.Contains(t, body, `"A token is needed."`)
	}
}

// The second cookie of a name comes from a neighbour domain or another path, and the first may as well.
func TestTwoCookiesAreTwoTokens(t *testing.T) {
	good := token(t, map[string]any{"sub": "ann"})
	h := guarded(t, bearer.Options{From: []bearer.Source{bearer.Cookie("tok")}})
	for _, line := range []string{"Cookie: tok=" + good + "; tok=" + good, "Cookie: tok=" + good + "\r\nCookie: a=b; tok=x", "Cookie: tok=; tok=" + good} {
		res, _ := send(t, h, "/", line)
		assert.Equal(t, 400, res.StatusCode, line)
		assert.Contains(t, res.Header.Get("Www-Authenticate"), "there are 2 cookies that hold a token", line)
	}
	res, _ := send(t, h, "/", "Cookie: other="+good+"; tok="+good)
	assert.Equal(t, 200, res.StatusCode)
}

func TestABadTokenDoesNotEnter(t *testing.T) {
	good := token(t, map[string]any{"sub": "ann"})
	expired := token(t, map[string]any{"exp": 1})
	early := token(t, map[string]any{"nbf": time.Now().Unix() + 1000})
	for _, optional := range []bool{false, true} {
		h := guarded(t, bearer.Options{Optional: optional, From: []bearer.Source{bearer.Authorization(), bearer.Query("token")}})
		for line, want := range map[string]string{
			"Authorization: Bearer x":                                       `401 Bearer realm="api", error="invalid_token", error_description="the token is not valid"`,
			"Authorization: Bearer " + good + "x":                           `401 Bearer realm="api", error="invalid_token", error_description="the token is not valid"`,
			"Authorization: Bearer " + expired:                              `401 Bearer realm="api", error="invalid_token", error_description="the token has expired"`,
			"Authorization: Bearer " + early:                                `401 Bearer realm="api", error="invalid_token", error_description="the token is not valid yet"`,
			"Authorization: Bearer":                                         `400 Bearer realm="api", error="invalid_request", error_description="the Authorization header must be Bearer and one token"`,
			"Authorization: Bearer a " + good:                               `400 Bearer realm="api", error="invalid_request", error_description="the Authorization header must be Bearer and one token"`,
			"Authorization: Bearer " + good + ",x":                          `400 Bearer realm="api", error="invalid_request", error_description="the Authorization header must be Bearer and one token"`,
			"Authorization: Basic x\r\nAuthorization: Bearer " + good:       `400 Bearer realm="api", error="invalid_request", error_description="there are 2 headers Authorization"`,
			"Authorization: Bearer " + good + "\r\nauthorization: Bearer x": `400 Bearer realm="api", error="invalid_request", error_description="there are 2 headers Authorization"`,
		} {
			res, _ := send(t, h, "/", line)
			assert.Equal(t, want, fmt.Sprint(res.StatusCode, " ", res.Header.Get("Www-Authenticate")), line)
		}
		for target, want := range map[string]string{
			"/?token=" + good + "&token=" + good: "there are 2 parameters that hold a token",
			"/?token=" + good + ";":              "the query cannot be read",
			"/?token=" + good + "&%zz":           "the query cannot be read",
		} {
			res, _ := send(t, h, target)
			assert.Equal(t, 400, res.StatusCode, target)
			assert.Contains(t, res.Header.Get("Www-Authenticate"), want, target)
		}
		res, _ := send(t, h, "/?token="+good, "Authorization: Bearer "+good)
		assert.Equal(t, 400, res.StatusCode)
		assert.Contains(t, res.Header.Get("Www-Authenticate"), "there is more than one token")
	}
}

func TestOptionalLetsStrangersInWithoutAName(t *testing.T) {
	h := guarded(t, bearer.Options{Optional: true})
	res, body := send(t, h, "/")
	assert.Equal(t, 200, res.StatusCode)
	assert.Equal(t, "in: <nil>", body)
}

func TestScopesAndRolesAreNeeded(t *testing.T) {
	h := guarded(t, bearer.Options{Scopes: []string{"read", "write"}, Roles: []string{"admin", "boss"}, RoleClaim: "realm_access.roles"})
	for want, claims := range map[string]map[string]any{
		`200 `: {"scope": "write x read", "realm_access": map[string]any{"roles": []string{"user", "boss"}}},
		`403 Bearer realm="api", error="insufficient_scope", error_description="the token lacks the scope write", scope="read write"`:                  {"scope": "read writes"},
		`403 Bearer realm="api", error="insufficient_scope", error_description="the token lacks the scope read", scope="read write"`:                   {"scope": "READ write"},
		`403 Bearer realm="api", error="insufficient_scope", error_description="the token has none of the roles that may do this", scope="read write"`: {"scope": "read write", "roles": "admin"},
	} {
		res, _ := send(t, h, "/", "Authorization: Bearer "+token(t, claims))
		assert.Equal(t, want, fmt.Sprint(res.StatusCode, " ", res.Header.Get("Www-Authenticate")))
	}
}

type failing struct{ err error }

func (f failing) Verify(context.Context, string) (jwt.Claims, error) { return nil, f.err }

func TestWhenTokensCannotBeJudgedNobodyEnters(t *testing.T) {
	var fault error
	guard, err := bearer.New(bearer.Options{Verifier: failing{fmt.Errorf("x: %w", jwt.ErrKeys)}, Optional: true})
	require.NoError(t, err)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, r := exchange.Of(r)
		guard(inside).ServeHTTP(w, r)
		fault = e.Fault
	})
	res, body := send(t, h, "/", "Authorization: Bearer x")
	assert.Equal(t, 503, res.StatusCode)
	assert.Equal(t, "10", res.Header.Get("Retry-After"))
	assert.NotContains(t, body, "in:")
	assert.ErrorIs(t, fault, jwt.ErrKeys, "for the log")
	for _, err := range []error{errors.New("x"), context.Canceled} {
		res, _ = send(t, guarded(t, bearer.Options{Verifier: failing{err}}), "/", "Authorization: Bearer x")
		assert.Equal(t, 401, res.StatusCode)
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	v := verifier(t)
	for want, o := range map[string]bearer.Options{
		"nothing to verify tokens with": {},
		"is empty":                      {Verifier: v, From: []bearer.Source{}},
		`the realm "a\"b"`:              {Verifier: v, Realm: `a"b`},
		`the realm "a\r\nb"`:            {Verifier: v, Realm: "a\r\nb"},
		`the scope "a b"`:               {Verifier: v, Scopes: []string{"a b"}},
		`the scope ""`:                  {Verifier: v, Scopes: []string{""}},
		"a role is empty":               {Verifier: v, Roles: []string{""}},
		"leave out one of the two":      {Verifier: v, Roles: []string{"x"}, Optional: true},
		"has no name":                   {Verifier: v, From: []bearer.Source{bearer.Query("")}},
		"no name of a cookie":           {Verifier: v, From: []bearer.Source{bearer.Cookie("a=b")}},
		"no name of a header":           {Verifier: v, From: []bearer.Source{bearer.Header("a b")}},
	} {
		_, err := bearer.New(o)
		require.ErrorContains(t, err, want)
	}
}

func FuzzAuthorization(f *testing.F) {
	h := guarded(f, bearer.Options{})
	good := token(f, map[string]any{"sub": "ann"})
	f.Add("Bearer " + good)
	f.Add("bearer\t" + good)
	f.Add("Bearer , " + good)
	f.Fuzz(func(t *testing.T, value string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Authorization"] = []string{value}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fields := strings.Fields(value)
		if w.Code == 200 && (len(fields) != 2 || !strings.EqualFold(fields[0], "bearer") || fields[1] != good) {
			t.Errorf("%q: %d", value, w.Code)
		}
	})
}

func BenchmarkGuard(b *testing.B) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token(b, map[string]any{"sub": "ann", "scope": "read write"}))
	_, r = exchange.Of(r)
	bare := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	guard, err := bearer.New(bearer.Options{Verifier: verifier(b), Scopes: []string{"read"}})
	require.NoError(b, err)
	for name, h := range map[string]http.Handler{"bare": bare, "guarded": guard(bare)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			w := nowhere{}
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}

type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(b []byte) (int, error) { return io.Discard.Write(b) }
func (nowhere) WriteHeader(int)             {}
