package cookie_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"rws/server/cookie"
	"rws/server/secret"
)

func TestClockEndsValues(t *testing.T) {
	at := time.Now()
	c := cookie.NewCodec(secret.Random()).WithClock(func() time.Time { return at })
	signed, sealed := c.Sign("id", "7", time.Hour), c.Encrypt("id", "7", time.Hour)
	at = at.Add(59 * time.Minute)
	for _, read := range []func() (string, bool){func() (string, bool) { return c.Verify("id", signed) }, func() (string, bool) { return c.Decrypt("id", sealed) }} {
		v, ok := read()
		assert.True(t, ok)
		assert.Equal(t, "7", v)
	}
	at = at.Add(2 * time.Minute)
	_, ok := c.Verify("id", signed)
	assert.False(t, ok, "signed")
	_, ok = c.Decrypt("id", sealed)
	assert.False(t, ok, "encrypted")
}
