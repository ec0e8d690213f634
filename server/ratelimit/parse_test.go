package ratelimit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/ratelimit"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]struct {
		rate ratelimit.Rate
		by   string
	}{
		"100/min":                   {ratelimit.Rate{Count: 100, Per: time.Minute}, ""},
		"5/min per ip":              {ratelimit.Rate{Count: 5, Per: time.Minute}, "ip"},
		"1000/h burst 50 per user":  {ratelimit.Rate{Count: 1000, Per: time.Hour, Burst: 50}, "user"},
		"10/30s":                    {ratelimit.Rate{Count: 10, Per: 30 * time.Second}, ""},
		" 1/s  per  header:X-Key ":  {ratelimit.Rate{Count: 1, Per: time.Second}, "header:X-Key"},
		"2/day per session burst 1": {ratelimit.Rate{Count: 2, Per: 24 * time.Hour, Burst: 1}, "session"},
	} {
		rate, by, err := ratelimit.Parse(text)
		require.NoError(t, err, text)
		assert.Equal(t, want.rate, rate, text)
		assert.Equal(t, want.by, by, text)
		again, _, err := ratelimit.Parse(rate.String())
		require.NoError(t, err, rate.String())
		assert.Equal(t, rate, again)
	}
	for text, want := range map[string]string{
		"":                   "empty",
		"100":                `"100/min"`,
		"0/min":              `"100/min"`,
		"-1/min":             `"100/min"`,
		"x/min":              `"100/min"`,
		"5/fortnight":        "period",
		"5/0s":               "period",
		"5/min per":          "nothing follows",
		"5/min by ip":        "not understood",
		"5/min per ip per x": "not understood",
		"5/min burst 0":      "burst",
		"9999999999/s":       "out of range",
	} {
		_, _, err := ratelimit.Parse(text)
		assert.ErrorContains(t, err, want, text)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"100/min", "5/min per ip", "1/s burst 2 per x", "1/1h2m", "/", "9/9ns"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rate, _, err := ratelimit.Parse(text)
		if err != nil {
			return
		}
		if _, err := ratelimit.New(ratelimit.NewMemory(0), "x", rate); err != nil {
			t.Fatalf("%q is accepted, and then %v", text, err)
		}
	})
}
