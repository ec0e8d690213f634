package http1

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWhatIsAHost(t *testing.T) {
	for _, s := range []string{"", "a", "A.example", "a:80", "a:", "a:65535", "1.2.3.4:8080", "[::1]", "[::1]:80", "xn--e1afmkfd", "a_b.example", "[v1.x]"} {
		assert.True(t, ValidHost(s), s)
	}
	for _, s := range []string{
		"a:x", "a:80:80", "a:0", "a:65536", "a:-1", "a:+1", "a: 80", "a:000080", ":80", ":", "::1", "[::1", "::1]", "[::1]x", "[::1]:x", "[]", "[[::1]]", "a[b]",
		"localhost/admin", "a b", `a"b`, "a<b>", `evil.com\x`, "evil.com#x", "a\xfc", "a@b", "user@a:80", "a?b", "a\x00", "a\tb", "a,b:x",
	} {
		assert.False(t, ValidHost(s), s)
	}
}

func FuzzValidHost(f *testing.F) {
	for _, s := range []string{"a:80", "[::1]:80", "a:80:80", ":80", "]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if ValidHost(s) && !isHost(s) {
			t.Fatalf("%q has what no host has", s)
		}
	})
}
