package basic_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/auth/basic"
	"rws/server/auth/password"
	"rws/server/exchange"
	"rws/server/ratelimit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The examples of Apache's manual (Password Formats), whose password is "myPassword", and a
// bcrypt of crypt(3) and an argon2id of the reference implementation, of "password".
var hashes = map[string]string{
	"bea": "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC",
	"sam": "{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=",
	"max": "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/",
	"ann": "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
}

func passwordOf(name string) string {
	if name == "ann" {
		return "password"
	}
	return "myPassword"
}

func guard(t testing.TB, o basic.Options) *basic.Guard {
	t.Helper()
	if o.Users == nil && o.File == "" {
		o.Users = hashes
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	g, err := basic.New(o)
	require.NoError(t, err)
	return g
}

var inside = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, "in: ", exchange.From(r.Context()).User)
})

// login makes a request with a name and a password, from an address.
func login(g *basic.Guard, name, pass, from string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/", nil)
	r.SetBasicAuth(name, pass)
	r.RemoteAddr = net.JoinHostPort(from, "1")
	w := httptest.NewRecorder()
	g.Wrap(inside).ServeHTTP(w, r)
	return w
}

func TestUsersEnterWithTheirPasswordsOnly(t *testing.T) {
	g := guard(t, basic.Options{})
	for name := range hashes {
		w := login(g, name, passwordOf(name), "192.0.2.1")
		assert.Equal(t, 200, w.Code, name)
		assert.Equal(t, "in: map[name:"+name+"]", w.Body.String())
		for _, wrong := range []string{"", "mypassword", passwordOf(name) + "x", hashes[name], strings.Repeat("x", 5000)} {
			assert.Equal(t, 401, login(g, name, wrong, "192.0.2.1").Code, "%s with %.20q", name, wrong)
		}
	}
	for _, name := range []string{"", "bob", "Ann", "ann ", "ann\x00", strings.Repeat("x", 300)} {
		w := login(g, name, "password", "192.0.2.1")
		assert.Equal(t, 401, w.Code, "%q", name)
		assert.Equal(t, `Basic realm="restricted", charset="UTF-8"`, w.Header().Get("Www-Authenticate"))
		assert.NotContains(t, w.Body.String(), "in:")
	}
}

// raw sends header lines as they are.
func raw(t *testing.T, h http.Handler, lines ...string) *http.Response {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", strings.Join(append(lines, "Connection: close"), "\r\n"))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res
}

func TestNoSpellingGetsAround(t *testing.T) {
	h := guard(t, basic.Options{}).Wrap(inside)
	good := base64.StdEncoding.EncodeToString([]byte("bea:myPassword"))
	for line, want := range map[string]int{
		"Authorization: Basic " + good:                                   200,
		"AUTHORIZATION: bAsIc " + good:                                   200,
		"Authorization: Basic " + good + "\r\nConnection: Authorization": 200,
		"Authorization: " + good:                                         401,
		"Authorization: Basic":                                           401,
		"Authorization: Basic " + good + "=":                             401,
		"Authorization: Basic x" + good:                                  401,
		"Authorization: Basic " + good + ", Basic " + good:               401,
		"Authorization: Bearer " + good:                                  401,
		"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("beamyPassword")): 401,
		"Authorization_: Basic " + good:                                     401,
		"Proxy-Authorization: Basic " + good:                                401,
		"X-Authorization: Basic " + good:                                    401,
		"Remote-User: bea\r\nRemote_User: bea":                              401,
		"Authorization: Basic " + good + "\r\nAuthorization: Basic " + good: 401,
		"Authorization: Basic x\r\nAuthorization: Basic " + good:            401,
	} {
		assert.Equal(t, want, raw(t, h, line).StatusCode, line)
	}
}

func TestAPasswordThatWasRightIsNotVerifiedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := guard(t, basic.Options{Attempts: ratelimit.Rate{Count: 1000, Per: time.Minute}})
		var verified int
		basic.Count(g, func() { verified++ })
		for range 10 {
			require.Equal(t, 200, login(g, "bea", "myPassword", "192.0.2.1").Code)
		}
		assert.Equal(t, 1, verified)
		for range 3 {
			require.Equal(t, 401, login(g, "bea", "wrong", "192.0.2.1").Code)
			require.Equal(t, 401, login(g, "max", "myPassword:", "192.0.2.1").Code)
		}
		assert.Equal(t, 7, verified, "one that is wrong is, each time")
		time.Sleep(basic.DefaultRemember)
		require.Equal(t, 200, login(g, "bea", "myPassword", "192.0.2.1").Code)
		assert.Equal(t, 8, verified)

		g = guard(t, basic.Options{Remember: -1})
		basic.Count(g, func() { verified++ })
		for range 2 {
			require.Equal(t, 200, login(g, "bea", "myPassword", "192.0.2.1").Code)
		}
		assert.Equal(t, 10, verified)
	})
}

func TestANameThatNobodyHasCostsAsMuch(t *testing.T) {
	g := guard(t, basic.Options{Users: map[string]string{"bea": hashes["bea"], "sam": hashes["sam"]}})
	var verified int
	basic.Count(g, func() { verified++ })
	stands := map[string]int{}
	for i := range 200 {
		name := "user" + strconv.Itoa(i)
		stands[basic.Stand(g, name)]++
		assert.Equal(t, basic.Stand(g, name), basic.Stand(g, name), "the same each time")
	}
	assert.Greater(t, stands[hashes["bea"]], 50, "as one of the kinds that there are: %v", stands)
	assert.Greater(t, stands[hashes["sam"]], 50)
	assert.Equal(t, 401, login(g, "nobody", "myPassword", "192.0.2.1").Code, "the right password of whoever stands in")
	assert.Equal(t, 401, login(g, "nobody", "myPassword", "192.0.2.1").Code, "and not from memory")
	assert.Equal(t, 2, verified)
}

func TestGuessingIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := guard(t, basic.Options{Users: map[string]string{"sam": hashes["sam"], "max": hashes["max"]}})
		require.Equal(t, 200, login(g, "sam", "myPassword", "192.0.2.1").Code)
		for range basic.DefaultAttempts - 1 {
			require.Equal(t, 401, login(g, "sam", "wrong", "192.0.2.1").Code)
		}
		w := login(g, "sam", "wrong", "192.0.2.1")
		assert.Equal(t, 429, w.Code)
		assert.Equal(t, "7", w.Header().Get("Retry-After"))
		assert.Equal(t, 200, login(g, "sam", "myPassword", "192.0.2.1").Code, "who is in stays in")
		assert.Equal(t, 401, login(g, "max", "wrong", "192.0.2.1").Code, "another name")
		assert.Equal(t, 401, login(g, "sam", "wrong", "192.0.2.2").Code, "another client")
		time.Sleep(7 * time.Second)
		assert.Equal(t, 401, login(g, "sam", "wrong", "192.0.2.1").Code)
		assert.Equal(t, 429, login(g, "sam", "wrong", "192.0.2.1").Code)

		// One client with many names, and one with many addresses in a network of its own.
		codes := map[int]int{}
		for i := range 150 {
			codes[login(g, "x"+strconv.Itoa(i), "wrong", "2001:db8::"+strconv.Itoa(i)).Code]++
		}
		assert.Equal(t, map[int]int{401: 100, 429: 50}, codes)
		assert.Equal(t, 401, login(g, "x", "wrong", "2001:db8:0:1::1").Code, "its neighbour")
	})
}

func TestAClientIsAnAddressOrANetworkOfIPv6(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::/64", "2001:db8::ffff:1": "2001:db8::/64",
		"2001:db8:0:1::": "2001:db8:0:1::/64", "fe80::1%eth0": "fe80::/64", "::1": "::/64",
	} {
		assert.Equal(t, want, basic.ClientKey(ip))
	}
}

type downStore struct{ ratelimit.Store }

func (downStore) Take(context.Context, string, time.Duration, time.Duration) (time.Duration, bool, error) {
	return 0, false, errors.New("down")
}

func TestWhenAttemptsCannotBeCountedNobodyEnters(t *testing.T) {
	g := guard(t, basic.Options{Store: downStore{}})
	w := login(g, "bea", "myPassword", "192.0.2.1")
	assert.Equal(t, 503, w.Code)
	assert.NotContains(t, w.Body.String(), "in:")
	r := httptest.NewRequest("GET", "/", nil)
	w = httptest.NewRecorder()
	g.Wrap(inside).ServeHTTP(w, r)
	assert.Equal(t, 401, w.Code, "the challenge needs no store")
}

func TestBadOptionsAreRefused(t *testing.T) {
	for want, o := range map[string]basic.Options{
		"no users and no file":            {},
		"use one of the two":              {Users: hashes, File: "x"},
		`the realm "a\"b"`:                {Users: hashes, Realm: `a"b`},
		"reading the users":               {File: "testdata/none"},
		`the user "ann": the password is`: {Users: map[string]string{"ann": "hunter2"}},
		`the user "bob": the password`:    {Users: map[string]string{"bob": ""}},
		`the name "a:b"`:                  {Users: map[string]string{"a:b": hashes["ann"]}},
		`the name ""`:                     {Users: map[string]string{"": hashes["ann"]}},
		"the rate":                        {Users: hashes, Attempts: ratelimit.Rate{Count: 5}},
	} {
		_, err := basic.New(o)
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

func BenchmarkGuard(b *testing.B) {
	g := guard(b, basic.Options{})
	h := g.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, name := range []string{"ann", "bea"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth(name, passwordOf(name))
		_, r = exchange.Of(r)
		w := httptest.NewRecorder()
		b.Run(name+"/remembered", func(b *testing.B) {
			h.ServeHTTP(w, r) // which verifies
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
	slow := guard(b, basic.Options{Remember: -1, Attempts: ratelimit.Rate{Count: 1e6, Per: time.Second}}).Wrap(inside)
	r := httptest.NewRequest("GET", "/", nil)
	r.SetBasicAuth("ann", "password")
	b.Run("ann/verified", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			slow.ServeHTTP(httptest.NewRecorder(), r)
		}
	})
}

func hasher(t testing.TB) *password.Hasher {
	t.Helper()
	h, err := password.New(password.Options{})
	require.NoError(t, err)
	return h
}
