package logs

import (
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Access is one answered request. Fields left empty are left out of the line.
type Access struct {
	Time      time.Time // when the request ended: lines are in the order of it
	ID        string    // request id
	Method    string
	Path      string // without the query string, which may hold secrets; cut at "?" in any case
	Route     string // the pattern that matched, as in "/api/notes/{id}"
	Status    int
	Bytes     int64 // body bytes sent
	Duration  time.Duration
	IP        netip.Addr // the client, after trusted proxies
	User      string     // who the request comes from, as a guard has made sure
	UserAgent string
	Proto     string // as in "HTTP/2.0"

	// Request is where the forms beside JSON and Pretty find the rest; nil for none.
	Request *http.Request
}

const (
	accessBuffer = 64 << 10
	accessDelay  = 200 * time.Millisecond // how long a line may wait in the buffer
)

// AccessLogger writes access lines. The JSON form is
//
//	{"time":…,"level":"INFO","msg":"request","id":…,"method":…,"path":…,"route":…,"status":…,
//	 "bytes":…,"duration_ms":…,"ip":…,"user":…,"user_agent":…,"proto":…}
//
// and is buffered; the pretty form is written at once:
//
//	GET /api/notes/9  500  3 ms   id 7f3a91
//
// A status of 500 and above has level ERROR, everything else INFO: what a client does wrong is
// no warning for the operator. Safe for concurrent use; made by [NewAccess].
type AccessLogger struct {
	level  slog.Leveler
	format Format // JSON, Pretty or Off
	paint  paint
	form   form    // nil for that of format
	sample float64 // share of the lines that are written, 0 for all

	mu     sync.Mutex
	w      io.Writer
	buf    []byte
	timer  *time.Timer // flushes the buffer; runs only while there is something in it
	closed bool
	err    error // the first write that failed
}

// NewAccess returns a logger of access lines in the form, level and colour that the options
// name; the rest of the options do not apply. Close it to write the last lines.
func NewAccess(w io.Writer, o Options) *AccessLogger {
	return &AccessLogger{level: o.level(), format: o.format(w), paint: paint(o.color(w)), w: w}
}

// Log writes one line. JSON lines appear within 200 ms, or when 64 KiB are full; after Close
// they are written at once.
func (l *AccessLogger) Log(a Access) {
	if l.format == Off || accessLevel(a.Status) < l.level.Level() || !l.sampled(a.Status) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf == nil {
		l.buf = make([]byte, 0, accessBuffer+4<<10)
	}
	if l.format == Pretty && l.form == nil {
		l.buf = a.appendPretty(l.buf, l.paint)
		l.flush()
		return
	}
	if len(l.buf) == 0 {
		l.wake()
	}
	if l.form != nil {
		line := a // of its own, or a escapes on the other way too
		l.buf = l.form.appendLine(l.buf, &line)
	} else {
		l.buf = a.appendJSON(l.buf)
	}
	if l.closed || len(l.buf) >= accessBuffer {
		l.flush()
	}
}

// Flush writes what is buffered and returns the first error any write had.
func (l *AccessLogger) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
	return l.err
}

// Close flushes and returns the first error any write had. It does not close the destination.
func (l *AccessLogger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
	l.flush()
	return l.err
}

func (l *AccessLogger) wake() {
	switch {
	case l.closed:
	case l.timer == nil:
		l.timer = time.AfterFunc(accessDelay, func() { _ = l.Flush() })
	default:
		l.timer.Reset(accessDelay)
	}
}

// flush drops the lines of a write that failed: a full disk must not become full memory.
func (l *AccessLogger) flush() {
	if len(l.buf) == 0 {
		return
	}
	if _, err := l.w.Write(l.buf); err != nil && l.err == nil {
		l.err = err
	}
	l.buf = l.buf[:0]
}

func accessLevel(status int) slog.Level {
	if status >= 500 {
		return slog.LevelError
	}
	return slog.LevelInfo
}

func (a *Access) path() string {
	path, _, _ := strings.Cut(a.Path, "?")
	return path
}

func (a *Access) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"time":"`...)
	dst = appendTime(dst, a.Time)
	dst = append(dst, `","level":"`...)
	dst = append(dst, accessLevel(a.Status).String()...)
	dst = append(dst, `","msg":"request"`...)
	dst = appendField(dst, `,"id":`, a.ID)
	dst = appendField(dst, `,"method":`, a.Method)
	dst = appendField(dst, `,"path":`, a.path())
	dst = appendField(dst, `,"route":`, a.Route)
	dst = strconv.AppendInt(append(dst, `,"status":`...), int64(a.Status), 10)
	dst = strconv.AppendInt(append(dst, `,"bytes":`...), a.Bytes, 10)
	dst = append(dst, `,"duration_ms":`...)
	dst = appendMillis(dst, a.Duration)
	if a.IP.IsValid() {
		dst = append(dst, `,"ip":"`...)
		dst = a.IP.WithZone("").AppendTo(dst) // a zone is free text
		dst = append(dst, '"')
	}
	dst = appendField(dst, `,"user":`, a.User)
	dst = appendField(dst, `,"user_agent":`, a.UserAgent)
	dst = appendField(dst, `,"proto":`, a.Proto)
	return append(dst, "}\n"...)
}

func appendField(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return appendQuoted(append(dst, name...), value)
}

// appendMillis appends milliseconds with three decimals.
func appendMillis(dst []byte, d time.Duration) []byte {
	us := max(0, d.Microseconds())
	dst = strconv.AppendInt(dst, us/1000, 10)
	return append(dst, '.', byte('0'+us/100%10), byte('0'+us/10%10), byte('0'+us%10))
}

func (a *Access) appendPretty(dst []byte, p paint) []byte {
	dst = appendEscaped(dst, a.Method, false)
	dst = append(dst, ' ')
	dst = appendEscaped(dst, a.path(), false)
	dst = append(dst, "  "...)
	dst = p.start(dst, statusColor(a.Status))
	dst = strconv.AppendInt(dst, int64(a.Status), 10)
	dst = p.end(dst, statusColor(a.Status))
	dst = append(dst, "  "...)
	dst = appendShort(dst, a.Duration)
	if a.ID != "" {
		dst = append(dst, "   "...)
		dst = p.start(dst, dim)
		dst = appendEscaped(append(dst, "id "...), a.ID, false)
		dst = p.end(dst, dim)
	}
	return append(dst, '\n')
}

// appendShort appends a duration as people say it: 850 µs, 3 ms, 1.2 s.
func appendShort(dst []byte, d time.Duration) []byte {
	switch {
	case d < time.Millisecond:
		return append(strconv.AppendInt(dst, max(0, d.Microseconds()), 10), " µs"...)
	case d < time.Second:
		return append(strconv.AppendInt(dst, d.Milliseconds(), 10), " ms"...)
	}
	return append(strconv.AppendFloat(dst, d.Seconds(), 'f', 1, 64), " s"...)
}
