package rewrite_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/rewrite"
	"rws/server/router"
)

func TestCanonicalDecodesWhatMeansNothing(t *testing.T) {
	for escaped, want := range map[string]string{
		"": "/", "/a": "/a", "/%61": "/a", "/a%2fb": "/a%2Fb", "/%5c": "/%5C", "/%25": "/%25", "/a%20b": "/a b",
	} {
		got, err := rewrite.Canonical(escaped)
		require.NoError(t, err, escaped)
		assert.Equal(t, want, got, escaped)
	}
	for _, bad := range []string{"a", "/..", "/%2e%2e", "/..%2fa", "/%00", "/%zz"} {
		_, err := rewrite.Canonical(bad)
		assert.Error(t, err, bad)
	}
}

func TestPatternReplacesAllOfThePath(t *testing.T) {
	p, err := rewrite.Compile(`^/v1/(?P<rest>.*)$`, "/${rest}?v=1&r=$1")
	require.NoError(t, err)
	to, query, ok := p.Replace("/v1/a b")
	require.True(t, ok)
	assert.Equal(t, "/a b", to)
	assert.Equal(t, "v=1&r=a+b", query)
	_, _, ok = p.Replace("/v2/a")
	assert.False(t, ok)
}

func TestCompileTeaches(t *testing.T) {
	for _, c := range [][3]string{{"(", "/", "missing closing )"}, {"/a", "/$1", `no group "1"`}, {"/a", "/$x", "neither $1"}, {"/a", "/#", "do not belong"}} {
		_, err := rewrite.Compile(c[0], c[1])
		assert.ErrorContains(t, err, c[2])
	}
}

func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"/", "/a%2fb", "/%e2%82%ac", "/a;b=c", "//x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		canonical, err := rewrite.Canonical(path)
		if err != nil {
			return
		}
		escaped := rewrite.Escape(canonical)
		if err := router.CheckPath(escaped); err != nil {
			t.Fatalf("%q became %q: %v", path, escaped, err)
		}
		again, err := rewrite.Canonical(escaped)
		if err != nil || again != canonical {
			t.Fatalf("%q became %q and then %q, %v", canonical, escaped, again, err)
		}
		if strings.ContainsAny(escaped, " ?#\\\x00\r\n") {
			t.Fatalf("%q", escaped)
		}
	})
}
