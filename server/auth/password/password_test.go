package password_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/auth/password"
)

// quick costs little, for tests that hash often.
func quick(t testing.TB) *password.Hasher {
	t.Helper()
	h, err := password.New(password.Options{Memory: 8 << 10, Passes: 1, Threads: 1})
	require.NoError(t, err)
	return h
}

func standard(t testing.TB) *password.Hasher {
	t.Helper()
	h, err := password.New(password.Options{})
	require.NoError(t, err)
	return h
}

func TestAPasswordMatchesItsHashOnly(t *testing.T) {
	h := standard(t)
	hash, err := h.Hash(t.Context(), "correct horse")
	require.NoError(t, err)
	assert.Regexp(t, `^\$argon2id\$v=19\$m=65536,t=3,p=4\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`, hash)
	assert.True(t, verify(t, h, hash, "correct horse"))
	assert.False(t, verify(t, h, hash, "correct horsE"))
	assert.False(t, verify(t, h, hash, ""))
	assert.False(t, verify(t, h, hash, strings.Repeat("x", password.MaxLength+1)))
	again, err := h.Hash(t.Context(), "correct horse")
	require.NoError(t, err)
	assert.NotEqual(t, hash, again, "a salt of its own")
}

func verify(t *testing.T, h *password.Hasher, hash, pw string) bool {
	t.Helper()
	ok, err := h.Verify(t.Context(), hash, pw)
	require.NoError(t, err)
	return ok
}

// Vectors made by others: the argon2 reference implementation (src/test.c), the manual of
// passlib, Python's hashlib, crypt(3) of glibc.
func TestHashesOfOtherProgramsVerify(t *testing.T) {
	h := standard(t)
	for _, c := range []struct{ hash, password string }{
		{"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password"},
		{"$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA", "password"},
		{"$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E", "password"},
		{"$scrypt$ln=14,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$wOBlTLx2kTvDnlM7GeRqLPJSaL8dgO6Mbiarn6WFHEI", "pleaseletmein"},
		{"$2b$04$bvVxoWWeaWluwi7dBFHTtuev2ykQVVmz0LHIePaWS9zcFaxKzvB7u", "correct horse"},
		{"$2y$04$bvVxoWWeaWluwi7dBFHTtuev2ykQVVmz0LHIePaWS9zcFaxKzvB7u", "correct horse"},
	} {
		assert.True(t, verify(t, h, c.hash, c.password), c.hash)
		assert.False(t, verify(t, h, c.hash, c.password+"x"), c.hash)
		assert.True(t, h.NeedsRehash(c.hash), c.hash)
		assert.NoError(t, h.Check(c.hash), c.hash)
	}
}

func TestRehashIsWantedWhenKindOrCostDiffer(t *testing.T) {
	hash, err := quick(t).Hash(t.Context(), "x")
	require.NoError(t, err)
	assert.False(t, quick(t).NeedsRehash(hash))
	assert.True(t, standard(t).NeedsRehash(hash))
	assert.True(t, quick(t).NeedsRehash("md5"))
	assert.True(t, quick(t).NeedsRehash(""))
}

func TestAHostileHashCostsNothing(t *testing.T) {
	h := standard(t)
	sum := strings.Repeat("A", 43)
	for hash, want := range map[string]error{
		"plain text":  password.ErrUnknown,
		"$1$salt$sum": password.ErrUnknown,
		"$argon2d$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$" + sum:             password.ErrUnknown,
		"$argon2id$v=16$m=65536,t=3,p=4$c29tZXNhbHQ$" + sum:            password.ErrUnknown,
		"$argon2id$v=19$m=65536,t=0,p=4$c29tZXNhbHQ$" + sum:            password.ErrUnknown,
		"$argon2id$v=19$m=65536,t=3,p=0$c29tZXNhbHQ$" + sum:            password.ErrUnknown,
		"$argon2id$v=19$m=65536,t=3,p=4,x=1$c29tZXNhbHQ$" + sum:        password.ErrUnknown,
		"$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$AAAA":              password.ErrUnknown,
		"$argon2id$v=19$m=65536,t=3,p=4$%%%$" + sum:                    password.ErrUnknown,
		"$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$" + sum:       password.ErrTooCostly,
		"$argon2id$v=19$m=262144,t=1000000,p=1$c29tZXNhbHQ$" + sum:     password.ErrTooCostly,
		"$scrypt$ln=24,r=64,p=1$c29tZXNhbHQ$" + sum:                    password.ErrTooCostly,
		"$scrypt$ln=16,r=8,p=64$c29tZXNhbHQ$" + sum:                    password.ErrTooCostly,
		"$scrypt$ln=63,r=8,p=1$c29tZXNhbHQ$" + sum:                     password.ErrUnknown,
		"$scrypt$ln=0,r=8,p=1$c29tZXNhbHQ$" + sum:                      password.ErrUnknown,
		"$2b$31$bvVxoWWeaWluwi7dBFHTtuev2ykQVVmz0LHIePaWS9zcFaxKzvB7u": password.ErrTooCostly,
		"$2b$99$bvVxoWWeaWluwi7dBFHTtuev2ykQVVmz0LHIePaWS9zcFaxKzvB7u": password.ErrUnknown,
		"$2b$12$short":                           password.ErrUnknown,
		"$argon2id$" + strings.Repeat("A", 1000): password.ErrUnknown,
	} {
		start := time.Now()
		ok, err := h.Verify(t.Context(), hash, "x")
		assert.False(t, ok)
		require.ErrorIs(t, err, want, hash)
		require.ErrorIs(t, h.Check(hash), want, hash)
		assert.NotContains(t, err.Error(), sum, "no error shows a hash")
		assert.Less(t, time.Since(start), 50*time.Millisecond, hash)
	}
}

func TestPasswordsThatAreNotHashed(t *testing.T) {
	h := quick(t)
	_, err := h.Hash(t.Context(), "")
	require.ErrorContains(t, err, "the password is empty")
	_, err = h.Hash(t.Context(), strings.Repeat("x", 1025))
	require.ErrorContains(t, err, "has 1025 bytes, at most 1024 are taken")
	hash, err := h.Hash(t.Context(), "\x00\xff binary")
	require.NoError(t, err)
	assert.True(t, verify(t, h, hash, "\x00\xff binary"))
	assert.False(t, verify(t, h, hash, ""))
}

func TestAnUnknownUserTakesAsLongAsAKnownOne(t *testing.T) {
	h := quick(t)
	hash, err := h.Hash(t.Context(), "x")
	require.NoError(t, err)
	// The fastest of some runs: what other programs on the machine do only adds.
	fastest := func(hash string) time.Duration {
		best := time.Hour
		for range 5 {
			start := time.Now()
			assert.False(t, verify(t, h, hash, "wrong"))
			best = min(best, time.Since(start))
		}
		return best
	}
	known, unknown := fastest(hash), fastest("")
	assert.InDelta(t, 1, float64(unknown)/float64(known), 0.5, "%s and %s", known, unknown)
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for want, o := range map[string]password.Options{
		"1024 KiB of memory are too few": {Memory: 1024},
		"where 32 are allowed":           {Budget: 32 << 20},
		"memory times passes":            {Passes: 1000},
	} {
		_, err := password.New(o)
		require.ErrorContains(t, err, want)
	}
}

// A hundred logins at once take the memory of the budget, and one that gives up waiting leaves.
func TestARushOfLoginsWaitsForRoom(t *testing.T) {
	h, err := password.New(password.Options{Memory: 8 << 10, Passes: 1, Threads: 1, Budget: 16 << 20}) // room for two
	require.NoError(t, err)
	peak := password.WatchRoom(h)
	results := make(chan error, 100)
	for range cap(results) {
		go func() {
			_, err := h.Verify(context.Background(), "", "x")
			results <- err
		}()
	}
	for range cap(results) {
		require.NoError(t, <-results)
	}
	assert.LessOrEqual(t, peak(), int64(2), "hashes at once")
	assert.Positive(t, peak())
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := quick(t)
		release := password.FillRoom(h)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := h.Hash(ctx, "x")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, "password hashing: waited 2s for room")
		ok, err := h.Verify(ctx, "", "x")
		assert.False(t, ok)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		release()
		_, err = h.Hash(t.Context(), "x")
		require.NoError(t, err)
	})
}

// FuzzVerify sees that no text makes Verify panic, match, or take long.
func FuzzVerify(f *testing.F) {
	f.Add("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "x")
	f.Add("$scrypt$ln=1,r=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "x")
	f.Add("$2b$04$bvVxoWWeaWluwi7dBFHTtuev2ykQVVmz0LHIePaWS9zcFaxKzvB7u", "x")
	h, err := password.New(password.Options{Memory: 8 << 10, Passes: 1, Threads: 1, Budget: 8 << 20})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, hash, pw string) {
		if strings.HasPrefix(hash, "$2") && !strings.HasPrefix(hash[2:], "b$04$") {
			t.Skip("slow by design")
		}
		ok, err := h.Verify(t.Context(), hash, pw)
		if ok && err != nil {
			t.Error("a match and an error")
		}
		h.NeedsRehash(hash)
	})
}

func BenchmarkHash(b *testing.B) {
	h := standard(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Hash(b.Context(), "correct horse"); err != nil {
			b.Fatal(err)
		}
	}
}
