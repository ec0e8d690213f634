package cookie_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/cookie"
	"rws/server/secret"
)

func codec(t *testing.T, secrets ...string) *cookie.Codec {
	t.Helper()
	keys, err := secret.New(secrets...)
	require.NoError(t, err)
	return cookie.NewCodec(keys)
}

const (
	oldSecret = "an-old-secret-0123456789-abcdefghij"
	newSecret = "a-new-secret-0123456789-abcdefghijk"
)

// A way is signing or encrypting.
type way struct {
	name  string
	write func(*cookie.Codec) func(name, value string, maxAge time.Duration) string
	read  func(*cookie.Codec) func(name, text string) (string, bool)
}

func ways() []way {
	return []way{
		{"signed",
			func(c *cookie.Codec) func(string, string, time.Duration) string { return c.Sign },
			func(c *cookie.Codec) func(string, string) (string, bool) { return c.Verify }},
		{"encrypted",
			func(c *cookie.Codec) func(string, string, time.Duration) string { return c.Encrypt },
			func(c *cookie.Codec) func(string, string) (string, bool) { return c.Decrypt }},
	}
}

func TestTheLongestAgeIsLong(t *testing.T) {
	const ever = 1<<63 - 1
	for _, w := range ways() {
		c := codec(t, newSecret)
		_, ok := w.read(c)("id", w.write(c)("id", "x", ever))
		assert.True(t, ok, w.name)
	}
	h := http.Header{}
	require.NoError(t, cookie.Set(h, "id", "x", cookie.Options{MaxAge: ever}, false))
	set, err := http.ParseSetCookie(h.Get("Set-Cookie"))
	require.NoError(t, err)
	assert.Greater(t, set.MaxAge, 400*24*60*60)
}

func TestValuesComeBackAsTheyWereOrNotAtAll(t *testing.T) {
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			c := codec(t, newSecret)
			for _, value := range []string{"", "7", "a.b.c", ".", "ü; \x00\"%41"} {
				text := w.write(c)("id", value, 0)
				got, ok := w.read(c)("id", text)
				assert.True(t, ok)
				assert.Equal(t, value, got)

				h := http.Header{}
				require.NoError(t, cookie.Set(h, "id", text, cookie.Options{}, false))
				sent, _, _ := strings.Cut(h.Get("Set-Cookie"), ";")
				text, _ = cookie.Get(request(sent), "id")
				got, ok = w.read(c)("id", text)
				assert.True(t, ok, "after a round trip through a browser")
				assert.Equal(t, value, got)
			}
			text := w.write(c)("id", "user 7", 0)
			refused := func(name, text, why string) {
				t.Helper()
				got, ok := w.read(c)(name, text)
				assert.False(t, ok, why)
				assert.Empty(t, got)
			}
			refused("admin", text, "another cookie's name")
			refused("id", "", "nothing")
			refused("id", "user 7", "a plain value")
			refused("id", "user 7.0.AAAA", "a short signature")
			refused("id", strings.Repeat("A", 5000), "too long")
			refused("id", w.write(codec(t, oldSecret))("id", "user 7", 0), "a foreign key")
			for i := range text {
				bent := []byte(text)
				bent[i] ^= 1
				refused("id", string(bent), "one bit")
				refused("id", text[:i], "cut")
			}
		})
	}
	c := codec(t, newSecret)
	_, ok := c.Verify("id", c.Encrypt("id", "x", 0))
	assert.False(t, ok, "an encrypted value is no signed one")
	assert.NotContains(t, c.Encrypt("id", "hello", 0), "hello")
	assert.Contains(t, c.Sign("id", "hello", 0), "hello.0.", "a signed value can be read")
}

func TestValuesEndOnTime(t *testing.T) {
	for _, w := range ways() {
		synctest.Test(t, func(t *testing.T) {
			c := codec(t, newSecret)
			text, forever := w.write(c)("id", "7", time.Minute), w.write(c)("id", "7", 0)
			time.Sleep(time.Minute - time.Second)
			_, ok := w.read(c)("id", text)
			assert.True(t, ok, "%s: a second before", w.name)
			time.Sleep(time.Second)
			_, ok = w.read(c)("id", text)
			assert.False(t, ok, "%s: on the second", w.name)
			_, ok = w.read(c)("id", forever)
			assert.True(t, ok)
		})
	}
}

func TestKeysRotate(t *testing.T) {
	for _, w := range ways() {
		before := w.write(codec(t, oldSecret))("id", "7", 0)
		during := codec(t, newSecret, oldSecret)
		got, ok := w.read(during)("id", before)
		assert.True(t, ok)
		assert.Equal(t, "7", got)
		_, ok = w.read(codec(t, newSecret))("id", w.write(during)("id", "7", 0))
		assert.True(t, ok, "%s with the new key from the start", w.name)
		_, ok = w.read(codec(t, newSecret))("id", before)
		assert.False(t, ok, "%s with a key that was dropped", w.name)
	}
}

func FuzzCodec(f *testing.F) {
	keys, _ := secret.New(newSecret)
	c := cookie.NewCodec(keys)
	f.Add("id", "7.0.AAAA")
	f.Add("id", c.Sign("x", "y", 0))
	f.Add("", "..")
	f.Fuzz(func(t *testing.T, name, text string) {
		if v, ok := c.Verify(name, text); ok {
			t.Errorf("verified %q", v)
		}
		if v, ok := c.Decrypt(name, text); ok {
			t.Errorf("decrypted %q", v)
		}
		if len(text) > 1000 {
			return
		}
		if v, ok := c.Verify(name, c.Sign(name, text, time.Hour)); !ok || v != text {
			t.Errorf("signed %q, got %q", text, v)
		}
		if v, ok := c.Decrypt(name, c.Encrypt(name, text, time.Hour)); !ok || v != text {
			t.Errorf("encrypted %q, got %q", text, v)
		}
	})
}
