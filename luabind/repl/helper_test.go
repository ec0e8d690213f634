package repl_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	lua "github.com/yuin/gopher-lua"
	"go.uber.org/goleak"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/luadoc"
	"rws/luabind/repl"
	"rws/luabind/vm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const face = `---@meta

---An application.
---@class rws.App
---@field shared rws.Shared what all isolates share
local app = {}

---Answers GET requests.
---@param pattern string
---@param options? rws.Spec
---@param handler function
function app:get(pattern, options, handler) end

---Opens a database.
---@param url string
---@param options? { name?: string, max_open?: integer }
function app:db(url, options) end

---@class rws.Spec
---@field timeout? string how long it may take
---@field limit? string

---@class rws.Shared
local shared = {}

---Reads a value.
---@param key string
function shared:get(key) end

---JSON.
---@class rws.json
rws.json = {}

---Writes a value as JSON.
---@param value any
function rws.json.encode(value) end
`

const script = `
local count = 1
local rows = { { id = 1, name = "ann" }, { id = 2, name = "bob" } }
local secret = "unused by handlers"

-- Says hello.
-- In two lines.
local function greet(who, ...)
  return "hello " .. who
end

declared = 1

app:get("/", function(c) return greet("world") end)
app:get("/count", function(c) count = count + 1 return { count = count, rows = rows } end)
app:get("/api/notes", function(c) return { user = c.user and c.user.name, cookie = c.cookie, query = c.query } end)
app:post("/login", function(c) return { form = c.body, type = c.type } end)
local function only_a_handler(c) return "handled" end
app:get("/only", only_a_handler)
app:get("/fail", function(c) local user return user.name end)
app:get("/nested", function()
  local count = "not the top one"
  return (function() return count end)()
end)
local function bump() count = count + 1 end
local function names()
  local list = {}
  for _, row in ipairs(rows) do table.insert(list, row.name) end
  return setmetatable(list, {})
end
app:get("/bump", function(c) bump() return names() end)
`

// A host is a small app: a script whose routes answer with JSON.
type host struct {
	docs  *luadoc.Package
	dir   string
	noAs  bool
	stall time.Duration // of the isolate; default: a minute
	data  repl.Data

	ready chan struct{} // gets a value when a line calls ready(), which keeps the lock

	mu      sync.Mutex
	text    string
	isolate *vm.Isolate
	chunk   *lua.FunctionProto
	routes  []repl.Route
	fns     []*lua.LFunction
}

type testApp struct{ h *host }

func newHost(tb testing.TB, text string) *host {
	tb.Helper()
	h := &host{}
	start(tb, h, text)
	return h
}

// start loads the script of a host.
func start(tb testing.TB, h *host, text string) {
	tb.Helper()
	docs, err := luadoc.ParseFS(fstest.MapFS{"rws.lua": {Data: []byte(face)}})
	if err != nil {
		tb.Fatal(err)
	}
	if h.dir == "" {
		h.dir = tb.TempDir()
	}
	h.docs, h.text, h.ready = docs, text, make(chan struct{}, 1)
	if err := h.load(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { h.Isolate().Close() })
}

func (h *host) load() error {
	chunk, err := fault.Compile("app.lua", h.text)
	if err != nil {
		return err
	}
	if err := os.WriteFile(h.Path("app.lua"), []byte(h.text), 0o600); err != nil {
		return err
	}
	next := &host{}
	next.isolate = vm.New(vm.Options{OnError: fault.Capture, Output: io.Discard, Stall: cmp.Or(h.stall, time.Minute)})
	err = next.isolate.Do(&vm.Run{}, func(L *lua.LState) error {
		bind.Prepare(L)
		fault.Install(L)
		bind.Type{Name: "rws.App", As: "app", Methods: []bind.Func{
			bind.RawMethod("get(pattern, handler)", next.declare("GET")), bind.RawMethod("post(pattern, handler)", next.declare("POST")),
		}}.Open(L)
		L.SetGlobal("app", bind.New(L, "rws.App", &testApp{next}))
		rws := bind.Module{Name: "rws", Values: func(L *lua.LState) map[string]lua.LValue {
			return map[string]lua.LValue{"null": bind.Null(L)}
		}}.Open(L)
		rws.RawSetString("json", bind.Module{Name: "rws.json", Funcs: []bind.Func{
			bind.Call1("encode(value)", func(v string) (string, error) { return v, nil }),
		}}.Open(L))
		rws.RawSetString("array", L.NewFunction(func(L *lua.LState) int {
			L.Push(bind.MarkArray(L, L.OptTable(1, L.NewTable())))
			return 1
		}))
		L.SetGlobal("rws", rws)
		next.isolate.Prepared(L)
		L.SetGlobal("ready", L.NewFunction(func(*lua.LState) int { h.ready <- struct{}{}; return 0 }))
		L.SetGlobal("wait", L.NewFunction(func(L *lua.LState) int {
			_ = vm.Wait(L, func(ctx context.Context) error { <-ctx.Done(); return nil })
			return 0
		}))
		_, err := vm.Call(L, L.NewFunctionFromProto(chunk))
		next.isolate.Seal(L)
		return err
	})
	if err != nil {
		next.isolate.Close()
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.isolate != nil {
		h.isolate.Close()
	}
	h.isolate, h.chunk, h.routes, h.fns = next.isolate, chunk, next.routes, next.fns
	return nil
}

func (h *host) declare(method string) func(*lua.LState, *testApp) int {
	return func(L *lua.LState, _ *testApp) int {
		fn := L.CheckFunction(3)
		h.routes = append(h.routes, repl.Route{Method: method, Pattern: L.CheckString(2), Source: fault.Where(L), Kind: "lua"})
		h.fns = append(h.fns, fn)
		return 0
	}
}

func (h *host) Isolate() *vm.Isolate {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.isolate
}
func (h *host) Main() string                { return "app.lua" }
func (h *host) Path(file string) string     { return filepath.Join(h.dir, file) }
func (h *host) Chunk() *lua.FunctionProto   { return h.chunk }
func (h *host) Functions() []*lua.LFunction { return h.fns }
func (h *host) Docs() *luadoc.Package       { return h.docs }
func (h *host) Routes() []repl.Route        { return h.routes }
func (h *host) URL() string                 { return "http://localhost:3000" }
func (h *host) Why(method, path string) string {
	return fmt.Sprintf("%s %s: app.lua:14", method, path)
}

func (h *host) Source(file string) (string, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text, file == "app.lua"
}

func (h *host) Reload(context.Context) error { return h.load() }

func (h *host) Data() repl.Data { return h.data }

func (h *host) Serve(w http.ResponseWriter, r *http.Request, user lua.LValue) error {
	if user != nil && h.noAs {
		return repl.ErrNoUser
	}
	for i, route := range h.routes {
		if route.Method == r.Method && route.Pattern == r.URL.Path {
			return h.answer(w, r, h.fns[i], user)
		}
	}
	http.Error(w, "no route", http.StatusNotFound)
	return nil
}

func (h *host) answer(w http.ResponseWriter, r *http.Request, fn *lua.LFunction, user lua.LValue) error {
	body, _ := io.ReadAll(r.Body)
	err := h.Isolate().Do(&vm.Run{Context: r.Context()}, func(L *lua.LState) error {
		c := L.NewTable()
		if user != nil {
			c.RawSetString("user", user)
		}
		c.RawSetString("body", lua.LString(body))
		c.RawSetString("type", lua.LString(r.Header.Get("Content-Type")))
		c.RawSetString("query", lua.LString(r.URL.RawQuery))
		c.RawSetString("cookie", lua.LString(r.Header.Get("Cookie")))
		v, err := vm.Call(L, fn, c)
		if err != nil {
			return err
		}
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1", Path: "/", Secure: true})
		if text, ok := v.(lua.LString); ok {
			w.Header().Set("Content-Type", "text/plain")
			_, err = io.WriteString(w, string(text))
			return err
		}
		data, err := bind.ToGo(L, v)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json")
		_, err = fmt.Fprint(w, mustJSON(data))
		return err
	})
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, "something failed")
	}
	return nil
}

// A console is a session whose output is kept.
type console struct {
	*repl.Session
	t   testing.TB
	out bytes.Buffer
}

func newConsole(tb testing.TB, h repl.Host) *console {
	return &console{Session: repl.New(h, repl.Options{}), t: tb}
}

// run evaluates lines and returns what they printed and gave. Any goroutine may call it.
func (c *console) run(lines ...string) string {
	c.t.Helper()
	c.out.Reset()
	for _, line := range lines {
		r, err := c.Eval(c.t.Context(), line, &c.out, repl.Style{})
		if err != nil {
			c.t.Errorf("%s: %v", line, text(err))
			break
		}
		c.out.WriteString(r.Text)
	}
	return strings.TrimRight(c.out.String(), "\n")
}

// fails evaluates a line that must fail and returns the text of the error.
func (c *console) fails(line string) string {
	c.t.Helper()
	r, err := c.Eval(c.t.Context(), line, &c.out, repl.Style{})
	if err == nil {
		c.t.Fatalf("%s gave %q, an error was expected", line, r.Text)
	}
	return text(err)
}

func text(err error) string {
	if e, ok := err.(*repl.Error); ok {
		return e.Text
	}
	return err.Error()
}
