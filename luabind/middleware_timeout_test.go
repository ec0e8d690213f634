package luabind_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
	"rws/server"
)

// A client that leaves when it has got its 504 is not why the handler has failed.
func TestABusyLoopBeyondItsTimeIsNoClientThatLeft(t *testing.T) {
	var out bytes.Buffer
	p, err := luabind.Load(luabind.Options{File: "app.lua", Dir: t.TempDir(), Source: `
		app:config { stall = "200ms" }
		app:get("/", rws.timeout "20ms", function() while true do end end)
	`, Logger: func(*luabind.Config) *slog.Logger { return slog.New(slog.NewTextHandler(&out, nil)) }})
	require.NoError(t, err)
	defer p.Close(t.Context())
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil))) // where a handler without a server writes
	defer slog.SetDefault(before)
	h, err := server.Compile(p.App)
	require.NoError(t, err)
	for range 10 {
		ctx, leave := context.WithCancel(t.Context())
		w := &leaving{httptest.NewRecorder(), leave}
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
		assert.Equal(t, 504, w.Code)
	}
	assert.NotContains(t, out.String(), "client closed")
	assert.Contains(t, out.String(), "app.lua:3", "the place where it computed")
}

func TestABusyLoopInALoadedChunkHasItsPlace(t *testing.T) {
	p := newApp(t, `
		app:config { stall = "100ms" }
		app:get("/busy", loadstring("\nwhile true do end", "=busy"))`, nil)
	a := do(t, p, "GET /busy")
	assert.Equal(t, 500, a.Status)
	assert.Contains(t, string(a.Body), "busy:2")
}

// leaving is a client that leaves when it has its answer.
type leaving struct {
	*httptest.ResponseRecorder
	leave func()
}

func (l *leaving) WriteHeader(status int) {
	l.ResponseRecorder.WriteHeader(status)
	l.leave()
}

func TestATimeoutOfASpecSaysWhatItWas(t *testing.T) {
	h := handler(t, `app:get("/", { timeout = "10ms" }, function() rws.sleep("10s") end)`)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	assert.Equal(t, 504, w.Code)
	assert.Contains(t, w.Body.String(), "The answer took too long.")
}

// A handler that catches the error of its wait must not race with the answer for its time.
func TestAnAnswerThatComesLateIsNone(t *testing.T) {
	h := handler(t, `
		local late = function() rws.try(rws.sleep, "5s") return "late" end
		app:get("/middleware", rws.timeout "20ms", late)
		app:get("/spec", { timeout = "20ms" }, late)
		app:get("/around", { timeout = "20ms" }, function(c, next) return next() end, late)
		app:get("/guarded", { timeout = "20ms" }, rws.max_body "1kb", late)
	`)
	for path, want := range map[string]int{"/middleware": 504, "/spec": 504, "/around": 504, "/guarded": 504} {
		for range 10 {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			require.Equal(t, want, w.Code, path+": "+w.Body.String())
		}
	}
}

func TestWhatHandlesErrorsAnswersForALateOne(t *testing.T) {
	h := handler(t, `
		app:on_error(504, function(c) return c:text("mine", 504) end)
		app:get("/", { timeout = "10ms" }, function() rws.try(rws.sleep, "5s") return "late" end)
	`)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	assert.Equal(t, 504, w.Code)
	assert.Equal(t, "mine", w.Body.String())
}
