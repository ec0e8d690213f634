package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy"
)

func mirror(t testing.TB, o proxy.MirrorOptions) *proxy.Mirror {
	t.Helper()
	if o.Logger == nil {
		o.Logger = quiet
	}
	m, err := proxy.NewMirror(o)
	require.NoError(t, err)
	return m
}

// sink notes the requests it gets.
type sink struct {
	mu  sync.Mutex
	all []string
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, fmt.Sprintf("%s %s %s %s", r.Method, r.URL.Path, r.Header.Get("X-A"), body))
	w.Header().Set("X-Shadow", "1")
	_, _ = w.Write(body)
}

func (s *sink) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.all...)
}

func TestMirror(t *testing.T) {
	shadow := &sink{}
	m := mirror(t, proxy.MirrorOptions{Share: 1, Shadow: shadow, MaxBody: 8, Main: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("X-A", "changed")
		if r.URL.Path != "/lazy" {
			_, _ = io.Copy(w, r.Body)
		}
	})})
	f := serve(t, m)
	post := func(path, body string) {
		r, err := http.NewRequest("POST", f.url(path), io.MultiReader(strings.NewReader(body)))
		require.NoError(t, err)
		r.Header.Set("X-A", "a")
		res, got := do(t, client(t), r)
		if path != "/lazy" {
			assert.Equal(t, body, got)
		}
		assert.Empty(t, res.Header.Get("X-Shadow"))
	}
	post("/a", "12345678")
	eventually(t, func() bool { return len(shadow.got()) == 1 })
	assert.Equal(t, []string{"POST /a a 12345678"}, shadow.got())
	post("/large", "123456789")
	post("/lazy", "1")
	eventually(t, func() bool { return m.Stats().Skipped == 2 })
	assert.Equal(t, uint64(1), m.Stats().Mirrored)
	none := &sink{}
	_, _ = get(t, client(t), serve(t, mirror(t, proxy.MirrorOptions{Main: says("", 200), Shadow: none})).url("/"))
	assert.Empty(t, none.got())
}

// A shadow that hangs slows nobody, and takes no more than its share of memory.
func TestMirrorNeverWaitsForTheShadow(t *testing.T) {
	release := make(chan struct{})
	var hanging atomic.Int64
	m := mirror(t, proxy.MirrorOptions{Share: 1, Concurrency: 2, Main: says("main", 200), Shadow: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		hanging.Add(1)
		defer hanging.Add(-1)
		<-release
	})})
	f := serve(t, m)
	c := client(t)
	for range 10 {
		_, body := get(t, c, f.url("/"))
		assert.Equal(t, "main", body)
	}
	assert.Equal(t, proxy.MirrorStats{Mirrored: 2, Skipped: 8}, m.Stats())
	close(release)
	eventually(t, func() bool { return hanging.Load() == 0 })
}

func TestMirrorTellsOfDifferences(t *testing.T) {
	for _, c := range []struct {
		shadow  http.Handler
		differs bool
	}{{says("main", 200), false}, {says("mein", 200), true}, {says("main", 201), true}, {says("mainly", 200), true}, {to(t, proxy.Options{}, nobody(t)), true}} {
		var log bytes.Buffer
		done := make(chan struct{})
		m := mirror(t, proxy.MirrorOptions{Share: 1, Diff: true, Main: says("main", 200), Logger: slog.New(slog.NewJSONHandler(&log, nil)),
			Shadow: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(done)
				c.shadow.ServeHTTP(w, r)
			})})
		_, _ = get(t, client(t), serve(t, m).url("/"))
		<-done
		if c.differs {
			eventually(t, func() bool { return m.Stats().Differed == 1 })
		}
		assert.Equal(t, c.differs, m.Stats().Differed == 1)
	}
}

func TestMirrorTellsWhatItLeavesOut(t *testing.T) {
	var log bytes.Buffer
	m := mirror(t, proxy.MirrorOptions{Share: 1, MaxBody: 2, Main: says("main", 200), Shadow: says("", 200),
		Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	m.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/a", strings.NewReader("abc")))
	assert.Contains(t, log.String(), `"level":"DEBUG"`)
	assert.Contains(t, log.String(), `"path":"/a","why":"the body is too large"`)
}
