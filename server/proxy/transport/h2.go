package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"rws/server/http1/wire"
)

// Pings tell whether a connection is still there, whatever the streams on it do.
const (
	pingAfter   = 30 * time.Second // without a frame
	pingTimeout = 15 * time.Second
)

// maxRefused is how often a stream may be refused. A new connection does not know how many streams the
// backend takes before its settings have come, so the first may be too many.
const maxRefused = 5

// h2 speaks HTTP/2 with that of net/http, over connections of its own choosing: requests share the
// first connection that has room, and when the streams of all run out another is opened.
type h2 struct {
	o      *Options
	dialer *dialer
	t      *http.Transport
	scheme string
	host   string

	notice notice // that somebody who waits should look again

	mu      sync.Mutex
	closed  bool
	conns   []*h2Conn
	dialing map[client]*opening
	dials   uint64
	reused  uint64
}

// An h2Conn is one connection.
type h2Conn struct {
	*http.ClientConn
	client   client
	expires  time.Time // zero for never
	settling *settling
}

// An opening is a connection that is being opened. Those who wait for it fail with it, unless it failed
// because the one that opens it was cancelled.
type opening struct{ err atomic.Pointer[Error] }

func (o *opening) failure() error {
	if o == nil {
		return nil
	}
	if err := o.err.Load(); err != nil {
		return err
	}
	return nil
}

func newH2(o *Options, d *dialer) *h2 {
	t := &h2{o: o, dialer: d, scheme: "http", host: o.Address, dialing: map[client]*opening{}}
	protocols := new(http.Protocols)
	if o.isTLS() {
		t.scheme = "https"
		protocols.SetHTTP2(true)
	} else {
		protocols.SetUnencryptedHTTP2(true)
	}
	t.t = &http.Transport{
		Protocols:              protocols,
		DialContext:            t.dialRaw,
		DialTLSContext:         t.dialRaw,
		DisableCompression:     true,
		IdleConnTimeout:        max(o.Idle, 0),
		ExpectContinueTimeout:  continueWait,
		MaxResponseHeaderBytes: int64(o.MaxHeaderBytes),
		HTTP2: &http.HTTP2Config{
			MaxReadFrameSize: 64 << 10,
			SendPingTimeout:  pingAfter,
			PingTimeout:      pingTimeout,
			WriteByteTimeout: max(o.ReadIdle, 0),
		},
	}
	return t
}

func (t *h2) dialRaw(ctx context.Context, _, _ string) (net.Conn, error) {
	return t.dialer.open(ctx, t.o.client(ctx))
}

// RoundTrip implements [http.RoundTripper].
func (t *h2) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := checkH2(t.o.Address, r); err != nil {
		closeBody(r)
		return nil, err
	}
	for try := 0; ; try++ {
		c, reused, err := t.get(r.Context())
		if err != nil {
			closeBody(r)
			return nil, err
		}
		x := t.newStream(r)
		res, err := x.run(c)
		if err == nil {
			return res, nil
		}
		died := try == 0 && reused && c.Err() != nil
		if try == maxRefused || !x.repeatable(err, died) {
			closeBody(r)
			return nil, x.explain(PhaseHeader, err)
		}
	}
}

// checkH2 refuses what net/http would, in words of ours and as no fault of the backend.
func checkH2(address string, r *http.Request) error {
	if err := checkRequest(r); err != nil {
		return err
	}
	if target := r.URL.RequestURI(); !wire.IsTarget(target) {
		return badRequest("the target %q of the request has characters that must be escaped", target)
	}
	if isUpgrade(r) {
		return &Error{Phase: PhaseWrite, Err: fmt.Errorf("the backend %s: %w (%q); speak http or https to it, or ws or wss, if it can do that", address, ErrUpgrade, r.Header["Upgrade"])}
	}
	for _, h := range []http.Header{r.Header, r.Trailer} {
		for name, values := range h {
			if err := checkField(name, values); err != nil {
				return err
			}
		}
	}
	return nil
}

// get returns a connection with a stream reserved on it.
func (t *h2) get(ctx context.Context) (c *h2Conn, reused bool, err error) {
	key := t.o.client(ctx)
	var late <-chan time.Time
	for changed := (<-chan struct{})(nil); ; changed = t.notice.next() {
		c, coming, dial, err := t.begin(key)
		switch {
		case err != nil || c != nil:
			return c, c != nil, err
		case dial:
			return t.dial(ctx, key, coming)
		case changed == nil:
			continue // once more, now that a change is noticed
		}
		if late == nil && t.o.Queue > 0 {
			timer := time.NewTimer(t.o.Queue + max(t.o.Connect, 0))
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-changed:
			if err := coming.failure(); err != nil {
				return nil, false, err
			}
		case <-late:
			return nil, false, &Error{Phase: PhaseQueue, Err: fmt.Errorf("backend %s: %w (%d, and all their streams) and none became free within %s; raise the number of connections if it can take more", t.o.Address, ErrQueue, t.o.MaxConns, t.o.Queue)}
		case <-ctx.Done():
			return nil, false, &Error{Phase: PhaseQueue, Err: fmt.Errorf("waiting for a connection to the backend %s: %w", t.o.Address, context.Cause(ctx))}
		}
	}
}

// begin returns a connection, or says that the caller shall open one, or that it has to wait; for the
// connection that is being opened if there is one.
func (t *h2) begin(key client) (c *h2Conn, coming *opening, dial bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, nil, false, &Error{Phase: PhaseQueue, Err: fmt.Errorf("backend %s: %w", t.o.Address, ErrClosed)}
	}
	t.weed(time.Now())
	settling := false
	for _, c := range t.conns {
		switch {
		case c.client != key:
		case !c.settling.done.Load():
			settling = true
		case c.Reserve() == nil:
			t.reused++
			return c, nil, false, nil
		}
	}
	if coming = t.dialing[key]; coming != nil || settling || !t.room(key) {
		return nil, coming, false, nil
	}
	coming = new(opening)
	t.dialing[key] = coming
	return nil, coming, true, nil
}

// weed takes out what is closed, and what is too old: that is closed with its last stream. mu is held.
func (t *h2) weed(now time.Time) {
	t.conns = slices.DeleteFunc(t.conns, func(c *h2Conn) bool {
		if c.Err() != nil {
			return true
		}
		old := !c.expires.IsZero() && now.After(c.expires)
		if old {
			c.retire()
		}
		return old
	})
}

// retire closes the connection once its last stream has ended.
func (c *h2Conn) retire() {
	if c.InFlight() == 0 {
		_ = c.Close()
		return
	}
	c.SetStateHook(func(cc *http.ClientConn) {
		if cc.InFlight() == 0 {
			_ = cc.Close()
		}
	})
}

// room makes room for another connection; an unused one of another client may have to go. mu is held.
func (t *h2) room(key client) bool {
	if len(t.conns)+len(t.dialing) < t.o.MaxConns {
		return true
	}
	i := slices.IndexFunc(t.conns, func(c *h2Conn) bool { return c.client != key && c.InFlight() == 0 })
	if i < 0 {
		return false
	}
	t.conns[i].retire()
	t.conns = slices.Delete(t.conns, i, i+1)
	return true
}

// dial opens a connection and reserves a stream on it.
func (t *h2) dial(ctx context.Context, key client, o *opening) (*h2Conn, bool, error) {
	s := &settling{tell: t.notice.tell}
	cc, err := t.t.NewClientConn(context.WithValue(ctx, settlingKey{}, s), t.scheme, t.host)
	if err == nil {
		err = cc.Reserve()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.dialing, key)
	defer t.notice.tell()
	if err != nil {
		e := t.dialFailed(ctx, err)
		if ctx.Err() == nil {
			o.err.Store(e)
		}
		return nil, false, e
	}
	c := &h2Conn{ClientConn: cc, client: key, expires: expiry(t.o.MaxAge), settling: s}
	t.dials++
	if t.closed {
		c.Release()
		_ = c.Close()
		return nil, false, &Error{Phase: PhaseQueue, Err: fmt.Errorf("backend %s: %w", t.o.Address, ErrClosed)}
	}
	c.SetStateHook(func(*http.ClientConn) { t.notice.tell() })
	t.conns = append(t.conns, c)
	return c, false, nil
}

func (t *h2) dialFailed(ctx context.Context, err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return t.dialer.dialError(ctx, err)
}

// Close implements [Transport.Close].
func (t *h2) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.notice.tell()
	for _, c := range t.conns {
		c.retire()
	}
	t.conns = nil
}

// CloseIdle implements [Transport.CloseIdle].
func (t *h2) CloseIdle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conns = slices.DeleteFunc(t.conns, func(c *h2Conn) bool {
		unused := c.InFlight() == 0
		if unused {
			c.retire()
		}
		return unused
	})
}

// Stats implements [Transport.Stats].
func (t *h2) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := Stats{Open: len(t.dialing), InUse: len(t.dialing), Dials: t.dials, Reused: t.reused}
	for _, c := range t.conns {
		switch {
		case c.Err() != nil:
			continue
		case c.InFlight() > 0:
			s.InUse++
		default:
			s.Idle++
		}
		s.Open++
	}
	return s
}

// A notice tells everybody who waits for it.
type notice struct {
	mu sync.Mutex
	ch chan struct{} // nil while nobody waits
}

// next returns what is closed at the next tell.
func (n *notice) next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch == nil {
		n.ch = make(chan struct{})
	}
	return n.ch
}

func (n *notice) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch != nil {
		close(n.ch)
		n.ch = nil
	}
}
