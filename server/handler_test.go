package server_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server"
	"rws/server/exchange"
	"rws/server/problem"
	"rws/spec_test/logtext"
)

func TestRouting(t *testing.T) {
	h := compiled(t, app(map[string]http.Handler{
		"GET /notes/:id{int}": say("note"), "POST /notes": say("made"), "GET /dir/": say("dir"), "/any": say("any"), "TRACE /traced": say("for this one"),
		"/nothing": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5") // as a backend may say
			w.WriteHeader(http.StatusNoContent)
		}),
	}))
	for target, want := range map[string]struct {
		status   int
		header   string
		contains string
	}{
		"/notes/7":               {200, "", "note"},
		"HEAD /notes/7":          {200, "", ""},
		"POST /notes":            {200, "", "made"},
		"PATCH /any":             {200, "", "any"},
		"/notes/x":               {404, "", `"status":404`},
		"/notes":                 {405, "Allow: OPTIONS, POST", `"status":405`},
		"DELETE /notes/7":        {405, "Allow: GET, HEAD, OPTIONS", `"status":405`},
		"OPTIONS /notes/7":       {204, "Allow: GET, HEAD, OPTIONS", ""},
		"OPTIONS *":              {204, "", ""},
		"/dir?a=1&b=%20":         {308, "Location: /dir/?a=1&b=%20", ""},
		"/notes/7/":              {308, "Location: /notes/7", ""},
		"/a/../b":                {400, "", "segment"},
		"/a%00b":                 {400, "", "control"},
		"CONNECT example.com:80": {501, "Connection: close", "tunnel"},
		"TRACE /any":             {501, "", "TRACE"},
		"TRACE /notes":           {405, "Allow: OPTIONS, POST", ""},
		"TRACE /traced":          {200, "", "for this one"},
		"/nothing":               {204, "Content-Length: ", ""},
	} {
		w := ask(h, target)
		assert.Equal(t, want.status, w.Code, target)
		assert.Contains(t, w.Body.String(), want.contains, target)
		if name, value, ok := strings.Cut(want.header, ": "); ok {
			assert.Equal(t, value, w.Header().Get(name), target)
		}
	}
}

func TestEveryFaultOfAnAppIsNamed(t *testing.T) {
	_, err := server.Compile(&server.App{Routes: []server.Route{
		{Pattern: "/a", Source: "app.lua:1"},
		{Pattern: "no-slash", Handler: say(""), Source: "app.lua:2"},
		{Pattern: "/b", Handler: say(""), Timeout: -1},
	}, Settings: server.Settings{TLS: server.TLS{Cert: "x.pem"}}})
	require.Error(t, err)
	for _, part := range []string{"/a: it has no handler", "app.lua:2", "timeout", `tls.cert is "x.pem"`} {
		assert.Contains(t, err.Error(), part)
	}
}

func TestTheExchangeIsTheContext(t *testing.T) {
	var e *exchange.Exchange
	a := &server.App{Routes: []server.Route{{Pattern: "/u/:name", Name: "user", Handler: http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) { e = r.Context().(*exchange.Exchange) })}}}
	ask(compiled(t, a), "/u/ann%2Fbob", func(r *http.Request) { r.Header.Set("X-Request-Id", "abc") })
	name, _ := e.Params.Get("name")
	assert.Equal(t, "ann/bob", name)
	assert.Equal(t, "/u/:name", e.Route)
	assert.Equal(t, "user", e.RouteName)
	assert.Equal(t, "abc", e.ID())
	assert.Error(t, e.Err(), "its context ends with the request")
}

func TestManyParametersAreNotMixedUp(t *testing.T) {
	var kept []*exchange.Exchange
	pattern := "/:a/:b/:c/:d/:e/:f/:g/:h/:i/:j"
	h := compiled(t, app(map[string]http.Handler{pattern: http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) { kept = append(kept, exchange.From(r.Context())) })}))
	ask(h, "/1/1/1/1/1/1/1/1/1/1")
	ask(h, "/2/2/2/2/2/2/2/2/2/2")
	last, _ := kept[0].Params.Get("j")
	assert.Equal(t, "1", last)
}

func TestMissIsTheApps(t *testing.T) {
	a := app(map[string]http.Handler{"GET /x": say("")})
	a.Miss = func(w http.ResponseWriter, r *http.Request, m server.Miss) {
		if r.URL.Path == "/silent" {
			return
		}
		w.WriteHeader(m.Status)
		_, _ = io.WriteString(w, strings.Join(m.Allow, "+"))
		if m.Reason != nil {
			_, _ = io.WriteString(w, m.Reason.Error())
		}
	}
	h := compiled(t, a)
	assert.Equal(t, 404, ask(h, "/y").Code)
	w := ask(h, "PUT /x")
	assert.Equal(t, "GET+HEAD+OPTIONS", w.Body.String())
	assert.Equal(t, "GET, HEAD, OPTIONS", w.Header().Get("Allow"))
	assert.NotEmpty(t, ask(h, "/%ff").Body.String())
	assert.Equal(t, 404, ask(h, "/silent").Code, "never an empty 200")
}

func logged(t *testing.T) *logtext.Buffer {
	log, before := &logtext.Buffer{}, slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return log
}

func TestAPanicIsA500AndIsLogged(t *testing.T) {
	log := logged(t)
	h := compiled(t, app(map[string]http.Handler{"/": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("ouch secret") })}))
	w := ask(h, "/", func(r *http.Request) { r.Header.Set("X-Request-Id", "the-id") })
	assert.Equal(t, 500, w.Code)
	assert.Contains(t, w.Body.String(), `"request_id":"the-id"`)
	assert.NotContains(t, w.Body.String(), "secret")
	assert.Contains(t, log.String(), "ouch secret")
	assert.Contains(t, log.String(), "the-id")
	assert.Contains(t, log.String(), "handler_test.go", "the stack")
	assert.EqualValues(t, 1, h.Stats().Routes[0].Errors)
	assert.Zero(t, h.Stats().InFlight)
}

func TestAPanicInTheMiddleOfAnAnswerBreaksItOff(t *testing.T) {
	logged(t)
	h := compiled(t, app(map[string]http.Handler{
		"/panic": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "half"); panic("x") }),
		"/abort": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
	}))
	for _, target := range []string{"/panic", "/abort"} {
		assert.PanicsWithValue(t, http.ErrAbortHandler, func() { ask(h, target) }, target)
	}
	assert.Zero(t, h.Stats().InFlight)
}

// failing sets the fault and writes nothing.
func failing(err error) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { exchange.From(r.Context()).Fault = err })
}

func TestFaults(t *testing.T) {
	log := logged(t)
	for _, c := range []struct {
		err    error
		status int
	}{
		{errors.New("db gone"), 500},
		{&http.MaxBytesError{Limit: 5}, 413},
		{server.ErrSlowBody, 408},
		{context.DeadlineExceeded, 504},
		{server.ErrReplaced, 503},
	} {
		w := ask(compiled(t, app(map[string]http.Handler{"/": failing(c.err)})), "/")
		assert.Equal(t, c.status, w.Code, c.err)
		assert.NotContains(t, w.Body.String(), "db gone")
	}
	assert.Contains(t, log.String(), "db gone")
}

func TestFailIsTheApps(t *testing.T) {
	log := logged(t)
	a := app(map[string]http.Handler{
		"/fault":  failing(errors.New("f")),
		"/panic":  http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("p") }),
		"/silent": failing(errors.New("s")),
		"/bad":    failing(errors.New("b")),
		"/late": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(202)
			failing(errors.New("l")).ServeHTTP(w, r)
		}),
	})
	a.Fail = func(w http.ResponseWriter, r *http.Request, err error) {
		switch r.URL.Path {
		case "/silent":
		case "/bad":
			panic("again")
		default:
			w.WriteHeader(599)
			_, _ = io.WriteString(w, err.Error())
		}
	}
	h := compiled(t, a)
	assert.Equal(t, "f", ask(h, "/fault").Body.String())
	w := ask(h, "/panic")
	assert.Equal(t, 599, w.Code)
	assert.Equal(t, "panic: p", w.Body.String())
	assert.Equal(t, 500, ask(h, "/silent").Code, "never an empty 200")
	assert.Equal(t, 500, ask(h, "/bad").Code)
	assert.Contains(t, log.String(), "again")
	assert.Equal(t, 202, ask(h, "/late").Code, "what is sent stays")
}

func TestTimeoutEndsTheContext(t *testing.T) {
	logged(t)
	a := &server.App{Routes: []server.Route{{Pattern: "/", Timeout: time.Millisecond, Handler: http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })}}}
	assert.Equal(t, 504, ask(compiled(t, a), "/").Code)
}

func TestHeaderFieldsAreCounted(t *testing.T) {
	a := app(map[string]http.Handler{"/": say("ok")})
	a.Settings.MaxHeaders = 3
	h := compiled(t, a)
	add := func(n int) func(*http.Request) {
		return func(r *http.Request) {
			for range n {
				r.Header.Add("X-Same", "1")
			}
		}
	}
	assert.Equal(t, 200, ask(h, "/", add(3)).Code)
	assert.Equal(t, 431, ask(h, "/", add(4)).Code)
	a = app(map[string]http.Handler{"/": say("ok")})
	a.Settings.MaxHeaders = -1
	assert.Equal(t, 200, ask(compiled(t, a), "/", add(1000)).Code)
}

func TestStatsByRoute(t *testing.T) {
	logged(t)
	h := compiled(t, &server.App{Routes: []server.Route{
		{Pattern: "/a", Handler: say("")}, {Pattern: "/b", Handler: failing(errors.New("x"))},
	}})
	ask(h, "/a")
	ask(h, "/a")
	ask(h, "/b")
	ask(h, "/none")
	s := h.Stats()
	assert.EqualValues(t, 4, s.Total)
	assert.EqualValues(t, 2, s.Routes[0].Count)
	assert.Zero(t, s.Routes[0].Errors)
	assert.EqualValues(t, 1, s.Routes[1].Errors)
	assert.LessOrEqual(t, s.Routes[0].Slowest, s.Routes[0].Time)
	assert.Equal(t, "/a", s.Routes[0].Route.Pattern)
}

func TestExplain(t *testing.T) {
	h := compiled(t, app(map[string]http.Handler{"GET /a/:id{int}": say("")}))
	e := h.Explain("", "GET", "/a/x")
	require.Len(t, e.Steps, 1)
	assert.Contains(t, e.Steps[0].Reason, "int")
}

func TestAClosedHandlerAnswers503(t *testing.T) {
	closes := 0
	a := app(map[string]http.Handler{"/": say("")})
	a.Close = func(context.Context) error { closes++; return nil }
	h, err := server.Compile(a)
	require.NoError(t, err)
	require.NoError(t, h.Close(t.Context()))
	require.NoError(t, h.Close(t.Context()))
	assert.Equal(t, 1, closes)
	w := ask(h, "/")
	assert.Equal(t, 503, w.Code)
	assert.NotEmpty(t, w.Header().Get("Retry-After"))
}

func TestTheWriterKeepsWhatIsBelow(t *testing.T) {
	h := compiled(t, app(map[string]http.Handler{"/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "a")
		assert.NoError(t, http.NewResponseController(w).Flush())
		w.(http.Flusher).Flush()
		_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("b"))
		_, _, err := w.(http.Hijacker).Hijack()
		assert.ErrorIs(t, err, http.ErrNotSupported, "a recorder has no connection")
		problem.Write(w, r, problem.Details{Status: 500}) // too late, and knows it
	})}))
	w := ask(h, "/")
	assert.True(t, w.Flushed)
	assert.Equal(t, 200, w.Code)
	assert.Equal(t, "ab", w.Body.String())
}

func TestBefore(t *testing.T) {
	a := app(map[string]http.Handler{
		"GET /notes": say("notes"),
		"GET /bad":   failing(errors.New("broken")),
	})
	mark := func(name string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Add("Marks", name)
				next.ServeHTTP(w, r)
			})
		}
	}
	move := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/old" {
				r = r.Clone(r.Context())
				r.URL.Path = "/notes"
			}
			if r.URL.Path == "/closed" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	a.Before = []func(http.Handler) http.Handler{mark("first"), mark("second"), move}
	h := compiled(t, a)
	for target, want := range map[string]int{
		"/notes": 200, "/old": 200, "/none": 404, "POST /notes": 405, "OPTIONS /notes": 204, "/closed": 403, "/bad": 500,
	} {
		w := ask(h, target)
		assert.Equal(t, want, w.Code, target)
		assert.Equal(t, []string{"first", "second"}, w.Header()["Marks"], target)
	}
}
