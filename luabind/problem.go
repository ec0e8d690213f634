package luabind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server"
	"rws/server/exchange"
	"rws/server/http1"
	"rws/server/problem"
	"rws/server/proxy"
	"rws/server/status"
	"rws/server/template"
)

// failed is the code of an answer by c:fail and c:assert.
const failed = "fail"

// asFault returns err, as it came from Lua, as a *fault.Error.
func asFault(err error) *fault.Error { return fault.FromError(err) }

// statusOf returns the HTTP status of an error.
func statusOf(e *fault.Error) int {
	switch {
	case e.Status != 0:
		return e.Status
	case strings.HasPrefix(e.Message, vm.ErrDeadline.Error()), e.Code == "timeout" && errors.Is(e.Cause, vm.ErrDeadline):
		return http.StatusGatewayTimeout
	case errors.Is(e, server.ErrReplaced), errors.Is(e, server.ErrStopped):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// answerError makes the answer of a failed chain.
func (c *Ctx) answerError(err error) {
	e := asFault(err)
	code := statusOf(e)
	late := problem.Started(c.w) // rws.timeout has answered, and a client that leaves then is not why this failed
	if late && code != http.StatusGatewayTimeout && e.Status == 0 && c.ex.Context.Err() != nil {
		e = &fault.Error{Code: "timeout", At: e.At, Message: vm.ErrDeadline.Error(), Cause: err}
		code = http.StatusGatewayTimeout
	}
	if c.ex.Context.Err() != nil && e.Status == 0 && !late {
		c.ex.Fault = http1.ErrClientLeft
		c.res = c.problem(clientLeft, status.ClientClosedRequest)
		return
	}
	if code >= 500 {
		c.state.program.logError(c.r, e)
	} else if e.Public != "" {
		c.state.program.logRefused(c.r, e, code)
	}
	c.res.reset(bodyNone)
	c.res = c.failed(e, code)
}

// clientLeft is for logs and for a client that has closed no more than its half of the connection.
var clientLeft = &fault.Error{Code: "client_left", Message: "The client closed its side of the connection before the answer was ready."}

// failed returns the response for an error: what app:on_error makes of it, else the
// built-in page. Being in a run of its own, it works after a deadline too.
func (c *Ctx) failed(e *fault.Error, status int) response {
	fn := c.state.errors[status]
	if fn == nil {
		fn = c.state.errors[0]
	}
	if fn == nil {
		return c.problem(e, status)
	}
	run := &vm.Run{Context: c.ex, Owner: c}
	run.SetDeadline(time.Now().Add(errorTime))
	saved := c.res
	c.res = response{status: status}
	err := c.state.isolate.Do(run, func(L *lua.LState) error {
		_, err := vm.Call(L, L.NewFunction(func(L *lua.LState) int {
			L.Push(fn)
			L.Push(c.value())
			L.Push(fault.Value(L, e))
			L.Call(2, 1)
			c.finish(L, L.Get(-1), fn)
			return 0
		}))
		return orElse(err, c.gather(L))
	})
	res := c.res
	c.res = saved
	if err != nil {
		c.state.program.logError(c.r, err)
		res.reset(bodyNone)
		return c.problem(e, status)
	}
	if res.status < 400 {
		res.status = status
	}
	return res
}

// errorTime is what a handler of app:on_error may take.
const errorTime = 5 * time.Second

// problem is the built-in answer. It is kept as a response rather than written to the
// client, so that the middleware outside still sees it.
func (c *Ctx) problem(e *fault.Error, status int) response {
	rec := &recorder{header: make(http.Header)}
	c.state.program.writeProblem(rec, c.r, e, status)
	return response{kind: bodyBytes, buf: &rec.body, header: rec.header, status: rec.status}
}

// fail answers for a handler of the engine that failed before it wrote.
func (p *Program) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := asFault(err)
	if server.Status(err) == http.StatusRequestEntityTooLarge {
		e = bodyError(err)
	}
	if e.Status == 0 {
		failed := *e
		failed.Status = server.Status(err)
		if _, ok := errors.AsType[*proxy.Error](err); ok && failed.Status < 500 && e.Cause == err {
			failed.Message = cmp.Or(server.Detail(err), http.StatusText(failed.Status)) // which backend it was is for the log
		}
		e = &failed
	}
	p.states[0].miss(w, r, e)
}

// Problem answers with an error.
func (p *Program) Problem(w http.ResponseWriter, r *http.Request, e *fault.Error) {
	p.writeProblem(w, r, e, statusOf(e))
}

// writeProblem writes problem+json or HTML by Accept. In development a failure of the
// script is shown with its place; visitors in production get the id only.
func (p *Program) writeProblem(w http.ResponseWriter, r *http.Request, e *fault.Error, status int) {
	ex := exchange.From(r.Context())
	if status >= 500 && p.dev != nil && e.At != "" && p.dev.knows(r) {
		p.writeDevelopment(w, r, e, status)
		return
	}
	d := problem.Details{Status: status, ID: ex.ID()}
	inside := e.Code == "not_found" && p.Config.Production() // names of files are nobody's business
	switch {
	case vm.IsReadOnly(r.Context()) && status >= 500: // to a console: its user has the log too
		d.Detail = strings.TrimPrefix(e.At+": "+e.Message, ": ")
	case (status < 500 || e.Code == failed) && !inside:
		d.Detail = e.Message
		if p.Config.Production() {
			d.Detail = cmp.Or(e.Public, e.Message)
		}
	}
	if status == http.StatusGatewayTimeout && d.Detail == "" {
		d.Detail = "The answer took too long."
	}
	for _, f := range e.Fields {
		d.Fields = append(d.Fields, problem.Field(f))
	}
	problem.Write(w, r, d)
}

// Miss answers what no route does, and files that are not there.
func (p *Program) Miss(w http.ResponseWriter, r *http.Request, status int, reason error) {
	e := &fault.Error{Status: status, Message: http.StatusText(status)}
	if reason != nil && status == http.StatusBadRequest {
		e.Message = reason.Error()
	}
	p.states[0].miss(w, r, e)
}

// miss answers with the script's handler for the status, else the built-in page.
func (s *state) miss(w http.ResponseWriter, r *http.Request, e *fault.Error) {
	status := statusOf(e)
	if s.errors[status] == nil && s.errors[0] == nil {
		s.program.writeProblem(w, r, e, status)
		return
	}
	ex := exchange.From(r.Context())
	c, ok := ex.Data.(*Ctx)
	if !ok {
		c = newCtx(s, w, r, ex)
		ex.Data = c
		defer c.end()
	} else {
		c = c.within(w, r)
	}
	res := c.failed(e, status)
	c.send(&res, w)
}

// compileMiss returns the engine's handler for what no route answers, behind the
// middleware of the whole app.
func (p *Program) compileMiss() func(http.ResponseWriter, *http.Request, server.Miss) {
	return func(w http.ResponseWriter, r *http.Request, m server.Miss) {
		ex := exchange.From(r.Context())
		ex.Fault = nil
		p.misses.handler(r, p.fallback).ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), missKey{}, m)))
	}
}

type missKey struct{}

// fallbackHandler answers a miss.
func (p *Program) fallbackHandler(w http.ResponseWriter, r *http.Request) {
	m, _ := r.Context().Value(missKey{}).(server.Miss)
	p.Miss(w, r, m.Status, m.Reason)
}

// logError writes an error to the log: for people with its excerpt, for machines in one
// record.
func (p *Program) logError(r *http.Request, err error) {
	e := asFault(err)
	ex := exchange.From(r.Context())
	p.remember(ex.ID(), r, e)
	if p.options.Excerpts {
		text := e.Text(p.Source, fault.TextOptions{Locals: true, Trace: true})
		if p.dev != nil {
			text += "\n  " + p.sourceCommand(e) + p.dev.link(r, ex.ID())
		}
		p.logger.Error(r.Method+" "+r.URL.Path, "id", ex.ID(), "error", errors.New(text))
		return
	}
	p.logger.Error(e.Message, "id", ex.ID(), "method", r.Method, "path", r.URL.Path, "error", e)
}

// logRefused writes what visitors are not told of an error that is theirs; what is too large may be a store
// that is full.
func (p *Program) logRefused(r *http.Request, e *fault.Error, status int) {
	level := slog.LevelInfo
	if status == http.StatusRequestEntityTooLarge {
		level = slog.LevelWarn
	}
	p.logger.Log(r.Context(), level, e.Message, "id", exchange.From(r.Context()).ID(), "method", r.Method, "path", r.URL.Path, "code", e.Code)
}

// sourceCommand is the console's command that shows where an error is, as ":src 61   ".
func (p *Program) sourceCommand(e *fault.Error) string {
	at := strings.TrimPrefix(e.At, p.Main()+":")
	file, _, _ := strings.Cut(e.At, ":")
	if _, ok := p.Source(file); !ok {
		return ""
	}
	return ":src " + at + "   "
}

// templateError returns what went wrong in a template, at its file and line, with the way to
// it from c:render of a page at a place of the script.
func (p *Program) templateError(err error, page, at string) *fault.Error {
	e := &fault.Error{Code: "template", Message: err.Error(), Cause: err}
	if t, ok := errors.AsType[*template.Error](err); ok && t.Line > 0 {
		e.At = fmt.Sprintf("%s/%s:%d", p.templateDir(), t.File, t.Line)
		way := fmt.Sprintf("c:render(%q) at %s", page, at)
		for _, place := range slices.Backward(t.Via) {
			way += " → " + p.templateDir() + "/" + place
		}
		e.Message = t.Message + "; by " + way
	}
	if errors.Is(err, fs.ErrNotExist) {
		e.Code = "not_found"
	}
	return e
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   []byte
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body = append(w.body, b...)
	return len(b), nil
}
