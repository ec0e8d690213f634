package health_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/health"
)

func TestParseStatuses(t *testing.T) {
	for text, want := range map[string]struct{ in, out []int }{
		"204":                {[]int{204}, []int{200, 203, 205, 0, -1, 99, 600, 1000}},
		"2xx":                {[]int{200, 299}, []int{199, 300}},
		"2XX":                {[]int{200, 299}, []int{199, 300}},
		"200-399":            {[]int{200, 301, 399}, []int{199, 400}},
		"200,204, 3xx 401":   {[]int{200, 204, 300, 399, 401}, []int{201, 400, 402}},
		"100-599":            {[]int{100, 599}, []int{99, 600, 639, 640, -5}},
		" 5xx ":              {[]int{500, 599}, []int{499}},
		"200-200":            {[]int{200}, []int{199, 201}},
		"200-299,  500-501,": {[]int{250, 500, 501}, []int{502}},
	} {
		s, err := health.ParseStatuses(text)
		require.NoError(t, err, text)
		for _, code := range want.in {
			assert.True(t, s.Has(code), "%s has %d", text, code)
		}
		for _, code := range want.out {
			assert.False(t, s.Has(code), "%s has %d", text, code)
		}
	}
}

func TestStatusesThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		"":        "no status is given",
		" , ":     "no status is given",
		"ok":      `status "ok": write a code`,
		"6xx":     `status "6xx"`,
		"0xx":     `status "0xx"`,
		"2x":      `status "2x"`,
		"99":      `status "99"`,
		"600":     `status "600"`,
		"+20":     `status "+20"`,
		"399-200": "the range ends before it begins",
		"200-":    `status "200-"`,
		"200-2xx": `status "200-2xx"`,
		"-200":    `status "-200"`,
	} {
		_, err := health.ParseStatuses(text)
		assert.ErrorContains(t, err, want, text)
	}
}

func FuzzParseStatuses(f *testing.F) {
	for _, text := range []string{"2xx", "200-399", "204,3xx", "", "٢xx", "1e2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := health.ParseStatuses(text)
		if err != nil {
			return
		}
		n := 0
		for code := -1; code < 2000; code++ {
			if s.Has(code) {
				n++
				require.True(t, code >= 100 && code <= 599, "%q has %d", text, code)
			}
		}
		require.NotZero(t, n, "%q has no code", text)
		again, err := health.ParseStatuses(s.String())
		require.NoError(t, err)
		require.Equal(t, s, again)
	})
}
