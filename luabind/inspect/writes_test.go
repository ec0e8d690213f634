package inspect_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/inspect"
)

// handler runs the script app.lua, which hands its closure to handle(fn). The global
// conn and the fields of users are userdata; bound is a table whose __newindex is Go.
func handler(t testing.TB, script string) *lua.LFunction {
	t.Helper()
	L := lua.NewState()
	t.Cleanup(L.Close)
	var fn *lua.LFunction
	L.SetGlobal("handle", L.NewFunction(func(L *lua.LState) int { fn = L.CheckFunction(1); return 0 }))
	L.SetGlobal("conn", L.NewUserData())
	bound, mt := L.NewTable(), L.NewTable()
	mt.RawSetString("__newindex", L.NewFunction(func(*lua.LState) int { return 0 }))
	bound.Metatable = mt
	L.SetGlobal("bound", bound)
	main, err := L.Load(strings.NewReader(script), "app.lua")
	if err != nil {
		t.Fatal(err)
	}
	L.Push(main)
	if err := L.PCall(0, 0, nil); err != nil {
		t.Fatal(err)
	}
	if fn == nil {
		t.Fatal("the script did not call handle")
	}
	return fn
}

// brief is "line kind name" for each write.
func brief(list []inspect.Write) []string {
	out := []string{}
	for _, w := range list {
		out = append(out, fmt.Sprintf("%d %s %s", w.Line, w.Kind, w.Name))
	}
	return out
}

type writeCase struct {
	name, script string
	want         []string
}

func check(t *testing.T, cases []writeCase) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := brief(inspect.SharedWrites(handler(t, c.script), inspect.Options{}))
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q in\n%s", got, c.want, c.script)
			}
		})
	}
}

func TestWritesThatAreFound(t *testing.T) {
	check(t, []writeCase{
		{"counter", `local n = 0 handle(function() n = n + 1 end)`, []string{"1 local n"}},
		{"nil at first", `local n handle(function() n = n or 1 end)`, []string{"1 local n"}},
		{"factory", `local function make() local n = 0 return function() n = n + 1 end end handle(make())`, []string{"1 local n"}},
		{"global", `handle(function() hits = 1 end)`, []string{"1 global hits"}},
		{"global function", `handle(function() function hits() end end)`, []string{"1 global hits"}},
		{"_G", `handle(function() _G.hits = 1 end)`, []string{"1 global hits"}},
		{"_G, computed", `handle(function(k) _G[k] = 1 end)`, []string{"1 global _G[…]"}},
		{"rawset _G", `handle(function() rawset(_G, "hits", 1) end)`, []string{"1 global hits"}},
		{"table", `local cache = {} handle(function(k, v) cache[k] = v end)`, []string{"1 table cache"}},
		{"append", `local list = {} handle(function(v) list[#list+1] = v end)`, []string{"1 table list"}},
		{"constant index", `local list = {} handle(function(v) list[1] = v end)`, []string{"1 table list"}},
		{"field", `local stats = {hits = 0} handle(function() stats.hits = stats.hits + 1 end)`, []string{"1 table stats"}},
		{"method definition", `local M = {} handle(function() function M.f() end function M:g() end end)`, []string{"1 table M"}},
		{"global table", `stats = {hits = 0} handle(function() stats.hits = stats.hits + 1 end)`, []string{"1 table stats"}},
		{"insert", `local list = {} handle(function(v) table.insert(list, v) end)`, []string{"1 table list"}},
		{"insert at", `local list = {} handle(function(v) table.insert(list, 1, v) end)`, []string{"1 table list"}},
		{"insert by another name", `local push, list = table.insert, {} handle(function(v) push(list, v) end)`, []string{"1 table list"}},
		{"remove", `local list = {} handle(function() local v = table.remove(list) return v end)`, []string{"1 table list"}},
		{"return remove", `local list = {} handle(function() return table.remove(list, 1) end)`, []string{"1 table list"}},
		{"sort", `local list = {} handle(function() table.sort(list, function(a, b) return a > b end) end)`, []string{"1 table list"}},
		{"rawset", `local t = {} handle(function() rawset(t, "a", 1) end)`, []string{"1 table t"}},
		{"setmetatable", `local t = {} handle(function() setmetatable(t, {}) end)`, []string{"1 table t"}},
		{"pcall", `local t = {} handle(function(v) pcall(table.insert, t, v) end)`, []string{"1 table t"}},
		{"alias", `local cache = {} handle(function(k, v) local t = cache; t[k] = v end)`, []string{"1 table cache"}},
		{"two aliases", `local cache = {} handle(function(k, v) local t, u = cache, 1; local w = t; w[k] = u end)`, []string{"1 table cache"}},
		{"alias by or", `local cache = {} handle(function(c, k) local t = c.cache or cache; t[k] = 1 end)`, []string{"1 table cache"}},
		{"alias by and", `local cache = {} handle(function(c, k) local t = c.on and cache; t[k] = 1 end)`, []string{"1 table cache"}},
		{"alias in a branch", `local cache = {} handle(function(c, k) local t = {} if c.on then t = cache end t[k] = 1 end)`, []string{"1 table cache"}},
		{"alias over a loop", `local cache = {} handle(function(c, k) local t = {} for i = 1, 2 do t[k] = i; t = cache end end)`, []string{"1 table cache"}},
		{"alias over goto", `local cache = {} handle(function(k) local t = {} ::again:: t[k] = 1; t = cache; goto again end)`, []string{"1 table cache"}},
		{"assert", `local cache = {} handle(function(k) assert(cache)[k] = 1 end)`, []string{"1 table cache"}},
		{"chain", `local cache = {users = {}} handle(function(id, x) cache.users[id] = x end)`, []string{"1 table cache.users"}},
		{"chain not there yet", `local cache = {} handle(function(id, x) cache.users[id] = x end)`, []string{"1 table cache.users"}},
		{"chain over three", `local a = {b = {c = {}}} handle(function(x) a.b.c.d = x end)`, []string{"1 table a.b.c"}},
		{"element", `local by_id = {} handle(function(id) by_id[id].seen = true end)`, []string{"1 table by_id[…]"}},
		{"element, filled", `local by_id = {{}} handle(function(id) by_id[id].seen = true end)`, []string{"1 table by_id[…]"}},
		{"element or new", `local by_id = {} handle(function(id) local s = by_id[id] or {} s.n = 1 end)`, []string{"1 table by_id[…]"}},
		{"constant element", `local list = {{}} handle(function() list[1].seen = true end)`, []string{"1 table list[1]"}},
		{"pairs", `local m = {} handle(function() for k, v in pairs(m) do v.seen = true end end)`, []string{"1 table m[…]"}},
		{"ipairs", `local m = {{}} handle(function() for _, v in ipairs(m) do v.seen = true end end)`, []string{"1 table m[…]"}},
		{"next", `local m = {{}} handle(function() for k, v in next, m do v.seen = true end end)`, []string{"1 table m[…]"}},
		{"rawget", `local m = {a = {}} handle(function() rawget(m, "a").x = 1 end)`, []string{"1 table m.a"}},
		{"swap", `local a, b = 1, 2 handle(function() a, b = b, a end)`, []string{"1 local a", "1 local b"}},
		{"many values", `local a, t = 1, {} handle(function(f) a, t.x = f() end)`, []string{"1 local a", "1 table t"}},
		{"nested", `local n = 0 handle(function(each) each(function() return function() n = n + 1 end end) end)`, []string{"1 local n"}},
		{"nested, table", `local t = {} handle(function(each) local u = t each(function(v) u.x = v end) end)`, []string{"1 table t"}},
		{"coroutine", `local n = 0 handle(function() coroutine.wrap(function() n = n + 1 end)() end)`, []string{"1 local n"}},
		{"vararg", `local n = 0 handle(function(...) local a, b = ... n = a end)`, []string{"1 local n"}},
		{"lines", "local n, t = 0, {}\nhandle(function()\n  n = 1\n  t.a = 1\n  t.b = 1\nend)", []string{"3 local n", "4 table t", "5 table t"}},
		{"__newindex is a table", `local store = {} local t = setmetatable({}, {__newindex = store}) handle(function() t.x = 1 end)`, []string{"1 table t"}},
		{"__newindex is Lua", "local store = {}\nlocal t = setmetatable({}, {__newindex = function(t, k, v)\nstore[k] = v end})\nhandle(function() t.x = 1 end)", []string{"3 table store"}},
		{"in a constructor", `local t = {} handle(function() for _, v in pairs({t}) do v.x = 1 end end)`, []string{"1 table t"}},
		{"in a constructor, by ipairs", `local t, u = {}, {} handle(function() for _, v in ipairs {t, u} do v.x = 1 end end)`, []string{"1 table t", "1 table u"}},
		{"in a constructor, by index", `local t = {} handle(function() local l = {t} l[1].x = 1 end)`, []string{"1 table t"}},
		{"in a constructor, by number", `local t = {} handle(function() local l = {1, t} for i = 1, #l do l[i].x = 1 end end)`, []string{"1 table t"}},
		{"in a constructor, by name", `local t = {} handle(function() local o = {of = t} o.of.x = 1 end)`, []string{"1 table t"}},
		{"in a constructor, nested", `local t = {} handle(function() local o = {a = {b = {t}}} o.a.b[1].x = 1 end)`, []string{"1 table t"}},
		{"in a constructor, by a function", `local t = {} local function wrap(x) return {x} end handle(function() wrap(t)[1].x = 1 end)`, []string{"1 table t"}},
		{"in a constructor, handed on", `local t = {} local function each(l) for _, v in pairs(l) do v.x = 1 end end handle(function() each {t} end)`, []string{"1 table t"}},
		{"in a constructor, sorted", `local t = {} handle(function() table.insert(({t})[1], 1) end)`, []string{"1 table t"}},
		{"in a list", `local t = {} handle(function() local l = {} table.insert(l, t) for _, v in ipairs(l) do v.x = 1 end end)`, []string{"1 table t"}},
		{"in a list, computed", `local t = {} handle(function() local l = {} l[#l + 1] = t l[1].x = 1 end)`, []string{"1 table t"}},
		{"in a field", `local t = {} handle(function() local o = {} o.of = t o.of.x = 1 end)`, []string{"1 table t"}},
		{"in a field, by a closure", `local t = {} handle(function(each) local o = {of = t} each(function() o.of.x = 1 end) end)`, []string{"1 table t"}},
		{"in a list of next", `local t = {} handle(function() local _, v = next({t}) v.x = 1 end)`, []string{"1 table t"}},
		{"many constants", `local t = {} handle(function(c) ` + constants(600) + ` t.x = 1 t.y = "z" end)`, []string{"1 table t"}},
	})
}

// constants is code that uses n constants, more than fit into the operands of what
// follows.
func constants(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "c(%d.5) ", i)
	}
	return b.String()
}

func TestWritesThroughFunctions(t *testing.T) {
	check(t, []writeCase{
		{"local function", "local n = 0\nlocal function bump() n = n + 1 end\nhandle(function() bump() end)", []string{"2 local n"}},
		{"the handler's own variable is not its helper's", "local function id(x) local n = x n = n + 1 return n end\nhandle(function() return id(1) end)", []string{}},
		{"handed over", "local n = 0\nlocal function bump() n = n + 1 end\nhandle(function(c) c:after(bump) end)", []string{"2 local n"}},
		{"global function", "local n = 0\nfunction bump() n = n + 1 end\nhandle(function() bump() end)", []string{"2 local n"}},
		{"in a table", "local n = 0\nlocal M = {bump = function() n = n + 1 end}\nhandle(function() M.bump() end)", []string{"2 local n"}},
		{"in a table, not called", "local n = 0\nlocal M = {bump = function() n = n + 1 end, get = function() return n end}\nhandle(function() return M.get() end)", []string{}},
		{"by a computed name", "local n = 0\nlocal M = {bump = function() n = n + 1 end}\nhandle(function(c) M[c.params.name]() end)", []string{"2 local n"}},
		{"in a table in a list", "local n = 0\nlocal M = {{run = function() n = n + 1 end}}\nhandle(function(c) for _, m in ipairs(M) do m.run() end end)", []string{"2 local n"}},
		{"deep", "local n = 0\nlocal function c() n = n + 1 end\nlocal function b() c() end\nlocal function a() b() end\nhandle(function() a() end)", []string{"2 local n"}},
		{"recursive", "local n = 0\nlocal function walk(x) if x then n = n + 1 return walk(x.next) end end\nhandle(function(c) walk(c) end)", []string{"2 local n"}},
		{"mutually recursive", "local n, odd = 0\nlocal function even(x) return odd(x - 1) end\nodd = function(x) n = x return even(x - 1) end\nhandle(function() even(9) end)", []string{"3 local n"}},
		{"table as argument", "local q = {}\nlocal function push(list, v) list[#list + 1] = v end\nhandle(function(c) push(q, c.id) push({}, 1) end)", []string{"2 table q"}},
		{"fresh table as argument", "local function push(list, v) list[#list + 1] = v end\nhandle(function(c) local q = {} push(q, c.id) end)", []string{}},
		{"table as result", "local q = {}\nlocal function queue() return q end\nhandle(function(c) queue().x = 1 end)", []string{"3 table q"}},
		{"result by tail call", "local q = {}\nlocal function queue() return q end\nlocal function again() return queue() end\nhandle(function(c) again().x = 1 end)", []string{"4 table q"}},
		{"second result", "local q = {}\nlocal function two() return {}, q end\nhandle(function(c) local a, b = two() a.x = 1\nb.y = 1 end)", []string{"4 table q"}},
		{"iterator in Lua", "local q = {{}}\nlocal function each() return function() return q[1] end end\nhandle(function(c) for v in each() do v.x = 1 end end)", []string{"3 table q[1]"}},
		{"method", "local T = {}\nT.__index = T\nfunction T:incr() self.n = self.n + 1 end\nlocal hits = setmetatable({n = 0}, T)\nhandle(function() hits:incr() end)", []string{"3 table hits"}},
		{"method of a fresh object", "local T = {}\nT.__index = T\nfunction T.new() return setmetatable({n = 0}, T) end\nfunction T:incr() self.n = self.n + 1 end\nhandle(function() T.new():incr() end)", []string{}},
		{"class that sets its own __index", "local T = {}\nfunction T:new(o) o = o or {} setmetatable(o, self) self.__index = self return o end\nhandle(function() local o = T:new() o.x = 1 end)", []string{}},
		{"__call", "local T = setmetatable({}, {__call = function(self) self.n = 1 end})\nhandle(function() T() end)", []string{"1 table T"}},
		{"__index in Lua", "local q = {}\nlocal T = setmetatable({}, {__index = function(t, k) return q end})\nhandle(function() T.anything.x = 1 end)", []string{"3 table q"}},
		{"local function of the handler", "local q = {}\nhandle(function() local function put(t, v) t.x = v end\nput(q, 1) end)", []string{"2 table q"}},
		{"local recursive function of the handler", "local q = {}\nhandle(function() local function put(t, v) if v then put(t) end\nt.x = v end\nput(q, 1) end)", []string{"3 table q"}},
		{"closures made in loops", "local n = 0\nhandle(function() local f, g while true do f = function() return g() end\ng = function() n = n + 1 return f() end end end)", []string{"3 local n"}},
	})
}

func TestWhatIsNoSharedWrite(t *testing.T) {
	for name, script := range map[string]string{
		"own local":                      `handle(function() local n = 0 n = n + 1 end)`,
		"own table":                      `handle(function() local t = {} t.x = 1 t[#t+1] = 2 table.insert(t, 3) table.sort(t) end)`,
		"own table, nested":              `handle(function() local t = {a = {}} t.a.b = 1 end)`,
		"own local, captured":            `handle(function(each) local n, t = 0, {} each(function() n = n + 1 t.x = n end) end)`,
		"own local, twice":               `handle(function(each) local n = 0 each(function() each(function() n = n + 1 end) end) end)`,
		"parameter":                      `handle(function(c) c.user = 1 c.res.headers["X"] = 2 c = nil end)`,
		"parameter, insert":              `handle(function(c) table.insert(c.list, 1) end)`,
		"read":                           `local t, n = {a = 1}, 1 handle(function() local x = t.a + n return x, #t, t end)`,
		"copy":                           `local t = {a = {}} handle(function() local o = {} for k, v in pairs(t) do o[k] = v end o.b = 1 return o end)`,
		"beside a made table":            `local cfg = {} handle(function() local v = {cfg = cfg, out = {}} v.out.x = 1 v.y = 2 return v.cfg.x end)`,
		"beside a made table in a list":  `local cfg = {} handle(function() local l = {cfg, {}} l[2].x = 1 end)`,
		"copied before it is changed":    `local d = {} handle(function(copy) local o = {list = d} o.list = copy(o.list) o.list.x = 1 end)`,
		"wrapped, another is changed":    `local d = {} local function wrap(x) return {x} end handle(function() local a, b = wrap(d), wrap({}) b[1].x = 1 return a end)`,
		"recursive constructor":          `local d = {} local function tree(n) return {d, n > 0 and tree(n - 1)} end handle(function() local t = tree(3) t.x = 1 return t end)`,
		"replaced alias":                 `local t = {} handle(function() local o = t o = {} o.x = 1 end)`,
		"alias, then copy":               `local t = {} local function copy(t) local o = {} for k, v in pairs(t) do o[k] = v end return o end handle(function() local o = copy(t) o.x = 1 end)`,
		"userdata":                       `local db = conn handle(function() db.x = 1 end)`,
		"userdata global":                `handle(function() conn.x = 1 conn.y.z = 2 end)`,
		"userdata in a table":            `local m = {conn = conn} handle(function() m.conn.x = 1 end)`,
		"userdata in a list":             `local m = {conn, conn} handle(function(i) m[i].x = 1 for _, v in ipairs(m) do v.y = 1 end end)`,
		"result of userdata":             `local db = conn handle(function() local r = db:one("select 1") r.x = 1 return r end)`,
		"bound in Go":                    `local b = bound handle(function() b.x = 1 end)`,
		"nil":                            `local t handle(function() t.x = 1 end)`,
		"unknown global":                 `handle(function() nobody.x = 1 end)`,
		"string method":                  `local s = "x" handle(function() return s:rep(3), ("%d"):format(1) end)`,
		"table field of call":            `local f = function() return {} end handle(function() f().x = 1 end)`,
		"concat":                         `local t = {} handle(function() return table.concat(t) .. tostring(t) end)`,
		"tables of its own in a literal": `local t = {} handle(function() return { a = t, { b = t, t, t }, t } end)`,
		"not the library's insert":       `local list = {} local lib = {insert = function() end} handle(function() lib.insert(list, 1) end)`,
	} {
		t.Run(name, func(t *testing.T) {
			if got := inspect.SharedWrites(handler(t, script), inspect.Options{}); len(got) > 0 {
				t.Errorf("got %v in\n%s", got, script)
			}
		})
	}
}

func TestViaNamesTheCallers(t *testing.T) {
	fn := handler(t, "local n = 0\nlocal function bump()\n  n = n + 1\nend\nlocal function count() bump() end\nhandle(function(c)\n  c.each(function()\n    count()\n  end)\n  n = 2\nend)")
	list := inspect.SharedWrites(fn, inspect.Options{Role: "job mail"})
	if len(list) != 2 {
		t.Fatalf("got %v", list)
	}
	if want := "called from count app.lua:5, called from job mail app.lua:8"; list[0].Via != want {
		t.Errorf("got %q, want %q", list[0].Via, want)
	}
	if list[1].Via != "" {
		t.Errorf("a write of the function itself has Via %q", list[1].Via)
	}
	if got, want := list[0].String(), `app.lua:3: writes the local "n", called from count app.lua:5, called from job mail app.lua:8`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSkippedFilesAreNotLookedInto(t *testing.T) {
	fn := handler(t, `local n = 0 handle(function() n = n + 1 end)`)
	skip := func(file string) bool { return file == "app.lua" }
	if got := inspect.SharedWrites(fn, inspect.Options{Skip: skip}); len(got) > 0 {
		t.Errorf("got %v", got)
	}
}

func TestFunctionsInGoWriteNothing(t *testing.T) {
	L := lua.NewState()
	defer L.Close()
	for _, fn := range []*lua.LFunction{nil, L.NewFunction(func(*lua.LState) int { return 0 })} {
		if got := inspect.SharedWrites(fn, inspect.Options{}); got != nil {
			t.Errorf("got %v", got)
		}
	}
}

func TestFieldsOfObjectsThatBelongToTheIsolate(t *testing.T) {
	state := &lua.LTable{Metatable: lua.LNil}
	field := func(_ *lua.LUserData, name string) *lua.LTable {
		if name == "state" {
			return state
		}
		return nil
	}
	for script, want := range map[string]string{
		"handle(function() conn.state.n = conn.state.n + 1 end)":                       "1 table conn.state",
		"handle(function() conn.state = {} end)":                                       "1 table conn.state",
		"handle(function() local s = conn.state s.n = 1 end)":                          "1 table conn.state",
		"local function set(s) s.n = 1 end handle(function() set(conn.state) end)":     "1 table conn.state",
		"handle(function() table.insert(conn.state.list, 1) end)":                      "1 table conn.state.list",
		"handle(function() return conn.state.n end)":                                   "",
		"handle(function() conn.other = 1 conn.other.x = 1 conn:call(conn.state) end)": "",
	} {
		got := brief(inspect.SharedWrites(handler(t, script), inspect.Options{Field: field}))
		if strings.Join(got, "|") != want {
			t.Errorf("%s: got %q, want %q", script, got, want)
		}
	}
}
