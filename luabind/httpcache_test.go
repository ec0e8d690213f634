package luabind_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
)

// load loads a script with flags.
func loadScript(t *testing.T, source string, flags map[string]string) (*luabind.Program, error) {
	t.Helper()
	p, err := luabind.Load(luabind.Options{File: "app.lua", Source: source, Dir: t.TempDir(), Flags: flags})
	if err == nil {
		t.Cleanup(func() { assert.NoError(t, p.Close(t.Context())) })
	}
	return p, err
}

func TestAllIsolatesShareAnHTTPCache(t *testing.T) {
	h := handler(t, `
		app:config { isolates = 3 }
		local first = rws.http_cache { ttl = "1m" }
		local pages = rws.http_cache { ttl = "1m" }
		app:get("/", pages, function() return tostring(app.shared:incr("n")) end)
		app:post("/purge", function() return tostring(pages:purge("/")) end)
		app:get("/first", function() return tostring(first:stats().entries) end)
	`)
	ask := func(method, path string) string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w.Body.String()
	}
	for range 6 {
		assert.Equal(t, "1", ask("GET", "/"))
	}
	assert.Equal(t, "1", ask("POST", "/purge"))
	for range 6 {
		assert.Equal(t, "2", ask("GET", "/"))
		assert.Equal(t, "0", ask("GET", "/first"))
	}
}

func TestWhatAnHTTPCacheIsToldWrongly(t *testing.T) {
	for source, want := range map[string]string{
		"\nrws.http_cache { ttl = 60 }":                            `app.lua:2`,
		"\nrws.http_cache { tll = '1m' }":                          `did you mean "ttl"`,
		"\nrws.http_cache { size = '1mb', max_entry = '2mb' }":     "does not fit",
		"\nrws.http_cache { size = '1kb' }":                        "room for nothing",
		"\nrws.metrics.histogram('h', nil, { buckets = {} })":      "the list of buckets is empty",
		"\nrws.http_cache { vary = { 'a b' } }":                    "a b",
		"\nrws.http_cache { ttl = '1m' }:purge()":                  "a path such as",
		"\nrws.http_cache { ttl = '1m' }:purge('notes')":           "clear() removes everything",
		"\nrws.http_cache { ttl = '1m' }:purge_tag('')":            "a tag expected",
		"\nrws.http_cache { ttl = '1m' }.purge('/')":               "colon",
		"\napp:get('/', rws.http_cache(), {}, {}, function() end)": "second spec",
	} {
		_, err := loadScript(t, source, nil)
		require.Error(t, err, source)
		assert.Contains(t, err.Error(), want, source)
	}
}

// BenchmarkHTTPCache compares a page that Lua makes with one the cache has.
func BenchmarkHTTPCache(b *testing.B) {
	page := `function(c)
		local rows = {}
		for n = 1, 20 do rows[n] = { id = n, title = "note number " .. n, done = n % 2 == 0 } end
		return { notes = rows }
	end)`
	for name, source := range map[string]string{"lua": `app:get("/", ` + page, "hit": `app:get("/", rws.http_cache { ttl = "1h" }, ` + page} {
		b.Run(name, func(b *testing.B) {
			h := handler(b, source)
			r := httptest.NewRequest("GET", "/", nil)
			w := &discard{make(map[string][]string)}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
			if status := strings.Join(w.header["Cache-Status"], ""); (name == "hit") != strings.HasPrefix(status, "rws; hit") {
				b.Fatalf("Cache-Status: %q", status)
			}
		})
	}
}
