package middleware_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/exchange"
	"rws/server/middleware"
	"rws/spec_test/logtext"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what should happen at once; it is only used up by a failure.
const patience = 20 * time.Second

// must is for constructors whose options are good.
func must[T any](made T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		require.NoError(t, err)
		return made
	}
}

// ask makes one request in process, with an exchange as the server makes it. The target may be
// "METHOD target", edits change the request.
func ask(h http.Handler, target string, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	method, path, ok := strings.Cut(target, " ")
	if !ok {
		method, path = "GET", target
	}
	r := httptest.NewRequest(method, path, nil)
	for _, f := range edit {
		f(r)
	}
	e := exchange.New(r)
	defer e.End()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(e))
	return w
}

// with sets headers, given as "Name: value"; a name that comes twice has two lines. Names are kept as
// they are written where that is not their usual form.
func with(lines ...string) func(*http.Request) {
	return func(r *http.Request) {
		for _, line := range lines {
			name, value, _ := strings.Cut(line, ": ")
			name = http.CanonicalHeaderKey(name)
			r.Header[name] = append(r.Header[name], value)
		}
	}
}

func from(addr string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = addr } }

// say is a handler that answers with text.
func say(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

// clientOf answers with the address the request is said to come from.
var clientOf = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, exchange.From(r.Context()).ClientIP().String())
})

// record is a log to look into.
type record struct{ logtext.Buffer }

func (r *record) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(r, nil)) }

// refused is a table of options that a constructor must refuse, by a part of the error.
func refused[O any](t *testing.T, make func(O) (middleware.Func, error), table map[string]O) {
	t.Helper()
	for part, o := range table {
		_, err := make(o)
		require.ErrorContains(t, err, part)
	}
}
