package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"rws/server/exchange"
	"rws/server/fieldname"
	"rws/server/http1"
	"rws/server/http3"
	"rws/server/problem"
	"rws/server/router"
)

// transaction is all that a request needs, in one allocation. It is not pooled: handlers may
// keep the context and the writer.
type transaction struct {
	exchange.Exchange
	handler  *Handler
	entrance *entrance // nil for none
	route    *route    // nil for a miss
	request  *http.Request
	writer   writer
	body     body
	allow    string // of the answer to OPTIONS
	counted  func() // counts the request out of the metrics; nil without them
}

// matches are pooled: the Match is bigger than what is kept of it.
var matches = sync.Pool{New: func() any { return new(router.Match[*route]) }}

// ServeHTTP answers one request. After Close it answers 503. It panics with
// [http.ErrAbortHandler] when an answer has to be broken off, as net/http expects.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.serve(w, r, nil) {
		closed(w, r)
	}
}

func closed(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor < 3 { // where an answer with it is malformed
		w.Header().Set("Connection", "close")
	}
	problem.Write(w, r, problem.Details{Status: http.StatusServiceUnavailable, Detail: "The server is stopping.",
		Extra: http.Header{"Retry-After": {"5"}}})
}

// serve reports false, and has done nothing, when the handler takes no more requests.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, e *entrance) (served bool) {
	if !h.enter() {
		return false
	}
	served = true // now, for a panic skips the rest
	t := &transaction{handler: h, entrance: e}
	t.Begin(r, &h.life)
	if t.EarlyData = http3.IsEarly(r); t.EarlyData {
		r.Header.Set("Early-Data", "1") // for who is behind us, RFC 8470 §5.1
	}
	t.request = r.WithContext(&t.Exchange)
	if m := h.app.Metrics; m != nil {
		t.counted = m.Begin()
	}
	t.writer.begin(w, r, h.settings.WriteIdle)
	e.announce(w, r)
	defer t.finish()
	t.answer()
	t.settle(&t.writer, t.request)
	return served
}

func (t *transaction) answer() {
	h, r := t.handler, t.request
	if hasBody(r) {
		t.body.begin(r, &t.writer, &t.Exchange, h.settings.BodyIdle)
		r.Body = &t.body
	}
	if fault := t.refuse(); fault != nil {
		t.turnAway(fault)
		return
	}
	if r.ProtoMajor < 2 { // the others have no such field, and are refused with one
		h.protect.StripNominated(r.Header)
	}
	t.Server = t
	h.before.ServeHTTP(&t.writer, r)
}

// dispatch is what App.Before stands before.
func dispatch(w http.ResponseWriter, r *http.Request) {
	t := exchange.From(r.Context()).Server.(*transaction)
	t.dispatch(w, r)
	t.settle(w, r)
}

func (t *transaction) dispatch(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodOptions && r.URL.Path == "*" { // RFC 9110 §9.3.7: about the server, not a resource
		w.WriteHeader(http.StatusNoContent)
		return
	}
	m := matches.Get().(*router.Match[*route])
	kind := t.handler.table.Match(r.Host, r.Method, r.URL.EscapedPath(), m)
	if r.Method == http.MethodOptions && t.preflight(w, r, m.Value) {
		matches.Put(m)
		return
	}
	if kind == router.Options && t.guardedOptions(w, r, m.Allow) {
		matches.Put(m)
		return
	}
	if kind == router.Found && r.Method == http.MethodTrace && m.Value.Method != http.MethodTrace {
		matches.Put(m)
		t.noTrace(w, r)
		return
	}
	if kind != router.Found {
		t.miss(w, r, kind, m)
		matches.Put(m)
		return
	}
	t.take(m)
	t.run(w, r, t.route.Handler)
}

// noTrace answers TRACE where only a route for every method would have taken it: who answers it must show the
// client what it has sent (RFC 9110 §9.3.8), with all that proxies have added, and no such route does.
func (t *transaction) noTrace(w http.ResponseWriter, r *http.Request) {
	problem.Write(w, r, problem.Details{Status: http.StatusNotImplemented, ID: t.ID(), Detail: "No route here is for TRACE."})
}

// take makes m the match of the request, and puts it back where that is possible.
func (t *transaction) take(m *router.Match[*route]) {
	t.route, t.Params = m.Value, m.Params
	if m.Params.Len() <= router.InlineParams { // beyond that the copy shares memory with the match
		matches.Put(m)
	}
	t.Route, t.RouteName = t.route.Pattern, t.route.Name
}

// preflight answers a preflight by the route of the request that it asks for, so that no other
// route of the path can allow more than that one does. options is the route that OPTIONS itself
// has, or nil.
func (t *transaction) preflight(w http.ResponseWriter, r *http.Request, options *route) bool {
	asked := r.Header["Access-Control-Request-Method"]
	if len(asked) != 1 || len(r.Header["Origin"]) == 0 {
		return false
	}
	m := matches.Get().(*router.Match[*route])
	kind := t.handler.table.Match(r.Host, asked[0], r.URL.EscapedPath(), m)
	if kind != router.Found || m.Value.Preflight == nil || m.Value.ownOptions(options) {
		matches.Put(m)
		return false
	}
	t.take(m)
	t.run(w, r, t.route.Preflight)
	return true
}

// guardedOptions answers OPTIONS for a path with these methods behind the guard of a route that has
// one: who may not ask for a thing does not learn what can be done with it.
func (t *transaction) guardedOptions(w http.ResponseWriter, r *http.Request, allow []string) bool {
	for _, method := range allow {
		m := matches.Get().(*router.Match[*route])
		if t.handler.table.Match(r.Host, method, r.URL.EscapedPath(), m) != router.Found || m.Value.options == nil {
			matches.Put(m)
			continue
		}
		t.take(m)
		t.allow = strings.Join(allow, ", ")
		t.run(w, r, t.route.options)
		return true
	}
	return false
}

// allowed is the engine's own answer to OPTIONS.
func allowed(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Allow", exchange.From(r.Context()).Server.(*transaction).allow)
	w.WriteHeader(http.StatusNoContent)
}

// ownOptions reports whether options is declared for OPTIONS in the place of r.
func (r *route) ownOptions(options *route) bool {
	return options != nil && options.Method == http.MethodOptions && options.Host == r.Host && options.Pattern == r.Pattern
}

// turnAway answers what was refused, by where it may come again if there is such a place.
func (t *transaction) turnAway(fault *problem.Details) {
	wrong, _ := t.entrance.refuse(t) // a host that is none of its own is for another address to answer
	if find := t.handler.around.elsewhere; find != nil && wrong == 0 {
		if over := find(t.request); over != nil {
			over.ServeHTTP(&t.writer, t.request)
			return
		}
	}
	problem.Write(&t.writer, t.request, *fault)
}

// refuse is the engine's own answer to what no app should see; nil for the rest.
func (t *transaction) refuse() *problem.Details {
	h, r := t.handler, t.request
	count := h.fields(r.Header)
	h.fields(r.Trailer) // as far as they are announced; others never come
	switch {
	case h.around.shed.active():
		return &problem.Details{Status: http.StatusServiceUnavailable, ID: t.ID(), Detail: "The server is short of memory.",
			Extra: http.Header{"Retry-After": {"2"}}}
	case h.settings.MaxHeaders >= 0 && count > h.settings.MaxHeaders:
		if r.ProtoMajor < 3 { // where an answer with it is malformed; HTTP/2 makes a GOAWAY of it
			t.writer.Header().Set("Connection", "close")
		}
		return &problem.Details{Status: http.StatusRequestHeaderFieldsTooLarge, ID: t.ID(),
			Detail: fmt.Sprintf("The request has more than %d header fields.", h.settings.MaxHeaders)}
	case h.around.misdirected != nil && h.around.misdirected(r):
		return &problem.Details{Status: http.StatusMisdirectedRequest, ID: t.ID(), Detail: "The host asks certificates of clients, or a version of TLS, that this connection does not have; open another one."}
	}
	if fault := checkFrames(r); fault != "" {
		return &problem.Details{Status: http.StatusBadRequest, ID: t.ID(), Detail: fault}
	}
	if !metExpectation(r) {
		return &problem.Details{Status: http.StatusExpectationFailed, ID: t.ID(), Detail: "The only expectation here is 100-continue."}
	}
	if r.Method == http.MethodConnect {
		if r.ProtoMajor < 2 { // what the client sends next may be for the tunnel
			t.writer.Header().Set("Connection", "close")
		}
		return &problem.Details{Status: http.StatusNotImplemented, ID: t.ID(), Detail: "This server is no tunnel."}
	}
	if status, detail := t.entrance.refuse(t); status != 0 {
		return &problem.Details{Status: status, ID: t.ID(), Detail: detail}
	}
	return nil
}

// otherHost reports whether an HTTP/2 request has a Host that its :authority is not (RFC 9113 §8.3.1):
// who looks at the one would let pass what goes to the other. HTTP/1 has been checked by its parser.
func otherHost(r *http.Request) bool {
	return r.ProtoMajor >= 2 && slices.ContainsFunc(r.Header["Host"], func(host string) bool { return !strings.EqualFold(host, r.Host) })
}

// fields counts the header fields, and drops those whose name has a "_" or a ".": programs behind
// us may take them for the name with "-", which is how a client gets what a guard looks at, or sets
// for others, past it (as X_Forwarded_For; nginx and Caddy drop them too).
func (h *Handler) fields(header http.Header) (n int) {
	for name, values := range header {
		n += len(values)
		if fieldname.Ambiguous(name) {
			delete(header, name)
			h.dropped(name)
		}
	}
	return n
}

// dropped tells once, so that who misses a field finds out why; each time would be for clients to
// fill the log.
func (h *Handler) dropped(name string) {
	if h.toldDropped.CompareAndSwap(false, true) {
		h.around.log.Warn(`a header field whose name has "_" or "." is dropped, for others take it for the name with "-"; this is told once`, "name", name)
	}
}

// run calls a handler of the route.
func (t *transaction) run(w http.ResponseWriter, r *http.Request, h http.Handler) {
	if t.route.Timeout > 0 {
		t.Limit(t.route.Timeout)
	}
	t.LimitBody(t.route.maxBody)
	if limit := t.route.maxBody; limit >= 0 && r.ContentLength > limit {
		t.Fault = &http.MaxBytesError{Limit: t.route.told(limit)}
	} else {
		t.body.limit(limit)
		h.ServeHTTP(w, r)
	}
}

// settle answers when the handler has failed, or run out of time, and written nothing.
func (t *transaction) settle(w http.ResponseWriter, r *http.Request) {
	if problem.Started(w) {
		return
	}
	if t.Err() != nil && (t.Fault == nil || errors.Is(t.Fault, context.Canceled)) { // which says no more than that it ended
		if cause := t.whyEnded(); Status(cause) != http.StatusInternalServerError {
			t.Fault = cause
		}
	}
	if t.Fault != nil && t.fail(w, r) {
		panic(http.ErrAbortHandler)
	}
}

// whyEnded is the cause of the end of the context, which HTTP/2 does not give.
func (t *transaction) whyEnded() error {
	cause := context.Cause(t)
	if cause == context.Canceled && t.Context.Err() == context.Canceled {
		return http1.ErrClientLeft
	}
	return cause
}

// fail answers for t.Fault. It reports true if all that can be done is to break off the answer.
func (t *transaction) fail(w http.ResponseWriter, r *http.Request) (abort bool) {
	if t.handler.app.Fail != nil {
		abort = t.tryFail(w, r)
	}
	problem.Write(w, r, problem.Details{Status: Status(t.Fault), Detail: Detail(t.Fault), ID: t.ID()})
	return abort
}

// tryFail calls the app's Fail, which may be at fault itself.
func (t *transaction) tryFail(w http.ResponseWriter, r *http.Request) (abort bool) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		abort = problem.Started(w)
		if p != http.ErrAbortHandler {
			t.handler.around.log.Error("answering for a failure panicked", "id", t.ID(), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	t.handler.app.Fail(w, r, t.Fault)
	return false
}

func (t *transaction) miss(w http.ResponseWriter, r *http.Request, kind router.Kind, m *router.Match[*route]) {
	t.LimitBody(t.handler.settings.MaxBody)
	miss := Miss{Status: http.StatusNotFound}
	switch kind {
	case router.Redirect:
		if r.URL.RawQuery != "" {
			m.Location += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", m.Location)
		w.WriteHeader(http.StatusPermanentRedirect)
		return
	case router.Options:
		t.allow = strings.Join(m.Allow, ", ")
		allowed(w, r)
		return
	case router.MethodNotAllowed:
		w.Header().Set("Allow", strings.Join(m.Allow, ", "))
		miss = Miss{Status: http.StatusMethodNotAllowed, Allow: m.Allow}
	case router.BadPath:
		miss = Miss{Status: http.StatusBadRequest, Reason: router.CheckPath(r.URL.EscapedPath())}
	}
	if t.handler.app.Miss != nil {
		t.handler.app.Miss(w, r, miss)
	}
	if t.Fault != nil || problem.Started(w) {
		return
	}
	d := problem.Details{Status: miss.Status, ID: t.ID()}
	if miss.Reason != nil {
		d.Detail = miss.Reason.Error()
	}
	problem.Write(w, r, d)
}

// finish runs deferred: it turns a panic into an answer, closes the books and counts out.
func (t *transaction) finish() {
	abort := false
	if p := recover(); p != nil {
		abort = t.recovered(p)
	}
	t.body.finish()
	t.writer.finish()
	t.report(abort)
	t.End()
	t.handler.exit()
	if abort {
		panic(http.ErrAbortHandler)
	}
}

// recovered answers for a handler that panicked. It reports true if all that can be done is to
// break off the answer.
func (t *transaction) recovered(p any) (abort bool) {
	if p == http.ErrAbortHandler {
		return true
	}
	t.Fault = &PanicError{Value: p, Stack: debug.Stack()}
	if t.writer.Started() {
		return true
	}
	return t.fail(&t.writer, t.request)
}
