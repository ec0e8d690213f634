package proxy

import (
	"bytes"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http/httpguts"
)

func TestGRPCTimeout(t *testing.T) {
	for text, want := range map[string]time.Duration{"1S": time.Second, "20m": 20 * time.Millisecond, "0n": 0, "3u": 3000, "2H": 2 * time.Hour, "99999999H": math.MaxInt64} {
		got, ok := parseGRPCTimeout(text)
		assert.True(t, ok, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "S", "1", "-1S", "+1S", "1x", "123456789S", "1.5S", " 1S"} {
		_, ok := parseGRPCTimeout(text)
		assert.False(t, ok, text)
	}
}

func FuzzGRPCTimeout(f *testing.F) {
	for _, seed := range []string{"1S", "99999999H", "", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, ok := parseGRPCTimeout(text); ok && d < 0 {
			t.Fatalf("%q is %s", text, d)
		}
	})
}

// Whatever a client names, nothing that is set later is taken away by it, and what it says of the connection stays.
func FuzzStripNominated(f *testing.F) {
	for _, seed := range []string{"X-From", "close, x-from", "Upgrade,,X-From ,TE", "x_from", "", " , ", "Keep-Alive\x00, X-From"} {
		f.Add(seed)
	}
	keep, err := Protect([]string{"X-Tenant-*"})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, connection string) {
		h := http.Header{"Connection": {connection}, "Authorization": {"a"}, "X-Tenant-Id": {"7"}}
		keep.StripNominated(h)
		assert.NotEmpty(t, h["Authorization"])
		assert.NotEmpty(t, h["X-Tenant-Id"])
		later := http.Header{"X-From": {"edge"}}
		unnominate(later, h, &names{})
		assert.NotEmpty(t, later["X-From"])
		for _, option := range []string{"close", "upgrade", "keep-alive"} {
			assert.Equal(t, httpguts.HeaderValuesContainsToken([]string{connection}, option), httpguts.HeaderValuesContainsToken(h["Connection"], option))
		}
	})
}

// However a stream of frames is cut, the ends of frames are found where they are.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x81\x02hi\x88\x82abcd\x03\xe9\x82\x7e\x00\x03abc"), 3)
	f.Add([]byte("\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x01a"), 1)
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		ends := func(size int) (at []int) {
			var w frames
			for done := 0; done < len(stream); {
				n := w.advance(stream[done:min(done+size, len(stream))])
				if n <= 0 {
					t.Fatal("it stands still")
				}
				if done += n; w.between() {
					at = append(at, done)
				}
			}
			return at
		}
		assert.Equal(t, ends(len(stream)+1), ends(max(cut%16, 1)))
	})
}

func FuzzNodes(f *testing.F) {
	for _, seed := range []string{"192.0.2.1", "[2001:db8::1]:80", "unknown", "_x", "1.2.3.4:80"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if ip, ok := nodeOf(text); ok && (!ip.IsValid() || ip.Zone() != "") {
			t.Fatalf("%q is %v", text, ip)
		}
	})
}

func TestGoodbyeIsOneFrame(t *testing.T) {
	for _, masked := range []bool{false, true} {
		var w frames
		frame := goingAway(masked)
		assert.Equal(t, len(frame), w.advance(append(bytes.Clone(frame), 0x81)))
		assert.True(t, w.between())
	}
}
