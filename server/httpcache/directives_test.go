package httpcache

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestDirectivesAreReadInFavourOfKeepingLess(t *testing.T) {
	none := parseDirectives(nil)
	for text, want := range map[string]func(*directives){
		"":                                 func(*directives) {},
		"Public, MAX-AGE=60":               func(d *directives) { d.Public, d.MaxAge = true, time.Minute },
		`max-age="60"`:                     func(d *directives) { d.MaxAge = time.Minute },
		"max-age=60, max-age=5":            func(d *directives) { d.MaxAge = 5 * time.Second },
		"max-age=-1":                       func(d *directives) { d.MaxAge = 0 },
		"max-age=1.5":                      func(d *directives) { d.MaxAge = 0 },
		"max-age=":                         func(d *directives) { d.MaxAge = 0 },
		"max-age":                          func(d *directives) { d.MaxAge = 0 },
		"max-age =60":                      func(*directives) {},
		"max-age=99999999999999999999":     func(d *directives) { d.MaxAge = forever },
		`private="x-field"`:                func(d *directives) { d.Private = true },
		`no-cache="a, no-store"`:           func(d *directives) { d.NoCache = true },
		`ext="a, no-store", max-age=1`:     func(d *directives) { d.MaxAge = time.Second },
		`ext="a \", max-age=7", max-age=1`: func(d *directives) { d.MaxAge = time.Second },
		`max-age=60, ext="open, no-store`:  func(d *directives) { d.MaxAge, d.NoStore = time.Minute, true },
		"max-stale":                        func(d *directives) { d.MaxStale = forever },
		",, ,no-store":                     func(d *directives) { d.NoStore = true },
		"s-maxage=1,stale-while-revalidate=2,stale-if-error=3": func(d *directives) {
			d.SMaxAge, d.StaleWhileRevalidate, d.StaleIfError = time.Second, 2*time.Second, 3*time.Second
		},
	} {
		d := none
		want(&d)
		assert.Equal(t, d, parseDirectives([]string{text}), text)
	}
	assert.True(t, requested(nil, []string{"no-cache"}).NoCache)
	assert.False(t, requested([]string{"max-age=1"}, []string{"no-cache"}).NoCache)
}

func FuzzDirectives(f *testing.F) {
	for _, s := range []string{"max-age=1, no-store", `a="b\"c", private`, `max-age="`, "=,=", `x="\`, "public;q=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d := parseDirectives([]string{s})
		for _, n := range []time.Duration{d.MaxAge, d.SMaxAge, d.MinFresh, d.MaxStale, d.StaleIfError, d.StaleWhileRevalidate} {
			if n < absent || n > forever {
				t.Fatalf("%q: %d", s, n)
			}
		}
		// What stands unquoted in a list of its own is always found behind it.
		if more := parseDirectives([]string{s, "no-store, private"}); !more.NoStore || !more.Private {
			t.Fatalf("%q hides what follows", s)
		}
		if !strings.Contains(s, `"`) {
			if more := parseDirectives([]string{s + ",no-store"}); !more.NoStore {
				t.Fatalf("%q hides what follows in the same field", s)
			}
		}
		parseTargeted(s)
	})
}

// FuzzPath holds the key to what the router does: paths that differ after decoding, segment by
// segment, have different keys.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"/a", "/%61", "/a%2Fb", "/a%2fb", "/a/b", "/%25", "/%", "/%3F", "/a%252Fb"} {
		f.Add(s, "/a")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.ContainsAny(a+b, "?#") {
			return
		}
		same := string(appendPath(nil, a)) == string(appendPath(nil, b))
		if got := segments(a) == segments(b); got != same {
			t.Fatalf("%q and %q: equal %t, keys equal %t", a, b, got, same)
		}
	})
}

// segments decodes a path as the router does, with a mark between segments that no byte is.
func segments(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c == '%' && i+2 < len(path) {
			if v, ok := unhex(path[i+1], path[i+2]); ok {
				b.WriteString("<" + string(rune(v)) + ">")
				i += 2
				continue
			}
		}
		if c == '/' {
			b.WriteString("|")
			continue
		}
		b.WriteString("<" + string(rune(c)) + ">")
	}
	return b.String()
}
