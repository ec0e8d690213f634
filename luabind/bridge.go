package luabind

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/vm"
	"rws/server/exchange"
	"rws/server/problem"
)

// A bridge lets Lua middleware stand before a handler of the engine, as a static folder or
// a proxy, without buffering: the handler runs on its own goroutine and stops when it is
// about to send the head. Then next() returns, Lua may change status and headers, and when
// the chain has returned the handler goes on and streams straight to the client.
type bridge struct {
	program *Program
	before  *bridge // of the same functions; dropped
	w       http.ResponseWriter
	header  http.Header
	status  int

	head   chan struct{} // closed when the handler wants to send the head, or is done
	resume chan struct{} // closed when the chain has returned
	done   chan struct{} // closed when the handler has returned
	once   sync.Once
	free   sync.Once
	cancel context.CancelFunc

	dropped atomic.Bool // another answer is sent instead; set before resume is closed
	informs sync.Mutex  // held while a status before the answer is sent
	wrote   bool
	panic   any
}

// bridgeTo starts h and waits until it has decided on the head.
func (c *Ctx) bridgeTo(L *lua.LState, h http.Handler) {
	ctx, cancel := context.WithCancel(c.r.Context())
	rl := &bridge{
		program: c.state.program, w: c.w, header: maps.Clone(c.w.Header()), head: make(chan struct{}), resume: make(chan struct{}),
		done: make(chan struct{}), cancel: cancel,
	}
	r := c.unreadBody(c.r.WithContext(ctx))
	rl.before, c.bridge = c.bridge, rl
	go rl.run(h, r)
	waitApart(L, func() { <-rl.head })
	before := c.res.headers()
	c.res.reset(bodyBridge)
	c.res.bridge = rl
	for name, values := range before {
		if _, ok := rl.header[name]; !ok {
			rl.header[name] = values
		}
	}
	c.res.header, c.res.status = rl.header, rl.status
}

// waitApart waits for what has limits of its own, as a backend or a large upload: the time that Lua has stands still.
func waitApart(L *lua.LState, f func()) {
	run := vm.Current(L)
	at, begun := run.Deadline(), time.Now()
	if !at.IsZero() {
		run.SetDeadline(time.Time{})
		defer func() { run.SetDeadline(at.Add(time.Since(begun))) }()
	}
	_ = vm.Wait(L, func(context.Context) error { f(); return nil })
}

func (rl *bridge) run(h http.Handler, r *http.Request) {
	defer close(rl.done)
	defer rl.once.Do(func() { close(rl.head) })
	defer func() { rl.panic = recover() }()
	h.ServeHTTP(rl, r)
	rl.fail(r)
	rl.once.Do(func() {
		if rl.status == 0 {
			rl.status = http.StatusOK
		}
		close(rl.head)
	})
	<-rl.resume
}

// fail answers for a handler that has left its fault to the server, so that functions see what is sent.
func (rl *bridge) fail(r *http.Request) {
	if ex := exchange.From(r.Context()); ex.Fault != nil && !rl.Started() {
		rl.program.fail(rl, r, ex.Fault)
	}
}

// finish sends the head and lets the handler go on, until it is done.
func (rl *bridge) finish(header http.Header, status int) {
	rl.header, rl.status = header, status
	rl.release()
	<-rl.done
	rl.cancel()
	if rl.panic != nil {
		panic(rl.panic)
	}
	rl.sendHead()
}

// drop ends the handler; another answer is sent. It does not wait for the handler, which may be one
// that waits for who calls this.
func (rl *bridge) drop() {
	rl.free.Do(func() {
		rl.dropped.Store(true)
		close(rl.resume)
	})
	rl.cancel()
}

func (rl *bridge) release() { rl.free.Do(func() { close(rl.resume) }) }

// hush waits until a handler that was dropped writes no more: it may be in the middle of a status before
// the answer.
func (rl *bridge) hush() {
	rl.informs.Lock()
	defer rl.informs.Unlock()
}

// settle waits for the handlers of the engine that were started, at the end of the request or of what runs
// within another handler. The isolate is not held.
func (c *Ctx) settle() {
	for b := c.bridge; b != nil; b = b.before {
		b.drop()
		<-b.done
	}
}

// Started reports whether the handler has begun to answer, or another answer is sent.
func (rl *bridge) Started() bool {
	select {
	case <-rl.head:
		return true
	default:
		return problem.Started(rl.w)
	}
}

// Header returns the headers as the handler sees them; once the head is out, where trailers go.
func (rl *bridge) Header() http.Header {
	if rl.wrote {
		return rl.w.Header()
	}
	return rl.header
}

// WriteHeader waits for the chain to return.
func (rl *bridge) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols {
		rl.inform(status)
		return
	}
	rl.once.Do(func() {
		rl.status = status
		close(rl.head)
	})
	<-rl.resume
	rl.sendHead()
}

// inform sends a status before the answer (RFC 9110 §15.2), unless another answer is under way.
func (rl *bridge) inform(status int) {
	rl.informs.Lock()
	defer rl.informs.Unlock()
	if rl.dropped.Load() {
		return
	}
	maps.Copy(rl.w.Header(), rl.header)
	rl.w.WriteHeader(status)
}

// sendHead sends what the chain has made of the head, once.
func (rl *bridge) sendHead() {
	if rl.wrote || rl.dropped.Load() {
		return
	}
	rl.wrote = true
	h := rl.w.Header()
	clear(h)
	maps.Copy(h, rl.header)
	rl.w.WriteHeader(rl.status)
}

// Write sends b, after the head.
func (rl *bridge) Write(b []byte) (int, error) {
	rl.WriteHeader(http.StatusOK)
	if rl.dropped.Load() {
		return 0, fmt.Errorf("another answer was sent: %w", http.ErrHandlerTimeout)
	}
	return rl.w.Write(b)
}

// Flush sends what has been written.
func (rl *bridge) Flush() {
	rl.WriteHeader(http.StatusOK)
	if !rl.dropped.Load() {
		_ = http.NewResponseController(rl.w).Flush()
	}
}

// Hijack hands over the connection, once the chain has agreed.
func (rl *bridge) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	rl.once.Do(func() {
		rl.status = http.StatusSwitchingProtocols
		close(rl.head)
	})
	<-rl.resume
	if rl.dropped.Load() {
		return nil, nil, fmt.Errorf("taking over the connection: %w", http.ErrHandlerTimeout)
	}
	rl.wrote = true
	return http.NewResponseController(rl.w).Hijack()
}

// Unwrap lets deadlines be set on the connection.
func (rl *bridge) Unwrap() http.ResponseWriter { return rl.w }
