package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"rws/server/discard"
	"rws/server/exchange"
)

// MirrorOptions of a [Mirror].
type MirrorOptions struct {
	Main, Shadow http.Handler // needed
	Share        float64      // of the requests that Shadow gets too, 0 to 1
	// MaxBody is how much of a request body is copied, in bytes; a request with more is not mirrored.
	// Default 64 KiB.
	MaxBody int
	// Concurrency is how many requests Shadow has at once; those beyond are not mirrored. Default 64.
	Concurrency int
	Timeout     time.Duration // for an answer of Shadow; default 30 s
	// Diff logs where Shadow answers otherwise than Main: status, length or content.
	Diff   bool
	Logger *slog.Logger // default slog.Default()
}

// Mirror has a second handler do what the first does, without anybody noticing: its answers are dropped, and
// it begins when the client has its answer. Upgrades are not mirrored. Safe for concurrent use; made by
// [NewMirror].
type Mirror struct {
	o     MirrorOptions
	busy  chan struct{}
	stats mirrorStats
}

type mirrorStats struct{ mirrored, skipped, differed atomic.Uint64 }

// MirrorStats count what a mirror did.
type MirrorStats struct {
	Mirrored uint64
	Skipped  uint64 // chosen, but the body was too large or not read to the end, or Shadow was busy
	Differed uint64 // answers that Diff has logged
}

const (
	defaultMirrorBody  = 64 << 10
	defaultMirrored    = 64
	defaultMirrorLimit = 30 * time.Second
)

// NewMirror checks the options.
func NewMirror(o MirrorOptions) (*Mirror, error) {
	switch {
	case o.Main == nil || o.Shadow == nil:
		return nil, errors.New("mirror: it needs a main handler and a shadow")
	case !isShare(o.Share):
		return nil, fmt.Errorf("mirror: share %v: want 0 to 1", o.Share)
	case o.MaxBody < 0 || o.Concurrency < 0 || o.Timeout < 0:
		return nil, fmt.Errorf("mirror: max body %d, concurrency %d, timeout %s: must not be negative", o.MaxBody, o.Concurrency, o.Timeout)
	}
	if o.MaxBody == 0 {
		o.MaxBody = defaultMirrorBody
	}
	if o.Concurrency == 0 {
		o.Concurrency = defaultMirrored
	}
	if o.Timeout == 0 {
		o.Timeout = defaultMirrorLimit
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Mirror{o: o, busy: make(chan struct{}, o.Concurrency)}, nil
}

// Stats are the counts.
func (m *Mirror) Stats() MirrorStats {
	return MirrorStats{m.stats.mirrored.Load(), m.stats.skipped.Load(), m.stats.differed.Load()}
}

// ServeHTTP implements [http.Handler].
func (m *Mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rand.Float64() >= m.o.Share || upgradeOf(r) != "" {
		m.o.Main.ServeHTTP(w, r)
		return
	}
	if r.ContentLength > int64(m.o.MaxBody) {
		m.skip(r, "the body is too large")
		m.o.Main.ServeHTTP(w, r)
		return
	}
	e, r := exchange.Of(r)
	shadow := r.Clone(r.Context()) // Main may change what it gets
	copied := &tee{max: m.o.MaxBody}
	if r.Body != nil && r.Body != http.NoBody {
		copied.ReadCloser, copied.left = r.Body, r.ContentLength
		r.Body = copied
	} else {
		copied.complete = true
	}
	first := m.reader(w, e)
	m.o.Main.ServeHTTP(&first.watch, r)
	if !copied.whole() {
		m.skip(r, copied.missing())
		return
	}
	body := copied.bytes()
	shadow.Body, shadow.ContentLength, shadow.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	shadow.Header.Del("Expect") // nobody waits
	m.follow(e, shadow, first)
}

// follow has Shadow answer in the background.
func (m *Mirror) follow(e *exchange.Exchange, r *http.Request, first *reader) {
	select {
	case m.busy <- struct{}{}:
	default:
		m.skip(r, "the shadow is busy")
		return
	}
	answer := func(w http.ResponseWriter, r *http.Request) {
		defer func() { <-m.busy }()
		second := m.reader(w, exchange.From(r.Context()))
		m.o.Shadow.ServeHTTP(&second.watch, r)
		m.compare(r, first, second)
	}
	if !m.detach(e, r, answer) {
		<-m.busy
		m.skip(r, "the server stops, or the app is being replaced")
		return
	}
	m.stats.mirrored.Add(1)
}

// skip counts a request that the shadow does not get.
func (m *Mirror) skip(r *http.Request, why string) {
	m.stats.skipped.Add(1)
	m.o.Logger.DebugContext(r.Context(), "mirror: the shadow was left out", "id", idOf(r), "method", r.Method, "path", r.URL.Path, "why", why)
}

// detach calls f on a goroutine of its own; where there is a server it knows of that.
func (m *Mirror) detach(e *exchange.Exchange, r *http.Request, f func(http.ResponseWriter, *http.Request)) bool {
	if e.CanDetach() {
		return e.Detach(r, m.o.Timeout, f)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.Context), m.o.Timeout)
	go func() {
		defer cancel()
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				m.o.Logger.Error("the shadow of a mirror panicked", "panic", fmt.Sprint(p))
			}
		}()
		own := &exchange.Exchange{}
		own.Begin(r.WithContext(ctx), nil)
		own.Follow(e)
		defer own.End()
		f(discard.Writer(), r.WithContext(own))
	}()
	return true
}

// compare tells of a difference.
func (m *Mirror) compare(r *http.Request, first, second *reader) {
	if !m.o.Diff || first.same(second) {
		return
	}
	m.stats.differed.Add(1)
	m.o.Logger.Warn("mirror: the shadow answers otherwise", "id", idOf(r), "method", r.Method, "path", r.URL.Path,
		"status", first.result(), "shadow_status", second.result(), "bytes", first.bytes, "shadow_bytes", second.bytes,
		"content", first.sum() == second.sum())
}

func idOf(r *http.Request) string {
	if e := exchange.From(r.Context()); e != nil {
		return e.ID()
	}
	return ""
}

// A reader sees an answer on its way.
type reader struct {
	watch
	ex   *exchange.Exchange
	hash hash.Hash64 // nil without Diff
}

func (m *Mirror) reader(w http.ResponseWriter, e *exchange.Exchange) *reader {
	r := &reader{watch: watch{ResponseWriter: w}, ex: e}
	if m.o.Diff {
		r.hash = fnv.New64a()
		r.seen = func(p []byte) { _, _ = r.hash.Write(p) }
	}
	return r
}

func (r *reader) sum() uint64 { return r.hash.Sum64() }

// result is the status, or the one that the server will make of the failure of the handler.
func (r *reader) result() int {
	if r.status == 0 && r.ex.Fault != nil {
		return statusOf(r.ex.Fault, http.StatusInternalServerError)
	}
	return r.status
}

func (r *reader) same(o *reader) bool {
	return r.result() == o.result() && r.bytes == o.bytes && r.sum() == o.sum()
}

// A tee keeps what is read of a body, as long as it is not too much.
type tee struct {
	io.ReadCloser
	max      int
	left     int64 // by Content-Length, negative if unknown
	kept     []byte
	lost     atomic.Bool
	done     atomic.Bool
	complete bool // there is no body
}

func (t *tee) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if !t.lost.Load() {
		if len(t.kept)+n > t.max {
			t.lost.Store(true)
			t.kept = nil
		} else {
			t.kept = append(t.kept, p[:n]...)
		}
	}
	if err == io.EOF || t.left >= 0 && int64(len(t.kept)) == t.left {
		t.done.Store(true)
	}
	return n, err
}

// whole reports whether all of the body was read and kept.
func (t *tee) whole() bool { return t.complete || t.done.Load() && !t.lost.Load() }

// missing is why it is not whole.
func (t *tee) missing() string {
	if t.lost.Load() {
		return "the body is too large"
	}
	return "the body was not read to its end"
}

func (t *tee) bytes() []byte { return t.kept }
