package luabind

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/codec"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/status"
)

// A Test is one app:test.
type Test struct {
	Name string
	At   string
	fn   *lua.LFunction
}

// A TestResult says how one went. Err is nil when it passed.
type TestResult struct {
	Name   string
	At     string
	Err    error
	Took   time.Duration
	Output string // what it printed
	Source fault.Source
}

const (
	testTime   = time.Minute     // that one test may take
	shadowTime = 5 * time.Second // that a request waits for what goes on behind its answer, as the shadow of a mirror
)

func appTest(L *lua.LState, a *App) int {
	a.mustLoad(L, "app:test")
	a.state.tests = append(a.state.tests, Test{Name: L.CheckString(2), At: fault.Where(L), fn: L.CheckFunction(3)})
	return 0
}

// Tests returns the tests of the script, in order.
func (p *Program) Tests() []Test { return p.states[0].tests }

// RunTests runs the tests of a script whose names contain filter. Each runs in a program of
// its own: the script is loaded afresh, with a clock that only the test moves, and with no
// way to the network but what the test stubs.
func RunTests(ctx context.Context, o Options, filter string, report func(TestResult)) error {
	o.Clock, o.Transport, o.Shared, o.Pools, o.Databases, o.testing = nil, refuseNetwork{}, nil, nil, DatabasesTest, true
	p, err := Load(o)
	if err != nil {
		return err
	}
	defer p.Close(ctx)
	for n, t := range p.Tests() {
		if strings.Contains(t.Name, filter) {
			report(runTest(ctx, o, n, t))
		}
	}
	return nil
}

func runTest(ctx context.Context, o Options, n int, test Test) TestResult {
	var output bytes.Buffer
	start := time.Now()
	result := TestResult{Name: test.Name, At: test.At}
	clock := newFakeClock()
	stubs := &stubs{}
	o.Clock, o.Transport, o.Shared, o.Output = clock, stubs, NewShared(), &output
	p, err := Load(o)
	if err == nil {
		defer p.Close(ctx)
		result.Source = p.Source
		err = p.runTest(ctx, n, clock, stubs)
	}
	result.Err, result.Took, result.Output = err, time.Since(start), output.String()
	return result
}

func (p *Program) runTest(ctx context.Context, n int, clock *fakeClock, stubs *stubs) error {
	if err := p.Start(ctx); err != nil {
		return err
	}
	caller, err := p.Caller()
	if err != nil {
		return err
	}
	s := p.states[0]
	t := &tester{caller: caller, clock: clock, stubs: stubs}
	stubs.isolate = s.isolate
	run := &vm.Run{Context: ctx}
	run.SetDeadline(time.Now().Add(testTime))
	return s.isolate.Do(run, func(L *lua.LState) error {
		_, err := vm.Call(L, s.tests[n].fn, bind.New(L, testType, t))
		return err
	})
}

const (
	testType   = "rws.Test"
	answerType = "rws.Answer"
)

// A tester is the t of app:test.
type tester struct {
	caller *Caller
	clock  *fakeClock
	stubs  *stubs
}

// testOfType describes t.
func testOfType() bind.Type {
	methods := []bind.Func{
		bind.RawMethod("travel(duration)", testTravel),
		bind.RawMethod("stub(url, answer)", testStub),
	}
	for _, verb := range []string{"get", "post", "put", "patch", "delete", "head", "options"} {
		methods = append(methods, bind.RawWaitMethod(verb+"(path, options?)", func(L *lua.LState, t *tester) int {
			return t.request(L, "t:"+verb, strings.ToUpper(verb))
		}))
	}
	return bind.Type{Name: testType, As: "t", Methods: methods, Fields: map[string]func(*lua.LState, any) lua.LValue{
		"eq":   func(L *lua.LState, _ any) lua.LValue { return L.NewFunction(testEqual) },
		"ok":   func(L *lua.LState, _ any) lua.LValue { return L.NewFunction(testOK) },
		"fail": func(L *lua.LState, _ any) lua.LValue { return L.NewFunction(testFail) },
	}}
}

// callOptions are the options of t:get and its like.
type callOptions struct {
	Headers map[string]string `json:"headers"`
	Query   map[string]string `json:"query"`
	Form    map[string]string `json:"form"`
	JSON    lua.LValue        `json:"json"`
	Body    string            `json:"body"`
	Files   *lua.LTable       `json:"files"`
	Cookies map[string]string `json:"cookies"`
	As      lua.LValue        `json:"as"`
}

// newCall reads the options of a request from argument n.
func newCall(L *lua.LState, name, method, target string, n int) Call {
	o := bind.Options[callOptions](L, name, n)
	call := Call{Method: method, Target: target, Header: o.Headers, Query: o.Query, Form: o.Form, Body: o.Body, Cookies: o.Cookies}
	var err error
	if o.JSON != nil {
		if call.JSON, err = codec.Append(nil, L, o.JSON, codec.Options{}); err != nil {
			bind.Raise(L, name, err)
		}
	}
	if o.As != nil {
		if call.As, err = bind.ToGo(L, o.As); err != nil {
			bind.Raise(L, name, err)
		}
	}
	if o.Files != nil {
		call.Files = make(map[string]Upload)
		for _, field := range bind.Keys(o.Files) {
			call.Files[field] = newUpload(L, name, field, o.Files.RawGetString(field))
		}
	}
	return call
}

type uploadOptions struct {
	Name    string `json:"name"`
	Content string `json:"content"`
	Type    string `json:"type"`
}

func newUpload(L *lua.LState, name, field string, v lua.LValue) Upload {
	var o uploadOptions
	t, ok := v.(*lua.LTable)
	if !ok {
		fault.Raisef(L, "option", "%s: files.%s: a table { name = , content = } expected, got %s", name, field, v.Type())
	}
	if err := bind.Decode(L, t, &o); err != nil {
		fault.Raisef(L, "option", "%s: files.%s: %s", name, field, err)
	}
	return Upload(o)
}

func (t *tester) request(L *lua.LState, name, method string) int {
	call := newCall(L, name, method, L.CheckString(2), 3)
	var a *Answer
	err := vm.Wait(L, func(ctx context.Context) (err error) {
		if a, err = t.caller.Do(ctx, call); err != nil {
			return err
		}
		return t.caller.settle(ctx)
	})
	if err != nil {
		bind.Raise(L, name, err)
	}
	L.Push(bind.New(L, answerType, a))
	return 1
}

// answerOfType describes what t:get returns.
func answerOfType() bind.Type {
	return bind.Type{
		Name: answerType, As: "r",
		Fields: map[string]func(*lua.LState, any) lua.LValue{
			"status":  func(_ *lua.LState, self any) lua.LValue { return lua.LNumber(self.(*Answer).Status) },
			"body":    func(_ *lua.LState, self any) lua.LValue { return lua.LString(self.(*Answer).Body) },
			"headers": func(L *lua.LState, self any) lua.LValue { return headerTable(L, self.(*Answer).Header) },
			"took_ms": func(_ *lua.LState, self any) lua.LValue {
				return lua.LNumber(float64(self.(*Answer).Took.Microseconds()) / 1000)
			},
		},
		Methods: []bind.Func{bind.RawMethod("json()", func(L *lua.LState, a *Answer) int {
			v, err := codec.Decode(L, a.Body, codec.Limits{})
			if err != nil {
				bind.Raise(L, "r:json", err)
			}
			L.Push(v)
			return 1
		})},
		String: func(self any) string {
			a := self.(*Answer)
			return fmt.Sprintf("%d %s (%d bytes)", a.Status, status.Text(a.Status), len(a.Body))
		},
	}
}

// arg skips the object, so that t.eq(…) and t:eq(…) are the same.
func arg(L *lua.LState, n int) lua.LValue {
	if _, ok := userdata[tester](L.Get(1)); ok {
		n++
	}
	return L.Get(n)
}

func testEqual(L *lua.LState) int {
	got, want := arg(L, 1), arg(L, 2)
	if !equal(L, got, want, 0) {
		fault.Raise(L, &fault.Error{Code: "test", Message: fmt.Sprintf("got %s, expected %s", show(L, got), show(L, want))})
	}
	return 0
}

func testOK(L *lua.LState) int {
	if !lua.LVAsBool(arg(L, 1)) {
		message := "not true"
		if s, ok := arg(L, 2).(lua.LString); ok {
			message = string(s)
		}
		fault.Raise(L, &fault.Error{Code: "test", Message: message})
	}
	return 0
}

func testFail(L *lua.LState) int {
	fault.Raise(L, &fault.Error{Code: "test", Message: arg(L, 1).String()})
	return 0
}

// equal compares values; tables by what they hold.
func equal(L *lua.LState, a, b lua.LValue, depth int) bool {
	x, ok := a.(*lua.LTable)
	y, ok2 := b.(*lua.LTable)
	if !ok || !ok2 || depth > 100 {
		return L.Equal(a, b)
	}
	same, n := true, 0
	x.ForEach(func(k, v lua.LValue) { n++; same = same && equal(L, v, y.RawGet(k), depth+1) })
	y.ForEach(func(lua.LValue, lua.LValue) { n-- })
	return same && n == 0
}

// show writes a value for a message.
func show(L *lua.LState, v lua.LValue) string {
	switch v.(type) {
	case lua.LString, *lua.LTable:
		if b, err := codec.Append(nil, L, v, codec.Options{}); err == nil {
			return string(b)
		}
	}
	return L.ToStringMeta(v).String()
}

func testTravel(L *lua.LState, t *tester) int {
	t.clock.advance(bind.Arg[time.Duration](L, "t:travel", 2))
	return 0
}

// testStub answers requests of rws.http: to the URL, or to what begins with it when it ends
// with "*".
func testStub(L *lua.LState, t *tester) int {
	s := stub{url: L.CheckString(2)}
	switch v := L.Get(3).(type) {
	case *lua.LFunction:
		s.fn = v
	case *lua.LTable:
		s.answer = stubAnswer(L, v)
	default:
		bind.ArgError(L, "t:stub", 2, "an answer { status = , json = } or a function(request) expected, got %s", v.Type())
	}
	t.stubs.add(s)
	return 0
}

// stubOptions are what a stubbed request gets.
type stubOptions struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	JSON    lua.LValue        `json:"json"`
}

func stubAnswer(L *lua.LState, t *lua.LTable) *Answer {
	o := stubOptions{Status: http.StatusOK}
	if err := bind.Decode(L, t, &o); err != nil {
		fault.Raisef(L, "option", "t:stub: %s", err)
	}
	a := &Answer{Status: o.Status, Header: make(http.Header), Body: []byte(o.Body)}
	if o.JSON != nil {
		b, err := codec.Append(nil, L, o.JSON, codec.Options{})
		if err != nil {
			bind.Raise(L, "t:stub", err)
		}
		a.Body = b
		a.Header.Set("Content-Type", "application/json")
	}
	for name, v := range o.Headers {
		a.Header.Set(headerName(name), v)
	}
	return a
}
