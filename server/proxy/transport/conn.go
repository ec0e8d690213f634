package transport

import (
	"crypto/tls"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rws/server/http1/wire"
)

// A conn is one HTTP/1.1 connection. At each time it belongs to the pool or to one exchange.
type conn struct {
	nc        net.Conn
	tls       *tls.ConnectionState // nil without
	in        wire.Reader
	probe     *probe      // nil where the system does not tell
	interrupt func()      // breaks it, made once
	partial   atomic.Bool // some of a request may have been sent, and not all

	client  client
	used    bool      // it has served a request
	expires time.Time // zero for never
	idle    time.Duration
	since   time.Time // when it became idle

	unwatched *exchange // whose context is to be watched once more of a body has to be waited for

	mu              sync.Mutex
	answered        bool // the head of the answer has been read
	armed           bool // the deadline of the wait for it has been set, and stays
	wait            time.Duration
	readBy, writeBy time.Time // the deadlines in force
}

func newConn(nc net.Conn, o *Options, c client) *conn {
	n := &conn{nc: nc, client: c, idle: o.Idle, expires: expiry(o.MaxAge), probe: newProbe(nc)}
	n.in.Source = n
	n.interrupt = n.sever
	if secure, ok := nc.(*tls.Conn); ok {
		state := secure.ConnectionState()
		n.tls = &state
	}
	return n
}

// expiry is when a connection opened now is too old: up to a tenth early, so that not all end at once.
func expiry(age time.Duration) time.Time {
	if age <= 0 {
		return time.Time{}
	}
	return time.Now().Add(age - rand.N(age/10+1))
}

// Read reads from the network, for c.in.
func (c *conn) Read(p []byte) (int, error) {
	if x := c.unwatched; x != nil {
		c.unwatched = nil
		x.watch()
	}
	c.mu.Lock()
	if !c.armed && near(&c.readBy, c.wait) {
		_ = c.nc.SetReadDeadline(c.readBy) // fails on a closed connection, as the read will
	}
	c.armed = !c.answered
	c.mu.Unlock()
	return c.nc.Read(p)
}

// near moves a deadline and reports whether it has to be set. Setting one costs 0.15 µs, so one that
// is too early by less than a quarter stays.
func near(deadline *time.Time, d time.Duration) bool {
	if d <= 0 {
		was := !deadline.IsZero()
		*deadline = time.Time{}
		return was
	}
	now := time.Now()
	if left := deadline.Sub(now); left <= d && left >= d-d/4 {
		return false
	}
	*deadline = now.Add(d)
	return true
}

// limit bounds what is read from now on, not a read under way: all until the head of the answer is
// here, then each.
func (c *conn) limit(d time.Duration, answered bool) {
	c.mu.Lock()
	c.wait, c.answered, c.armed = d, answered, false
	c.mu.Unlock()
}

// hurry bounds the wait for the head of the answer, also if it has begun.
func (c *conn) hurry(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answered || d <= 0 {
		return
	}
	c.wait, c.armed = d, true
	c.readBy = time.Now().Add(d)
	_ = c.nc.SetReadDeadline(c.readBy)
}

// write sends p, all of which has to be taken within about d.
func (c *conn) write(p []byte, d time.Duration) (int, error) {
	if near(&c.writeBy, d) {
		_ = c.nc.SetWriteDeadline(c.writeBy)
	}
	return c.nc.Write(p)
}

// tired reports whether the time of an idle connection is over.
func (c *conn) tired(now time.Time) bool {
	return c.idle > 0 && now.Sub(c.since) >= c.idle || c.old(now)
}

func (c *conn) old(now time.Time) bool { return !c.expires.IsZero() && now.After(c.expires) }

// believe takes the idle timeout of the backend from a header "Keep-Alive: timeout=5, max=100", and
// stays a second below.
func (c *conn) believe(h http.Header) {
	for _, value := range h["Keep-Alive"] {
		for part := range strings.SplitSeq(value, ",") {
			name, number, _ := strings.Cut(strings.TrimSpace(part), "=")
			n, err := strconv.ParseUint(number, 10, 24)
			if err != nil || !strings.EqualFold(name, "timeout") {
				continue
			}
			limit := time.Duration(n) * time.Second
			limit = max(limit-time.Second, limit/2, time.Millisecond)
			if c.idle <= 0 || limit < c.idle {
				c.idle = limit
			}
		}
	}
}

// sever closes the connection without a word: TLS says no goodbye, which a backend may take for the end of
// what it was being told, and answer before the connection is closed. Half of a request ends by a reset,
// where the system has one, and can't be taken for a whole one.
func (c *conn) sever() {
	nc := below(c.nc)
	if lingers, ok := nc.(interface{ SetLinger(sec int) error }); ok && c.partial.Load() {
		_ = lingers.SetLinger(0) // fails on a closed connection
	}
	_ = nc.Close()
}

// shut closes the connection. TLS says goodbye if the last request was complete, which may wait for a peer
// that does not read; so nobody waits for it.
func (c *conn) shut() {
	if c.partial.Load() {
		c.sever()
		return
	}
	if c.tls != nil {
		go func() { _ = c.nc.Close() }()
		return
	}
	_ = c.nc.Close()
}
