package luabind

import (
	"context"
	"net/http"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/exchange"
	"rws/server/middleware"
)

func (c *Ctx) sendStream(res *response, w http.ResponseWriter) {
	status := res.effectiveStatus()
	if c.r.Method == http.MethodHead {
		w.WriteHeader(status)
		return
	}
	ctx, cancel := context.WithCancelCause(c.ex)
	defer cancel(nil)
	defer context.AfterFunc(c.r.Context(), func() {
		if answeredElsewhere(c.r.Context()) {
			cancel(errAbandoned)
		}
	})()
	defer onLeaving(c.ex, min(streamGrace, c.state.program.Config.StopGrace/2), func() { cancel(vm.ErrStopped) })()
	run := &vm.Run{Owner: c, Context: ctx}
	out := &Out{c: c, w: w, control: http.NewResponseController(w), status: status}
	err := c.state.isolate.Do(run, func(L *lua.LState) error {
		_, err := vm.Call(L, res.stream, bind.New(L, outType, out))
		return orElse(err, c.gather(L))
	})
	if err == nil {
		err = out.start()
	}
	if err == nil {
		return
	}
	if !out.started && answeredElsewhere(c.r.Context()) {
		return
	}
	if out.err == nil && ctx.Err() == nil {
		c.state.program.logError(c.r, err)
		if !out.started {
			clear(w.Header())
			c.state.miss(w, c.r, asFault(err))
			return
		}
	}
	// The head is gone, so the only way to tell the client is to break off.
	panic(http.ErrAbortHandler)
}

// answeredElsewhere reports whether somebody else answers a request: rws.timeout, as the stream has not
// begun in time, or a function around it.
func answeredElsewhere(ctx context.Context) bool {
	return ctx.Err() == context.Canceled || context.Cause(ctx) == middleware.ErrTimeout
}

const streamGrace = 5 * time.Second

func onLeaving(ex *exchange.Exchange, d time.Duration, f func()) (stop func()) {
	if ex.Leaving() == nil {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		select {
		case <-ex.Leaving():
		case <-done:
			return
		}
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			f()
		case <-done:
		}
	}()
	return func() { close(done) }
}

const outType = "rws.Out"

type Out struct {
	c       *Ctx
	w       http.ResponseWriter
	control *http.ResponseController
	status  int
	started bool
	err     error
}

func (o *Out) start() error {
	if o.started {
		return nil
	}
	if err := o.c.saveSession(o.w.Header()); err != nil {
		return storeError(err)
	}
	if s := o.c.session.Load(); s != nil {
		s.sent.Store(true)
	}
	o.started = true
	o.w.WriteHeader(o.status)
	return nil
}

func outOfType() bind.Type {
	return bind.Type{Name: outType, As: "out", Methods: []bind.Func{
		bind.RawWaitMethod("write(...)", outWrite),
	}}
}

func outWrite(L *lua.LState, o *Out) int {
	var b strings.Builder
	for n := 2; n <= L.GetTop(); n++ {
		b.WriteString(L.CheckString(n))
	}
	if !o.started {
		if err := o.c.gather(L); err != nil {
			bind.Raise(L, "out:write", err)
		}
	}
	var failed error // to start
	err := vm.Wait(L, func(context.Context) error {
		if failed = o.start(); failed != nil {
			return nil
		}
		if _, err := o.w.Write([]byte(b.String())); err != nil {
			return err
		}
		return o.control.Flush()
	})
	if failed != nil {
		bind.Raise(L, "out:write", failed)
	}
	if err != nil {
		o.err = err
		fault.Raise(L, &fault.Error{Code: "closed", Message: "out:write: the client is gone: " + err.Error(), Cause: err})
	}
	L.Push(L.Get(1))
	return 1
}
