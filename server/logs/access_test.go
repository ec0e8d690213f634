package logs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rws/server/logs"
)

var request = logs.Access{
	Time: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC), ID: "7f3a91", Method: "GET",
	Path: "/api/notes/9?token=hunter2", Route: "/api/notes/{id}", Status: 500, Bytes: 31,
	Duration: 3214 * time.Microsecond, IP: netip.MustParseAddr("192.0.2.7"), User: "ann", UserAgent: "curl/8", Proto: "HTTP/1.1",
}

func accessLine(t *testing.T, o logs.Options, a logs.Access) string {
	t.Helper()
	var out bytes.Buffer
	l := logs.NewAccess(&out, o)
	l.Log(a)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestAccessLineInBothForms(t *testing.T) {
	got := accessLine(t, logs.Options{}, request)
	want := `{"time":"2026-01-02T03:04:05.006Z","level":"ERROR","msg":"request","id":"7f3a91","method":"GET","path":"/api/notes/9",` +
		`"route":"/api/notes/{id}","status":500,"bytes":31,"duration_ms":3.214,"ip":"192.0.2.7","user":"ann","user_agent":"curl/8","proto":"HTTP/1.1"}` + "\n"
	if got != want {
		t.Errorf("JSON\ngot  %s\nwant %s", got, want)
	}
	got = accessLine(t, logs.Options{Format: logs.Pretty}, request)
	if want := "GET /api/notes/9  500  3 ms   id 7f3a91\n"; got != want {
		t.Errorf("pretty\ngot  %q\nwant %q", got, want)
	}
}

func TestAccessStatusIsColouredByClass(t *testing.T) {
	for status, code := range map[int]string{204: "32", 304: "36", 404: "33", 503: "31"} {
		got := accessLine(t, logs.Options{Format: logs.Pretty, Color: logs.ColorAlways}, logs.Access{Status: status})
		if !strings.Contains(got, "\x1b["+code+"m") {
			t.Errorf("status %d: %q", status, got)
		}
	}
}

func TestAccessDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 µs", 850 * time.Microsecond: "850 µs", 999 * time.Millisecond: "999 ms", 1234 * time.Millisecond: "1.2 s",
	} {
		got := accessLine(t, logs.Options{Format: logs.Pretty}, logs.Access{Status: 200, Duration: d})
		if !strings.Contains(got, "  "+want+"\n") {
			t.Errorf("%v: %q", d, got)
		}
	}
}

func TestAccessLeavesOutWhatIsUnknown(t *testing.T) {
	got := accessLine(t, logs.Options{}, logs.Access{Status: 200})
	if want := `{"time":"0001-01-01T00:00:00.000Z","level":"INFO","msg":"request","status":200,"bytes":0,"duration_ms":0.000}` + "\n"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestAccessLevel(t *testing.T) {
	o := logs.Options{Level: slog.LevelWarn}
	if got := accessLine(t, o, logs.Access{Status: 200}); got != "" {
		t.Errorf("level warn wrote %s", got)
	}
	if got := accessLine(t, o, logs.Access{Status: 500}); got == "" {
		t.Error("level warn hid a server error")
	}
}

func TestAccessIsFlushedAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lineCounter
		l := logs.NewAccess(&out, logs.Options{})
		for range 2 {
			l.Log(request)
			l.Log(request)
			if n := out.Swap(0); n > 0 {
				t.Fatal("written without a buffer")
			}
			time.Sleep(200 * time.Millisecond)
			synctest.Wait()
			if n := out.Swap(0); n != 2 {
				t.Fatalf("%d lines after 200 ms, want 2", n)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if l.Log(request); out.Load() != 1 {
			t.Error("a line after Close is lost")
		}
	})
}

func TestAccessIsFlushedWhenTheBufferIsFull(t *testing.T) {
	var out bytes.Buffer
	l := logs.NewAccess(&out, logs.Options{})
	defer l.Close()
	a := request
	a.UserAgent = strings.Repeat("x", 64<<10)
	if l.Log(a); out.Len() == 0 {
		t.Error("a full buffer is not written")
	}
}

func TestAccessReportsTheFirstFailure(t *testing.T) {
	l := logs.NewAccess(failing{}, logs.Options{})
	l.Log(request)
	if err := l.Flush(); !errors.Is(err, errFull) {
		t.Errorf("Flush: %v", err)
	}
	if err := l.Close(); !errors.Is(err, errFull) {
		t.Errorf("Close: %v", err)
	}
}

func TestAccessLinesDoNotMix(t *testing.T) {
	var out bytes.Buffer
	l := logs.NewAccess(&out, logs.Options{})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 500 {
				l.Log(request)
			}
		})
	}
	group.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(out.String()) {
		lines++
		if !json.Valid([]byte(line)) {
			t.Fatalf("not JSON: %s", line)
		}
	}
	if lines != 4000 {
		t.Errorf("%d lines, want 4000", lines)
	}
}

func TestAccessAllocatesNothing(t *testing.T) {
	l := logs.NewAccess(discard{}, logs.Options{})
	defer l.Close()
	l.Log(request)
	if n := testing.AllocsPerRun(1000, func() { l.Log(request) }); n != 0 {
		t.Errorf("%v allocations per line", n)
	}
}

func FuzzAccess(f *testing.F) {
	f.Add("GET", "/a?b", "id", "agent\n\x1b")
	f.Add("\"", "/\\", "\xff", "\u2028")
	f.Fuzz(func(t *testing.T, method, path, id, agent string) {
		a := logs.Access{Method: method, Path: path, ID: id, UserAgent: agent, Status: 200}
		if line := accessLine(t, logs.Options{}, a); !json.Valid([]byte(line)) || strings.Count(line, "\n") != 1 {
			t.Errorf("not one line of JSON: %q", line)
		}
		line := accessLine(t, logs.Options{Format: logs.Pretty}, a)
		if i := strings.IndexFunc(line, isControl); i != len(line)-1 {
			t.Errorf("a control character is left in %q", line)
		}
	})
}

func BenchmarkAccessJSON(b *testing.B) {
	l := logs.NewAccess(discard{}, logs.Options{})
	defer l.Close()
	b.ReportAllocs()
	for b.Loop() {
		l.Log(request)
	}
}

func BenchmarkAccessPretty(b *testing.B) {
	l := logs.NewAccess(discard{}, logs.Options{Format: logs.Pretty})
	defer l.Close()
	b.ReportAllocs()
	for b.Loop() {
		l.Log(request)
	}
}

var errFull = errors.New("disk full")

// lineCounter counts the lines written to it.
type lineCounter struct{ atomic.Int64 }

func (c *lineCounter) Write(p []byte) (int, error) {
	c.Add(int64(bytes.Count(p, []byte("\n"))))
	return len(p), nil
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }
