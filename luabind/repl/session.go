package repl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/cookiejar"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/fault"
	"rws/luabind/vm"
)

// Options of a session; the zero value is the default.
type Options struct {
	// ReadOnly keeps the app as it is.
	//
	// Refused in a line are: assignments to locals of the script, to globals and to fields of
	// any table or object; methods whose name says that they change something (set, update,
	// exec, push, send and their like); requests other than GET, HEAD and OPTIONS; and :reload.
	// Variables of the session can be assigned.
	//
	// Refused while a line runs, in whichever function and by whichever way it is reached
	// (vm.Run.ReadOnly): each assignment to what the line has not made itself, table.insert and
	// its like on such a table, coroutines of the script, and the functions of rws that change
	// files, shared values or other servers. A function of the script that changes only what it
	// has made answers as ever.
	//
	// The requests of such a session are read-only too: a handler that changes something fails
	// with that error. Who may open a session is decided by who may open the socket.
	ReadOnly bool
	// Raw prints strings as they are, for shell scripts, instead of as Lua writes them.
	Raw bool
	// Stall is how long a line may compute without waiting, while nobody else gets at the
	// isolate. Default: the isolate's own limit; a negative value means no limit.
	Stall time.Duration
}

// A Session is one conversation with an app: its variables, cookies and numbered lines.
// One line runs at a time; Interrupt and Complete may be called meanwhile.
type Session struct {
	host    Host
	options Options
	jar     *cookiejar.Jar

	scope atomic.Pointer[scope] // nil before the first line

	mu    sync.Mutex // one line at a time
	out   io.Writer  // of the line that runs
	style Style      // of the line that runs
	notes string     // remarks on the line that runs
	fails bool       // a request of the line that runs was answered 5xx; guarded by the isolate

	// guarded by state
	state  sync.Mutex
	input  string // all lines so far, the source of the file "repl"
	cancel context.CancelCauseFunc
	run    *vm.Run
}

// Result is what a line gave.
type Result struct {
	// Text shows the values, a line end included; "" when there are none.
	Text string
	// Failed is set when a request of the line was answered with a status of 500 or above.
	// An answer of the 4xx kind may be what the line was to see.
	Failed bool
	// Quit is set by :quit.
	Quit bool
	// Edit is set by :edit: the place to open.
	Edit *Place
	// Open is set by :open: the URL to show in a browser.
	Open string
}

// A Place is a line of a file on disk.
type Place struct {
	File string `json:"file"`
	Line int    `json:"line"`
}

// An Error is a line that failed.
type Error struct {
	// Text shows the error with excerpt, caret, variables and hint, a line end included.
	Text string
	// Err is the cause: a *fault.Error when Lua raised it.
	Err error
}

// Error is the cause in one line.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New returns a session with the app.
func New(h Host, o Options) *Session {
	jar, _ := cookiejar.New(nil) // fails never
	return &Session{host: h, options: o, jar: jar}
}

// Eval runs one line of input, Lua or a command, and returns what it gave. What the line
// prints goes to out while it runs. The error is an *Error. A line may wait for as long as
// it likes, until ctx or Interrupt ends it; for computing see Options.Stall.
func (s *Session) Eval(ctx context.Context, text string, out io.Writer, style Style) (Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.out, s.style, s.notes, s.fails = out, style, "", false
	s.begin(cancel)
	defer s.end()
	var r Result
	var err error
	if text = s.expand(ctx, text); isCommand(text) {
		r, err = s.command(ctx, strings.TrimSpace(text))
	} else {
		r, err = s.line(ctx, text)
	}
	r.Text, r.Failed = s.notes+r.Text, s.fails
	if err != nil {
		return r, s.failure(err)
	}
	return r, nil
}

// expand makes the line "o", unless there is a variable of that name, what the banner says.
func (s *Session) expand(ctx context.Context, text string) string {
	if strings.TrimSpace(text) != "o" || s.host.URL() == "" {
		return text
	}
	err := s.inside(ctx, func(*lua.LState) error {
		if s.scope.Load().index("o") == lua.LNil {
			text = ":open"
		}
		return nil
	})
	if err != nil {
		return "o" // which fails in the same way
	}
	return text
}

func (s *Session) begin(cancel context.CancelCauseFunc) {
	s.state.Lock()
	defer s.state.Unlock()
	s.cancel = cancel
}

func (s *Session) end() {
	s.state.Lock()
	defer s.state.Unlock()
	s.cancel, s.run = nil, nil
}

// Interrupt ends the line that runs, as Ctrl-C does. Without one it does nothing.
func (s *Session) Interrupt() {
	s.state.Lock()
	defer s.state.Unlock()
	if s.run != nil {
		s.run.Interrupt(vm.ErrStopped)
	}
	if s.cancel != nil {
		s.cancel(vm.ErrStopped)
	}
}

// line runs Lua.
func (s *Session) line(ctx context.Context, text string) (Result, error) {
	proto, chunk, err := s.compile(text)
	if err != nil {
		return Result{}, err
	}
	if name, ok := s.askedHelp(chunk); ok {
		return s.help(ctx, name)
	}
	if s.options.ReadOnly {
		if err := checkReadOnly(chunk, inputFile); err != nil {
			return Result{}, err
		}
	}
	var r Result
	err = s.inside(ctx, func(L *lua.LState) error {
		results, err := s.call(L, proto)
		if err != nil {
			return err
		}
		s.remember(results)
		r.Text = s.show(L, results)
		if name := strings.TrimSpace(text); isName(name) && len(results) == 1 && results[0] == lua.LNil {
			s.explainNil(name)
		}
		return nil
	})
	return r, err
}

// inside calls f in a run of its own, with the session's scope up to date.
func (s *Session) inside(ctx context.Context, f func(L *lua.LState) error) error {
	err := s.enter(ctx, f)
	if errors.Is(err, vm.ErrClosed) && s.host.Isolate() != s.scopeIsolate() {
		return s.enter(ctx, f) // a reload came in between
	}
	return err
}

func (s *Session) scopeIsolate() *vm.Isolate {
	if sc := s.scope.Load(); sc != nil {
		return sc.isolate
	}
	return nil
}

func (s *Session) enter(ctx context.Context, f func(L *lua.LState) error) error {
	run := &vm.Run{Context: ctx, Stall: s.options.Stall, Owner: s, ReadOnly: s.options.ReadOnly}
	s.state.Lock()
	s.run = run
	s.state.Unlock()
	return s.host.Isolate().Do(run, func(L *lua.LState) error {
		s.prepare(L)
		return f(L)
	})
}

// prepare makes the scope ready in L's isolate. What can't move from the isolate of an
// app that was replaced is lost, and said to be.
func (s *Session) prepare(L *lua.LState) {
	sc := s.scope.Load()
	if sc == nil || sc.isolate != vm.Of(L) {
		old := sc
		sc = newScope(L, s.options.ReadOnly)
		s.builtins(L, sc)
		sc.fns = topFunctions(s.host)
		if old != nil {
			s.move(old, sc)
		}
		s.scope.Store(sc)
	}
	sc.cells = topLocals(s.host)
}

func (s *Session) move(old, sc *scope) {
	kept, lost := old.plain()
	for name, v := range kept {
		sc.set(name, v)
	}
	if len(lost) > 0 {
		s.note("the script was loaded again; these variables held tables or functions of the old one and are gone: %s", strings.Join(lost, ", "))
	}
}

// note adds a remark of the console to what the line gives.
func (s *Session) note(format string, args ...any) {
	s.notes += s.style.paint(dim, "-- "+fmt.Sprintf(format, args...)) + "\n"
}

// call runs a line and keeps its error as _err.
func (s *Session) call(L *lua.LState, proto *lua.FunctionProto) ([]lua.LValue, error) {
	fn := L.NewFunctionFromProto(proto)
	sc := s.scope.Load()
	fn.Env = sc.env
	results, err := vm.Try(L, vm.OnError(L), fn)
	if err == nil {
		return results, nil
	}
	sc.set("_err", vm.ErrorValue(err))
	e := fault.FromError(vm.AsError(err))
	s.suggest(e)
	return nil, e
}

// remember keeps the first result as _, and the one before as _2.
func (s *Session) remember(results []lua.LValue) {
	if len(results) == 0 || results[0] == lua.LNil {
		return
	}
	sc := s.scope.Load()
	if last, ok := sc.variable("_"); ok {
		sc.set("_2", last)
	}
	sc.set("_", results[0])
}

// show prints the values, one below the other.
func (s *Session) show(L *lua.LState, results []lua.LValue) string {
	var b strings.Builder
	for _, v := range results {
		if text, ok := v.(lua.LString); ok && s.options.Raw {
			b.WriteString(string(text) + "\n")
			continue
		}
		b.WriteString(newPrinter(L, s.style, s.source).value(v) + "\n")
	}
	return b.String()
}

// inputFile is the name of a session's lines in errors: they are lines of one file, so
// that "repl:7" is the seventh line that was typed.
const inputFile = "repl"

// maxInput is how much text is kept for excerpts; of what is older only the number of
// lines is known.
const maxInput = 1 << 20

// keep adds text to the input and returns how many lines came before.
func (s *Session) keep(text string) (before int) {
	s.state.Lock()
	defer s.state.Unlock()
	before = strings.Count(s.input, "\n")
	if len(s.input) > maxInput {
		s.input = strings.Repeat("\n", before)
	}
	s.input += text + "\n"
	return before
}

// source returns the text of the session or of a file of the script.
func (s *Session) source(file string) (string, bool) {
	if file != inputFile {
		return s.host.Source(file)
	}
	s.state.Lock()
	defer s.state.Unlock()
	return s.input, true
}
