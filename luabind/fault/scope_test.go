package fault_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/fault"
)

// A writer makes random programs in which each variable holds its own name, and knows
// which variables are in scope where the program fails.
type writer struct {
	*rand.Rand
	b       strings.Builder
	names   int
	scope   []string
	stopped bool
}

func (w *writer) fresh() string { w.names++; return fmt.Sprintf("v%d", w.names) }

func (w *writer) declare() {
	a, b := w.fresh(), w.fresh()
	switch w.IntN(4) {
	case 0:
		fmt.Fprintf(&w.b, "local %s, %s = %q, %q;\n", a, b, a, b)
		w.scope = append(w.scope, a, b)
	case 1:
		fmt.Fprintf(&w.b, "local %s = nil or %q;\n", a, a)
		w.scope = append(w.scope, a)
	case 2:
		fmt.Fprintf(&w.b, "local %s = (function() local x = %q return x end)();\n", a, a)
		w.scope = append(w.scope, a)
	default:
		fmt.Fprintf(&w.b, "local %s = %q;\n(function() local x = %s end)();\n", a, a, a)
		w.scope = append(w.scope, a)
	}
}

// block writes statements. path leads to the place that fails: the block at each depth
// that is really entered; the others are skipped or run through.
func (w *writer) block(depth int, fails bool) {
	n, inner := 1+w.IntN(5), -1
	if fails {
		inner = w.IntN(n)
	}
	for i := range n {
		switch {
		case i == inner && (depth == 0 || w.IntN(3) == 0):
			w.b.WriteString("do fail() end\n")
			w.stopped = true
			return
		case i == inner:
			w.nested(depth-1, true)
			return
		case w.IntN(2) == 0 || depth == 0:
			w.declare()
		default:
			w.nested(depth-1, false)
		}
	}
}

func (w *writer) nested(depth int, fails bool) {
	outer := slices.Clone(w.scope)
	a, b := w.fresh(), w.fresh()
	opening, closing := "do\n", "end\n"
	switch w.IntN(6) {
	case 0:
		opening = "if _G then\n"
	case 1:
		opening = "if undeclared then local x = 1 else\n"
	case 2:
		opening = fmt.Sprintf("for %s, %s in pairs({ %s = %q }) do\n", a, b, a, b)
		w.scope = append(w.scope, a, b)
	case 3:
		opening, closing = "repeat\n", "until true;\n"
	case 4:
		opening = fmt.Sprintf("(function(%s, ...)\n", a)
		closing = fmt.Sprintf("end)(%q);\n", a)
		w.scope = append(w.scope[:0], a)
	}
	w.b.WriteString(opening)
	w.block(depth, fails)
	w.b.WriteString(closing)
	if !w.stopped {
		w.scope = outer
	}
}

func TestVariablesAreThoseInScope(t *testing.T) {
	world := newWorld(t)
	for seed := range uint64(300) {
		w := &writer{Rand: rand.New(rand.NewPCG(seed, 1))}
		w.block(5, true)
		script := w.b.String()
		e := world.run(script)
		if e == nil || e.Code != "not_found" || len(e.Frames) == 0 {
			t.Fatalf("seed %d: %v\n%s", seed, e, script)
		}
		got := make(map[string]bool)
		for _, l := range e.Frames[0].Locals {
			got[l.Name] = true
			if l.Value != fmt.Sprintf("%q", l.Name) {
				t.Errorf("seed %d: %s holds %s", seed, l.Name, l.Value)
			}
		}
		want := make(map[string]bool)
		for _, name := range w.scope {
			want[name] = true
		}
		if !maps.Equal(got, want) {
			t.Errorf("seed %d: variables %v, want %v", seed, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
		if t.Failed() {
			t.Fatalf("the program:\n%s", script)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, "local function f%d(c)\n  local id = c.params.id\n  if id then\n    local user = db:one('x', id)\n"+
			"    return { name = user.name, n = %d }\n  end\n  for i, v in ipairs(c) do\n    print(i, v)\n  end\nend\n", i, i)
	}
	b.Run("plain", func(b *testing.B) {
		L := lua.NewState()
		defer L.Close()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := L.Load(strings.NewReader(text.String()), "app.lua"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("mended", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := fault.Compile("app.lua", text.String()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
