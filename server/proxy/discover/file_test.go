package discover_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/discover"
)

func TestLinesOfAFile(t *testing.T) {
	got, err := discover.ParseFile([]byte("\ufeff# rack\n\n http://a:1 \r\nunix:/run/b.sock backup weight=3 # b\n\tc #x\n"))
	require.NoError(t, err)
	assert.Equal(t, []discover.Target{{URL: "http://a:1"}, {URL: "unix:/run/b.sock", Weight: 3, Backup: true}, {URL: "c"}}, got)
}

func TestJSONOfAFile(t *testing.T) {
	got, err := discover.ParseFile([]byte(` ["http://a:1", {"url":"http://b:1","weight":3,"backup":true,"host":"b.test"}] `))
	require.NoError(t, err)
	assert.Equal(t, []discover.Target{{URL: "http://a:1"}, {URL: "http://b:1", Weight: 3, Backup: true, Host: "b.test"}}, got)
}

func TestBrokenFilesTeach(t *testing.T) {
	for text, want := range map[string]string{
		"http://a\nhttp://b weight=x":   "line 2: weight=x: give 1 to 1000",
		"http://a weight=0":             "line 1: weight=0",
		"http://a bakcup":               `line 1: "bakcup" is not understood: after the URL stand weight=N and backup`,
		`{"url":"http://a"}`:            "it is not a JSON list",
		`["http://a", {"uri":"b"}]`:     `unknown object member name "uri"`, // the words before it change from build to build
		`["http://a", {"weight":1}]`:    "item 2: it has no url",
		`["http://a", 7]`:               "item 2: ",
		`["http://a", ""]`:              "item 2: it has no url",
		`["http://a"`:                   "it is not a JSON list",
		`["http://a"] ["http://b"]`:     "it is not a JSON list",
		"[\n" + `{"url":1}` + "\n]":     "item 1: ",
		`[{"url":"a","weight":"many"}]`: "item 1: ",
	} {
		_, err := discover.ParseFile([]byte(text))
		assert.ErrorContains(t, err, want, text)
	}
}

func TestALargeFileIsNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "backends")
	require.NoError(t, os.WriteFile(path, []byte("http://a:1\n#"+strings.Repeat("x", discover.MaxFile)), 0o600))
	_, err := discover.File(path).Targets(t.Context())
	assert.ErrorContains(t, err, "it is larger than 1048576 bytes")
}

func FuzzParseFile(f *testing.F) {
	for _, s := range []string{"http://a:1 weight=3 backup # x\n", `["http://a", {"url":"b","weight":2}]`, "", "[", "\ufeff[]", "#\r\n\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := discover.ParseFile(text)
		if err != nil {
			assert.Nil(t, got)
			return
		}
		for _, one := range got {
			assert.NotEmpty(t, one.URL)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"srv+http://a", "dns+https://[::1]:80", "file:///x", "file:x", "dns+", "+:", "srv+x:y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		s, err := discover.Parse(raw, nil)
		if err == nil {
			assert.True(t, discover.IsSource(raw), raw)
			assert.NotEmpty(t, s.String())
		}
	})
}
