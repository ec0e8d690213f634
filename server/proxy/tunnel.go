package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rws/server/exchange"
	"rws/server/proxy/upstream"
)

// agrees reports whether a 101 changes to what the client has asked for.
func (c *call) agrees(res *http.Response) bool {
	to := res.Header["Upgrade"]
	return c.upgrade != "" && len(to) == 1 && strings.EqualFold(to[0], c.upgrade)
}

// tunnel takes the connection of the client and joins it to that of the backend, until both have ended,
// nothing passes for the time that Timeout.Tunnel allows, or the server stops.
func (c *call) tunnel(t *try) {
	outcome := upstream.Outcome{Kind: upstream.Success, Status: t.res.StatusCode, Took: t.took}
	defer func() { c.settle(t, outcome) }()
	back, ok := t.res.Body.(io.ReadWriteCloser)
	if !ok {
		c.fail(c.at(t, &Error{Phase: "header", Status: http.StatusBadGateway, Err: errors.New("its connection cannot be taken over")}))
		return
	}
	to := t.res.Header["Upgrade"]
	if fault := c.onUpgrade(t); fault != nil {
		c.fail(c.at(t, fault))
		return
	}
	c.writeUpgrade(t, to)
	conn, rw, err := http.NewResponseController(c.w).Hijack()
	if err != nil {
		c.ex.Fault = c.at(t, &Error{Phase: "body", Status: http.StatusSwitchingProtocols, Err: err})
		panic(http.ErrAbortHandler)
	}
	defer conn.Close()
	c.h.stats.upgrades.Add(1)
	c.h.stats.tunnels.Add(1)
	defer c.h.stats.tunnels.Add(-1)
	newTunnel(c.upgrade, conn, rw.Reader, back).run(c.in.Context(), c.ex, c.h.o.Timeout.Tunnel)
}

// onUpgrade calls the hook for a 101, which may refuse it and not make another answer of it.
func (c *call) onUpgrade(t *try) *Error {
	hook := c.h.o.OnResponse
	if hook == nil {
		return nil
	}
	if err := hook(c.in, t.res); err != nil {
		return &Error{Phase: "hook", Err: err, Status: statusOf(err, http.StatusInternalServerError)}
	}
	if t.res.StatusCode != http.StatusSwitchingProtocols {
		return &Error{Phase: "hook", Err: fmt.Errorf("the status of an upgrade, 101, was changed to %d: it can only be refused", t.res.StatusCode), Status: http.StatusInternalServerError}
	}
	return nil
}

// writeUpgrade writes the 101.
func (c *call) writeUpgrade(t *try, protocol []string) {
	to := c.w.Header()
	for name, values := range t.res.Header {
		if !isHop(name) && name != "Content-Length" {
			to[name] = values
		}
	}
	to["Connection"], to["Upgrade"] = connectionUpgrade, protocol
	c.h.response.apply(to)
	c.h.o.Pool.SetSticky(to, t.lease, c.in)
	c.w.WriteHeader(http.StatusSwitchingProtocols)
}

// A tunnel is two connections that are one.
type tunnel struct {
	client net.Conn
	ahead  *bufio.Reader // what the client sends, with what it had sent already
	back   io.ReadWriteCloser

	toClient, toBack lane
	moved            atomic.Int64 // when something passed, in nanoseconds since start
	start            time.Time
}

// A lane is one direction.
type lane struct {
	mu      sync.Mutex
	to      io.Writer
	frames  *frames // nil when it is not WebSocket
	goodbye []byte
	leaving bool
	said    bool // goodbye; nothing may follow
}

func newTunnel(protocol string, client net.Conn, ahead *bufio.Reader, back io.ReadWriteCloser) *tunnel {
	t := &tunnel{client: client, ahead: ahead, back: back, start: time.Now()}
	t.toClient.to, t.toBack.to = client, back
	if strings.EqualFold(protocol, "websocket") {
		t.toClient.frames, t.toClient.goodbye = new(frames), goingAway(false)
		t.toBack.frames, t.toBack.goodbye = new(frames), goingAway(true)
	}
	return t
}

// run returns when the tunnel is over. Both connections are then closed. When the server stops both ends have
// the last words of ex to close them themselves.
func (t *tunnel) run(ctx context.Context, ex *exchange.Exchange, idle time.Duration) {
	stopping := ex.Stopping()
	var lanes, goodbyes sync.WaitGroup // apart: nothing may be added to the first while it is waited for
	defer goodbyes.Wait()
	over := make(chan struct{})
	lanes.Go(func() { t.pass(&t.toBack, t.ahead) })
	lanes.Go(func() { t.pass(&t.toClient, t.back) })
	go func() { lanes.Wait(); close(over) }()
	watch := time.NewTimer(max(idle, 0))
	defer watch.Stop()
	if idle < 0 {
		watch.Stop()
	}
	last := false
	for {
		select {
		case <-over:
			t.close()
			return
		case <-stopping:
			stopping, last = nil, true
			goodbyes.Go(t.toClient.leave)
			goodbyes.Go(t.toBack.leave)
			watch.Reset(ex.LastWords())
		case <-watch.C:
			if left := idle - t.silent(); left > 0 && !last {
				watch.Reset(left)
				continue
			}
			t.close()
		case <-ctx.Done():
			t.close()
			<-over
			return
		}
	}
}

func (t *tunnel) touch()                { t.moved.Store(int64(time.Since(t.start))) }
func (t *tunnel) silent() time.Duration { return time.Since(t.start) - time.Duration(t.moved.Load()) }

func (t *tunnel) close() {
	_ = t.client.Close() // both may be closed already
	_ = t.back.Close()
}

// pass copies one direction until its end, which it passes on too.
func (t *tunnel) pass(l *lane, from io.Reader) {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	for {
		n, err := from.Read(*buffer)
		if n > 0 {
			t.touch()
			if l.write((*buffer)[:n]) != nil {
				t.close()
				return
			}
		}
		switch {
		case err == io.EOF:
			if l.end() != nil {
				t.close()
			}
			return
		case err != nil:
			t.close()
			return
		}
	}
}

// write passes bytes on; after goodbye they are dropped.
func (l *lane) write(p []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.said {
		return nil
	}
	if l.frames == nil || !l.leaving {
		l.follow(p)
		_, err := l.to.Write(p)
		return err
	}
	if _, err := l.to.Write(p[:l.frames.advance(p)]); err != nil {
		return err
	}
	return l.say()
}

func (l *lane) follow(p []byte) {
	for l.frames != nil && len(p) > 0 {
		p = p[l.frames.advance(p):]
	}
}

// leave says goodbye as soon as the frame that is under way is complete. Other protocols than WebSocket
// see the end of the connection.
func (l *lane) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaving = true
	if l.frames == nil {
		l.said = true
		_ = closeWrite(l.to) // else both are closed after the last words
		return
	}
	_ = l.say() // a broken connection shows in the other direction too
}

// say is called with mu held.
func (l *lane) say() error {
	if l.said || !l.frames.between() {
		return nil
	}
	l.said = true
	_, err := l.to.Write(l.goodbye)
	return err
}

// end passes on that nothing more comes.
func (l *lane) end() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return closeWrite(l.to)
}

var errNoHalf = errors.New("the connection has no half to close")

// closeWrite closes one half of a connection, or of the one that it wraps.
func closeWrite(w io.Writer) error {
	for {
		if half, ok := w.(interface{ CloseWrite() error }); ok {
			return half.CloseWrite()
		}
		wrapper, ok := w.(interface{ NetConn() net.Conn })
		if !ok {
			return errNoHalf
		}
		w = wrapper.NetConn()
	}
}
