package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/secret"
)

const (
	first  = "first-secret-0123456789-abcdefghij"
	second = "second-secret-0123456789-abcdefghi"
)

func keys(t *testing.T, secrets ...string) *secret.Keys {
	t.Helper()
	k, err := secret.New(secrets...)
	require.NoError(t, err)
	return k
}

func TestWeakSecretsAreRefusedWithoutShowingThem(t *testing.T) {
	for _, c := range []struct {
		secrets []string
		want    string
	}{
		{nil, "the list is empty"},
		{[]string{""}, "number 1 of 1 is empty: is its environment variable set?"},
		{[]string{"hunter2hunter2"}, "number 1 of 1 has 14 bytes, at least 32 are needed"},
		{[]string{first, "  short-but-padded                              "}, "number 2 of 2 has 16 bytes"},
		{[]string{strings.Repeat("abc", 20)}, "has only 3 different characters"},
		{[]string{first, second, first}, "number 3 of 3 is the same as number 1"},
		{make([]string, 17), "17 are given, at most 16"},
	} {
		_, err := secret.New(c.secrets...)
		require.ErrorContains(t, err, c.want)
		for _, s := range c.secrets {
			if s = strings.TrimSpace(s); s != "" {
				assert.NotContains(t, err.Error(), s)
			}
		}
	}
}

func TestSignaturesHoldForOnePurposeNameAndMessage(t *testing.T) {
	k := keys(t, first)
	p := k.For("cookie.signed")
	mac := p.Sign("id", []byte("7"))
	assert.Len(t, mac, secret.MACSize)
	assert.True(t, p.Verify("id", []byte("7"), mac))
	assert.True(t, keys(t, first).For("cookie.signed").Verify("id", []byte("7"), mac), "another process with the same secret")

	assert.False(t, p.Verify("id", []byte("8"), mac), "another message")
	assert.False(t, p.Verify("i", []byte("d7"), mac), "the same bytes split elsewhere")
	assert.False(t, p.Verify("uid", []byte("7"), mac), "another name")
	assert.False(t, k.For("csrf").Verify("id", []byte("7"), mac), "another purpose")
	assert.False(t, keys(t, second).For("cookie.signed").Verify("id", []byte("7"), mac), "another key")
	assert.False(t, p.Verify("id", []byte("7"), mac[:31]))
	assert.False(t, p.Verify("id", []byte("7"), nil))
	for i := range mac {
		bent := bytes.Clone(mac)
		bent[i] ^= 1
		assert.False(t, p.Verify("id", []byte("7"), bent), "byte %d", i)
	}
}

func TestSealedTextsOpenForOnePurposeAndName(t *testing.T) {
	k := keys(t, first)
	p := k.For("cookie.encrypted")
	sealed := p.Seal("card", []byte("4111"))
	assert.Len(t, sealed, 4+secret.SealOverhead)
	assert.NotContains(t, string(sealed), "4111")
	assert.NotEqual(t, sealed, p.Seal("card", []byte("4111")), "a fresh nonce each time")
	plain, ok := p.Open("card", sealed)
	assert.True(t, ok)
	assert.Equal(t, "4111", string(plain))
	empty, ok := p.Open("", p.Seal("", nil))
	assert.True(t, ok)
	assert.Empty(t, empty)

	opens := func(p *secret.Purpose, name string, sealed []byte) bool {
		_, ok := p.Open(name, sealed)
		return ok
	}
	assert.False(t, opens(p, "cart", sealed), "another name")
	assert.False(t, opens(k.For("session"), "card", sealed), "another purpose")
	assert.False(t, opens(keys(t, second).For("cookie.encrypted"), "card", sealed), "another key")
	for i := range sealed {
		bent := bytes.Clone(sealed)
		bent[i] ^= 1
		assert.False(t, opens(p, "card", bent), "byte %d", i)
		assert.False(t, opens(p, "card", sealed[:i]), "the first %d bytes", i)
	}
}

func TestOldKeysVerifyAndOpenUntilTheyAreDropped(t *testing.T) {
	old, rotated, done := keys(t, first).For("x"), keys(t, second, first).For("x"), keys(t, second).For("x")
	mac, sealed := old.Sign("n", []byte("m")), old.Seal("n", []byte("m"))
	assert.True(t, rotated.Verify("n", []byte("m"), mac))
	_, ok := rotated.Open("n", sealed)
	assert.True(t, ok)
	assert.True(t, done.Verify("n", []byte("m"), rotated.Sign("n", []byte("m"))), "the first key signs")
	_, ok = done.Open("n", rotated.Seal("n", []byte("m")))
	assert.True(t, ok, "the first key seals")
	assert.False(t, done.Verify("n", []byte("m"), mac))
	_, ok = done.Open("n", sealed)
	assert.False(t, ok)
}

func TestNothingPrintsSecrets(t *testing.T) {
	k := keys(t, first, second)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("start", "keys", k)
	slog.New(slog.NewTextHandler(&log, nil)).Info("start", "keys", k, "purpose", k.For("x"))
	asJSON, err := json.Marshal(map[string]any{"keys": k})
	require.NoError(t, err)
	all := log.String() + string(asJSON)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		all += fmt.Sprintf(verb, k) + fmt.Sprintf(verb, k.For("x"))
	}
	assert.NotContains(t, all, "secret-0123")
	assert.NotContains(t, all, fmt.Sprintf("%x", "secret-0123"))
	assert.Contains(t, all, "redacted")
	assert.Equal(t, 2, k.Len())
	assert.Equal(t, "secret.Keys(redacted)", k.String())
}

func TestRandomKeysDiffer(t *testing.T) {
	mac := secret.Random().For("x").Sign("", nil)
	assert.False(t, secret.Random().For("x").Verify("", nil, mac))
}

// FuzzOpen sees that nothing but what was sealed opens.
func FuzzOpen(f *testing.F) {
	k, _ := secret.New(first, second)
	p := k.For("x")
	f.Add("name", p.Seal("name", []byte("text")))
	f.Add("", []byte("short"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		if plain, ok := p.Open(name, data); ok && (name != "name" || string(plain) != "text") {
			t.Errorf("opened %q under %q", plain, name)
		}
		if got, ok := p.Open(name, p.Seal(name, data)); !ok || !bytes.Equal(got, data) {
			t.Error("what was sealed does not open")
		}
		if !p.Verify(name, data, p.Sign(name, data)) {
			t.Error("what was signed does not verify")
		}
	})
}

func BenchmarkSign(b *testing.B) {
	p, message := secret.Random().For("x"), make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		p.Sign("id", message)
	}
}

func BenchmarkOpen(b *testing.B) {
	p := secret.Random().For("x")
	sealed := p.Seal("id", make([]byte, 64))
	b.ReportAllocs()
	for b.Loop() {
		p.Open("id", sealed)
	}
}
