package inspect_test

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"

	"rws/luabind/inspect"
)

// everything inspects a chunk and all functions in it in every way, without running it.
func everything(L *lua.LState, p *lua.FunctionProto) {
	inspect.Globals(p)
	inspect.Undeclared(p, func(string) bool { return false })
	functions(p, func(f *lua.FunctionProto) {
		fn := L.NewFunctionFromProto(f)
		inspect.SharedWrites(fn, inspect.Options{})
		inspect.Captured([]*lua.LFunction{fn}, p)
	})
}

func functions(p *lua.FunctionProto, do func(*lua.FunctionProto)) {
	do(p)
	for _, f := range p.FunctionPrototypes {
		functions(f, do)
	}
}

// luaFiles returns the Lua files that gopher-lua tests itself with.
func luaFiles(t testing.TB) []string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/yuin/gopher-lua").Output()
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, sub := range []string{"_glua-tests", "_lua5.1-tests"} {
		list, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), sub, "*.lua"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, list...)
	}
	return files
}

func TestTheFilesOfTheLuaTestsCanBeInspected(t *testing.T) {
	L := lua.NewState()
	defer L.Close()
	inspected := 0
	for _, file := range luaFiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if s := string(text); strings.HasPrefix(s, "#") {
			text = []byte("--" + s)
		}
		chunk, err := parse.Parse(strings.NewReader(string(text)), filepath.Base(file))
		if err != nil {
			continue // some are there to be refused
		}
		p, err := lua.Compile(chunk, filepath.Base(file))
		if err != nil {
			continue
		}
		inspected++
		inspect.TopLocals(chunk)
		everything(L, p)
	}
	if inspected < 25 {
		t.Errorf("only %d files were inspected", inspected)
	}
}

// statements are parts of handlers and what each writes, "" for nothing.
var statements = []struct{ code, writes string }{
	{`n = n + 1`, "local n"},
	{`g = n`, "global g"},
	{`cache[c.key] = c`, "table cache"},
	{`local u = cache; u[#u + 1] = {1, 2, f()}`, "table cache"},
	{`table.insert(list, c)`, "table list"},
	{`local v = deep.users; v[c.id] = nil`, "table deep.users"},
	{`deep.users[c.id].x, n = 1, 2`, "table deep.users[…]; local n"},
	{`bump()`, "local m"},
	{`put(list, c)`, "table list"},
	{`for _, v in ipairs(list) do v.x = not v.x end`, "table list[…]"},
	{`(c or list)[1] = 1`, "table list"},
	{`local o, p, q = {}; o.x, q = p, {o, p, c()}; put(o, q)`, ""},
	{`local x, y = n, -#list; x = x .. "a" .. y; c.x = x < y and x or y`, ""},
	{`local k = 0; local function up() k = k + 1 end up()`, ""},
	{`local a = {n, g, ...}; a[n] = cache[n]; table.sort(a)`, ""},
	{`if n == 1 then c.a = 1 elseif not list then c.b = {} else c = nil end`, ""},
	{`goto out; do n() end ::out::`, ""},
}

// places are where a statement may stand.
var places = []string{
	`do S end`, `if c.x then S end`, `if c.x and not n then local _ else S end`, `for i = 1, n do S end`,
	`for k, v in pairs(c) do S end`, `while c.x do S break end`, `repeat local z = 1 S until c.x == z`,
	`(function(...) S end)()`, `pcall(function(...) S end)`, `local function h(...) S end c.h = h`,
	`c:each({1, function(...) S end})`,
}

const prologue = `local n, m, cache, list, deep = 0, 0, {}, {}, {users = {}}
local function bump() m = m + 1 end
local function put(t, v) t[1] = v end
function f() end
handle(function(c, ...) `

// FuzzSharedWrites builds handlers out of statements whose writes are known.
func FuzzSharedWrites(f *testing.F) {
	f.Add([]byte{0})
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"))
	for i := range len(places) {
		var all []byte
		for s := range statements {
			all = append(all, byte(s), byte(i))
		}
		f.Add(all)
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		code, want := "", map[string]bool{}
		for pair := range slices.Chunk(choices[:min(len(choices), 40)], 2) {
			s := statements[int(pair[0])%len(statements)]
			for w := range strings.SplitSeq(s.writes, "; ") {
				want[w] = true
			}
			place := "do S end"
			if len(pair) == 2 {
				place = places[int(pair[1])%len(places)]
			}
			if len(pair) == 2 && pair[1] > 127 && len(code) < 4000 {
				code = strings.Replace(place, "S", code+" do "+s.code+" end", 1)
			} else {
				code += " " + strings.Replace(place, "S", s.code, 1)
			}
		}
		delete(want, "")
		script := prologue + code + " end)"
		got := map[string]bool{}
		for _, w := range inspect.SharedWrites(handler(t, script), inspect.Options{}) {
			got[string(w.Kind)+" "+w.Name] = true
		}
		for w := range want {
			if !got[w] {
				t.Errorf("%s is not found in\n%s", w, script)
			}
		}
		for w := range got {
			if !want[w] {
				t.Errorf("%s is reported in\n%s", w, script)
			}
		}
	})
}

// FuzzCode inspects words that no compiler wrote.
func FuzzCode(f *testing.F) {
	L := lua.NewState()
	f.Cleanup(L.Close)
	seed := compiled(f, prologue+`n = n + 1 cache[n] = {1, 2, ...} for k, v in pairs(list) do v.x = function() return n, c end end return f(c) end)`)
	functions(seed, func(p *lua.FunctionProto) {
		var words []byte
		for _, w := range p.Code {
			words = binary.LittleEndian.AppendUint32(words, w)
		}
		f.Add(words)
	})
	f.Fuzz(func(t *testing.T, words []byte) {
		p := *seed
		p.Code = nil
		for w := range slices.Chunk(words[:len(words)&^3], 4) {
			p.Code = append(p.Code, binary.LittleEndian.Uint32(w))
		}
		everything(L, &p)
	})
}
