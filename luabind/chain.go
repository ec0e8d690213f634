package luabind

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server"
	"rws/server/exchange"
	"rws/server/problem"
)

// A segment is a run of Lua functions in a route's chain, served as one http.Handler: it
// enters the isolate once. Behind its last function is either the route's Lua handler or,
// when inner is set, a handler of the engine.
type segment struct {
	program *Program
	route   int
	from    int // of route.chain, first and behind the last
	to      int
	inner   http.Handler
}

// chainHandler returns the http.Handler of route k: its middleware around its handler.
func (p *Program) chainHandler(k int) http.Handler {
	r := p.states[0].routes[k]
	h := r.native
	to := len(r.chain)
	for {
		from := to
		for from > 0 && r.chain[from-1].fn != nil {
			from--
		}
		if from < to || h == nil {
			h = &segment{program: p, route: k, from: from, to: to, inner: h}
		}
		if from == 0 {
			return r.timed(h)
		}
		h = r.chain[from-1].native.Wrap(h)
		to = from - 1
	}
}

// timed gives what stands before the handler, such as the function of a guard, the time of the route
// too, counted from the arrival of the request.
func (r *route) timed(h http.Handler) http.Handler {
	if r.spec == nil || r.spec.timeout <= 0 || !slices.ContainsFunc(r.chain, link.isNative) {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		ctx, cancel := context.WithDeadline(q.Context(), exchange.From(q.Context()).Start.Add(r.spec.timeout))
		defer cancel()
		h.ServeHTTP(w, q.WithContext(ctx))
	})
}

// ServeHTTP runs the segment and sends what came of it.
func (s *segment) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ex := exchange.From(r.Context())
	if outer, ok := ex.Data.(*Ctx); ok {
		s.within(outer, w, r)
		return
	}
	state := s.program.pick()
	c := newCtx(state, w, r, ex)
	c.route = state.routes[s.route]
	ex.Data = c
	c.run.Context = ex
	c.run.Owner = c
	defer s.program.limit(&c.run, c.deadline(r.Context()))()
	defer c.end()
	defer c.settle()
	if s.enter(c) {
		c.send(&c.res, w)
	}
}

// within runs a segment that lies behind middleware of the engine, which itself lies
// behind another segment of the same request.
func (s *segment) within(outer *Ctx, w http.ResponseWriter, r *http.Request) {
	c := outer.within(w, r)
	c.route = c.state.routes[s.route] // that of a fallback is not the one that it stands behind
	c.run.Context = c.ex
	c.run.Owner = c
	defer s.program.limit(&c.run, c.deadline(r.Context()))()
	defer c.settle()
	defer context.AfterFunc(r.Context(), c.abandon)()
	if s.enter(c) && !c.abandoned() {
		c.send(&c.res, w)
	}
}

// enter runs the segment's functions in the isolate. It reports false when the request
// has been answered, or has nobody left to answer.
func (s *segment) enter(c *Ctx) bool {
	if err := c.state.isolate.Enter(&c.run); err != nil {
		s.refused(c.w, c.r, err)
		return false
	}
	if err := s.call(c); err != nil && !c.abandoned() {
		c.answerError(err)
	}
	return true
}

// errAbandoned ends functions whose answer nobody takes, for those outside them have answered.
var errAbandoned = errors.New("another answer was sent")

// abandon is called when the context of what lies behind middleware has ended, but not the request.
func (c *Ctx) abandon() {
	if c.ex.Err() == nil && c.r.Context().Err() == context.Canceled {
		c.run.Interrupt(errAbandoned)
	}
}

func (c *Ctx) abandoned() bool { return c.run.Cause() == errAbandoned }

// call runs the segment; the run has entered.
func (s *segment) call(c *Ctx) error {
	defer c.state.isolate.Leave(&c.run)
	L := c.run.Thread()
	_, err := vm.Call(L, c.state.entry(L), c.value(), c.state.segmentValue(s))
	return orElse(c.late(err), err, c.gather(L))
}

// late is the fault of functions that end after their time, as those do that have caught the error of a wait:
// whether their answer still counts must not hang on who is faster. One that has begun goes on. An error, in err,
// is no answer either, and neither is c:fail; a fault of the client, which has a status of its own, stays one.
func (c *Ctx) late(err error) error {
	why := c.overdue()
	switch {
	case why == nil, problem.Started(c.w):
		return nil
	case err == nil:
		why.At = c.route.source
		return why
	}
	e := *asFault(err)
	if e.Status != 0 && e.Code != failed || statusOf(&e) == http.StatusGatewayTimeout {
		return nil
	}
	e.Code, e.Status, e.Cause, e.Message = why.Code, 0, why.Cause, why.Message+"; it failed then: "+e.Message
	return &e
}

// overdue is why nobody waits for the answer any more, nil while somebody does.
func (c *Ctx) overdue() *fault.Error {
	if c.run.Late() {
		return &fault.Error{Code: "timeout", Message: vm.ErrDeadline.Error() + " before the answer was ready", Cause: vm.ErrDeadline}
	}
	if c.ex.Err() == nil {
		return nil
	}
	if cause := context.Cause(c.ex); errors.Is(cause, server.ErrReplaced) || errors.Is(cause, server.ErrStopped) {
		return &fault.Error{Code: "canceled", Message: cause.Error(), Cause: cause}
	}
	return nil
}

// orElse returns the first error that there is.
func orElse(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// refused answers a request that could not enter: the app is being replaced or stopped,
// or the client has left.
func (s *segment) refused(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, vm.ErrClosed) {
		w.Header().Set("Retry-After", "1")
		s.program.Problem(w, r, &fault.Error{Code: "closed", Status: http.StatusServiceUnavailable, Message: err.Error()})
		return
	}
	exchange.From(r.Context()).Fault = err
}

// runChain calls function number at of the segment; behind the last it validates the
// input and calls the handler. The result is in c.res.
func (s *segment) runChain(L *lua.LState, c *Ctx, at int) {
	if at < s.to {
		s.runMiddleware(L, c, at)
		return
	}
	if s.inner != nil {
		c.bridgeTo(L, s.inner)
		return
	}
	r := c.route
	if r.spec != nil {
		c.validate(L, r.spec)
	}
	L.Push(r.handler)
	L.Push(c.value())
	L.Call(1, 1)
	v := L.Get(-1)
	L.Pop(1)
	c.finish(L, v, r.handler)
}

// runMiddleware calls function(c, next). A middleware that called next and returns
// nothing keeps what came back.
func (s *segment) runMiddleware(L *lua.LState, c *Ctx, at int) {
	fn := c.route.chain[at].fn
	called := false
	next := L.NewFunction(func(L *lua.LState) int {
		if called {
			fault.Raise(L, &fault.Error{Code: "next", Message: "next() was called a second time; a request has one answer"})
		}
		called = true
		s.runChain(L, c, at+1)
		return c.push(L)
	})
	L.Push(fn)
	L.Push(c.value())
	L.Push(next)
	L.Call(2, 1)
	v := L.Get(-1)
	L.Pop(1)
	if v == lua.LNil && !called && c.res.kind == bodyNone {
		fault.Raise(L, &fault.Error{Code: "next", At: functionAt(fn), Message: "this middleware returned nothing and did not call next()",
			Hint: "end it with `return next()` to go on, or return an answer"})
	}
	if v == lua.LNil {
		return
	}
	c.finish(L, v, fn)
}

// finish turns what a handler returned into the response: a string is text, a table JSON,
// a number an empty answer with that status, nil 204.
func (c *Ctx) finish(L *lua.LState, v lua.LValue, by *lua.LFunction) {
	switch v := v.(type) {
	case *lua.LUserData:
		if v == &c.answer {
			return
		}
		if t := bind.View(L, v); t != nil {
			c.finish(L, t, by)
			return
		}
	case lua.LString:
		c.finishText(string(v), by)
		return
	case *lua.LTable:
		if err := c.setJSON(L, v, 0); err != nil {
			fault.Raise(L, &fault.Error{Code: "json", At: functionAt(by), Message: "encoding the returned table: " + err.Error()})
		}
		c.defaultStatus()
		return
	case lua.LNumber:
		if v >= 200 && v <= 599 && v == lua.LNumber(int(v)) {
			c.res.reset(bodyEmpty)
			c.res.status = int(v)
			return
		}
		fault.Raise(L, &fault.Error{Code: "result", At: functionAt(by), Message: fmt.Sprintf("the handler returned the number %s, which is no status", v)})
	case *lua.LNilType:
		if c.res.kind == bodyNone {
			c.res.kind = bodyEmpty
			c.defaultStatus()
		}
		return
	}
	fault.Raise(L, &fault.Error{Code: "result", At: functionAt(by), Message: fmt.Sprintf("the handler returned a %s", v.Type()),
		Hint: "return a string (text), a table (JSON), a number (status), nil (204) or an answer such as c:html(…)"})
}

func (c *Ctx) finishText(s string, by *lua.LFunction) {
	if strings.HasPrefix(s, "<") && c.res.contentType() == nil && !c.state.program.Config.Production() {
		c.state.program.logger.Warn("a returned string is sent as text/plain: did you mean c:html(…)?", "at", functionAt(by))
	}
	b := c.res.bytes()
	*b = append(*b, s...)
	if c.res.contentType() == nil {
		c.res.setType(typeText)
	}
	c.defaultStatus()
}

// defaultStatus applies the "returns" of the route's spec.
func (c *Ctx) defaultStatus() {
	if c.res.status == 0 && c.route != nil && c.route.spec != nil {
		c.res.status = c.route.spec.returns
	}
}

// entry is the function by which Go enters the isolate for a request: it exists so that
// everything a request does in Lua lies below one protected call.
func (s *state) entry(L *lua.LState) *lua.LFunction {
	if s.enter == nil {
		s.enter = L.NewFunction(func(L *lua.LState) int {
			defer vm.KeepOverflow(L)
			c := L.Get(1).(*lua.LUserData).Value.(*Ctx)
			seg := L.Get(2).(*lua.LUserData).Value.(*segment)
			seg.runChain(L, c, seg.from)
			return 0
		})
	}
	return s.enter
}

// segmentValue returns seg as a Lua value, for entry.
func (s *state) segmentValue(seg *segment) *lua.LUserData {
	if s.segments == nil {
		s.segments = make(map[*segment]*lua.LUserData)
	}
	ud := s.segments[seg]
	if ud == nil {
		ud = &lua.LUserData{Value: seg}
		s.segments[seg] = ud
	}
	return ud
}
