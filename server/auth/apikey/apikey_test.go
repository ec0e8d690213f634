package apikey_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/auth/apikey"
	"rws/server/exchange"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func generate(t testing.TB) (string, apikey.Record) {
	t.Helper()
	key, r, err := apikey.Generate("")
	require.NoError(t, err)
	return key, r
}

func list(t testing.TB, records ...apikey.Record) apikey.Lookup {
	t.Helper()
	l, err := apikey.List(records...)
	require.NoError(t, err)
	return l
}

func TestAKeyMatchesItsRecordOnly(t *testing.T) {
	key, r := generate(t)
	assert.Regexp(t, `^rws_[a-z2-7]{8}_[a-z2-7]{38}$`, key)
	assert.Len(t, r.Hash, 64)
	assert.NotContains(t, fmt.Sprint(r), key[13:])
	id, err := apikey.ParseID(key)
	require.NoError(t, err)
	assert.Equal(t, r.ID, id)
	assert.True(t, r.Matches(key))
	other, _ := generate(t)
	assert.False(t, r.Matches(other))
	assert.False(t, r.Matches(""))
	assert.False(t, apikey.Record{}.Matches(""), "no record is the one of no key")
	named, _, err := apikey.Generate("Acme1")
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(named, "Acme1_"))
	for _, prefix := range []string{"a_b", "ü", "a b", strings.Repeat("x", 17)} {
		_, _, err := apikey.Generate(prefix)
		require.ErrorContains(t, err, "use 1 to 16 letters and digits")
	}
}

func TestAMistypedKeyIsNoticed(t *testing.T) {
	key, _ := generate(t)
	for i := range key {
		for _, c := range "ab_ " {
			if wrong := key[:i] + string(c) + key[i+1:]; wrong != key {
				_, err := apikey.ParseID(wrong)
				require.ErrorIs(t, err, apikey.ErrMalformed, wrong)
			}
		}
	}
	for _, wrong := range []string{"", "_", "__", key[1:], key[:len(key)-1], key + "a", strings.ToUpper(key), " " + key, key + "\n", strings.Repeat("x", 100) + key, strings.Repeat("_", 1e5)} {
		_, err := apikey.ParseID(wrong)
		require.ErrorIs(t, err, apikey.ErrMalformed, "%.80q", wrong)
	}
}

// inside tells who got in.
var inside = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, "in: ", exchange.From(r.Context()).User)
})

func guarded(t testing.TB, o apikey.Options) http.Handler {
	t.Helper()
	guard, err := apikey.New(o)
	require.NoError(t, err)
	return guard(inside)
}

// send sends raw header lines.
func send(t *testing.T, h http.Handler, target string, lines ...string) int {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", target, strings.Join(append(lines, "Connection: close"), "\r\n"))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.StatusCode
}

func TestNoSpellingGetsAround(t *testing.T) {
	key, r := generate(t)
	other, _ := generate(t)
	h := guarded(t, apikey.Options{Lookup: list(t, r), Query: "key"})
	for line, want := range map[string]int{
		"X-API-Key: " + key:                               200,
		"x-api-key:   " + key + "  ":                      200,
		"X-Api-Key: " + key + "\r\nConnection: X-Api-Key": 200,
		"X-Api-Key: " + other:                             401,
		"X-Api-Key: " + strings.ToUpper(key):              401,
		"X-Api-Key: " + r.Hash:                            401,
		"X-Api-Key: " + r.ID:                              401,
		"X-Api-Key:":                                      401,
		"X-Api-Key: Bearer " + key:                        401,
		"X_Api_Key: " + key:                               401,
		"X.Api.Key: " + key:                               401,
		"Authorization: Bearer " + key:                    401,
		"X-Api-Key: " + key + "\r\nX-Api-Key: " + key:     401,
		"X-Api-Key: x\r\nX-Api-Key: " + key:               401,
	} {
		assert.Equal(t, want, send(t, h, "/", line), line)
	}
	for target, want := range map[string]int{
		"/?a=1&key=" + key:             200,
		"/?key=" + key + "&key=" + key: 401,
		"/?key=" + key + ";":           401,
		"/?KEY=" + key:                 401,
		"/?key=":                       401,
	} {
		assert.Equal(t, want, send(t, h, target), target)
	}
	assert.Equal(t, 401, send(t, h, "/?key="+key, "X-Api-Key: "+key))
	assert.Equal(t, 401, send(t, guarded(t, apikey.Options{Lookup: list(t, r)}), "/?key="+key+"&X-Api-Key="+key), "queries are asked for")

	h = guarded(t, apikey.Options{Lookup: list(t, r), Header: "authorization"})
	for line, want := range map[string]int{
		"Authorization: Bearer " + key: 200, "Authorization: apikey " + key: 200,
		"Authorization: " + key: 401, "Authorization: Basic " + key: 401, "Authorization: Bearer": 401,
	} {
		assert.Equal(t, want, send(t, h, "/", line), line)
	}
}

func TestScopesAndTimeAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key, r := generate(t)
		r.Name, r.Scopes, r.Expires = "ci", []string{"read", "write"}, time.Now().Add(time.Hour)
		answer := func(scopes ...string) *httptest.ResponseRecorder {
			req := httptest.NewRequest("GET", "/", nil)
			req.Header.Set("X-Api-Key", key)
			w := httptest.NewRecorder()
			guarded(t, apikey.Options{Lookup: list(t, r), Scopes: scopes}).ServeHTTP(w, req)
			return w
		}
		assert.Equal(t, "in: map[id:"+r.ID+" name:ci scopes:[read write]]", answer().Body.String())
		assert.Equal(t, 200, answer("write", "read").Code)
		w := answer("read", "Write")
		assert.Equal(t, 403, w.Code)
		assert.Contains(t, w.Body.String(), "lacks the scope Write")
		time.Sleep(time.Hour)
		w = answer()
		assert.Equal(t, 401, w.Code)
		assert.Equal(t, `ApiKey header="X-Api-Key"`, w.Header().Get("Www-Authenticate"))
		assert.NotContains(t, w.Body.String(), "expired", "nobody is told why")
	})
}

func TestWhenKeysCannotBeLookedUpNobodyEnters(t *testing.T) {
	key, r := generate(t)
	_, stranger := generate(t)
	for name, c := range map[string]struct {
		lookup apikey.Lookup
		want   int
	}{
		"down":             {func(context.Context, string) (*apikey.Record, error) { return nil, errors.New("down") }, 503},
		"down, with one":   {func(context.Context, string) (*apikey.Record, error) { return &r, errors.New("down") }, 503},
		"none":             {func(context.Context, string) (*apikey.Record, error) { return nil, nil }, 401},
		"another":          {func(context.Context, string) (*apikey.Record, error) { return &stranger, nil }, 401},
		"an empty one":     {func(context.Context, string) (*apikey.Record, error) { return &apikey.Record{}, nil }, 401},
		"one without hash": {func(context.Context, string) (*apikey.Record, error) { return &apikey.Record{ID: r.ID}, nil }, 401},
	} {
		assert.Equal(t, c.want, send(t, guarded(t, apikey.Options{Lookup: c.lookup}), "/", "X-Api-Key: "+key), name)
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	key, r := generate(t)
	for want, records := range map[string][]apikey.Record{
		"the list is empty":                 {},
		"is there twice":                    {r, r},
		"a key itself does not belong here": {{ID: r.ID, Hash: key, Name: "x"}},
		`the key "x": the id must be`:       {{ID: "short", Hash: r.Hash, Name: "x"}},
	} {
		_, err := apikey.List(records...)
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), key)
	}
	l := list(t, r)
	for want, o := range map[string]apikey.Options{
		"nothing to look keys up with": {},
		"no name of a header":          {Lookup: l, Header: "a b"},
		"a scope is empty":             {Lookup: l, Scopes: []string{""}},
	} {
		_, err := apikey.New(o)
		require.ErrorContains(t, err, want)
	}
}

func FuzzParseID(f *testing.F) {
	key, _ := generate(f)
	f.Add(key)
	f.Add("a_b_c")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := apikey.ParseID(text)
		if (err == nil) != (id != "") || id != "" && !strings.Contains(text, "_"+id+"_") {
			t.Errorf("%q: %q, %v", text, id, err)
		}
	})
}

func BenchmarkGuard(b *testing.B) {
	key, r := generate(b)
	guard, err := apikey.New(apikey.Options{Lookup: list(b, r)})
	require.NoError(b, err)
	h := guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	req := httptest.NewRequest("GET", "/", nil)
	req.Header.Set("X-Api-Key", key)
	_, req = exchange.Of(req)
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, req)
	}
}
