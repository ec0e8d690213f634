package cookie_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"rws/server/cookie"
)

func request(fields ...string) http.Header { return http.Header{"Cookie": fields} }

func TestCookiesAreReadAsBrowsersSendThem(t *testing.T) {
	for field, want := range map[string]map[string]string{
		"a=1; b=2":                  {"a": "1", "b": "2"},
		"a=1;b=2;;  ; c = 3 ":       {"a": "1", "b": "2", "c": "3"},
		"a=first; a=second":         {"a": "first"},
		`q="quoted"; lone="`:        {"q": "quoted", "lone": `"`},
		`j={"n":1,"s":"a b"}`:       {"j": `{"n":1,"s":"a b"}`},
		"eq=a=b==":                  {"eq": "a=b=="},
		"u=caf%C3%A9; half=%4; x=%": {"u": "café", "half": "%4", "x": "%"},
		"raw=café":                  {"raw": "café"},
		"empty=":                    {"empty": ""},
		"nameless; =__Host-id=evil": {},
		"bad=a\x01b; good=1":        {"good": "1"},
		"":                          {},
	} {
		got := maps.Collect(cookie.All(request(field)))
		assert.Equal(t, want, got, "%q", field)
		for name, value := range want {
			v, ok := cookie.Get(request(field), name)
			assert.True(t, ok, "%q in %q", name, field)
			assert.Equal(t, value, v)
		}
	}
	_, ok := cookie.Get(request("a=1"), "A")
	assert.False(t, ok, "names have case")
	v, _ := cookie.Get(request("a=1", "b=2"), "b")
	assert.Equal(t, "2", v, "HTTP/2 may split the field")
}

func TestReadingIsBounded(t *testing.T) {
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("c%d=%d", i, i))
	}
	assert.Len(t, maps.Collect(cookie.All(request(strings.Join(many, ";")))), cookie.MaxCount)
	assert.Empty(t, maps.Collect(cookie.All(request("a="+strings.Repeat("x", cookie.MaxBytes)))))
}

func TestEncodingIsUndone(t *testing.T) {
	for value, want := range map[string]string{
		"plain-value_1.0/=:": "plain-value_1.0/=:",
		"a b":                "a%20b",
		"50%":                "50%25",
		"%41":                "%2541",
		"a;b,c\"d\\":         "a%3Bb%2Cc%22d%5C",
		"é\x00\n":            "%C3%A9%00%0A",
	} {
		assert.Equal(t, want, cookie.Encode(value))
		assert.Equal(t, value, cookie.Decode(want))
	}
}

// FuzzRead sees that no field panics and that every value survives being set and read.
func FuzzRead(f *testing.F) {
	f.Add("a=1; b=\"2\"; =c; d", "v a l; \"ü\"")
	f.Add("%=%zz;;=", "%")
	f.Fuzz(func(t *testing.T, field, value string) {
		for name, v := range cookie.All(request(field)) {
			if name == "" || strings.ContainsAny(name, ";=\x00\r\n") {
				t.Errorf("name %q of %q", name, field)
			}
			if got, ok := cookie.Get(request(field), name); !ok || got != v {
				t.Errorf("All has %q for %q, Get has %q", v, name, got)
			}
		}
		h := http.Header{}
		if err := cookie.Set(h, "n", value, cookie.Options{}, false); err != nil {
			if len(value) < 1000 {
				t.Errorf("%q: %v", value, err)
			}
			return
		}
		sent, _, _ := strings.Cut(h.Get("Set-Cookie"), ";")
		if got, ok := cookie.Get(request(sent), "n"); !ok || got != value {
			t.Errorf("set %q, sent %q, got %q", value, sent, got)
		}
	})
}
