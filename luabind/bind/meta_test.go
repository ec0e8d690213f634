package bind_test

import (
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
)

// evaluate runs a chunk with the module t and returns its first result as text.
func evaluate(t *testing.T, m bind.Module, source string) (string, error) {
	t.Helper()
	iso := vm.New(vm.Options{OnError: fault.Capture})
	defer iso.Close()
	var result string
	err := iso.Do(&vm.Run{}, func(L *lua.LState) error {
		bind.Prepare(L)
		fault.Install(L)
		L.SetGlobal("m", m.Open(L))
		fn, err := L.Load(strings.NewReader(source), "app.lua")
		if err != nil {
			return err
		}
		v, err := vm.Call(L, fn)
		result = v.String()
		return err
	})
	return result, err
}

// A counter is an object with arithmetic.
type counter struct{ n int }

func counters() bind.Module {
	number := func(L *lua.LState, n int) int {
		if ud, ok := L.Get(n).(*lua.LUserData); ok {
			return ud.Value.(*counter).n
		}
		return L.CheckInt(n)
	}
	return bind.Module{
		Name: "m",
		Funcs: []bind.Func{
			bind.Raw("new(n)", func(L *lua.LState) int {
				L.Push(bind.New(L, "test.Counter", &counter{bind.Arg[int](L, "m.new", 1)}))
				return 1
			}),
		},
		Types: []bind.Type{{Name: "test.Counter", As: "counter", Meta: map[string]lua.LGFunction{
			"__sub": func(L *lua.LState) int { L.Push(lua.LNumber(number(L, 1) - number(L, 2))); return 1 },
			"__lt":  func(L *lua.LState) int { L.Push(lua.LBool(number(L, 1) < number(L, 2))); return 1 },
		}}},
	}
}

func TestTypeHasMetamethods(t *testing.T) {
	for source, want := range map[string]string{
		"return m.new(7) - 2":            "5",
		"return 7 - m.new(2)":            "5",
		"return m.new(1) < m.new(2)":     "true",
		"return m.new(7) - m.new(7) < 1": "true",
		"return tostring(m.new(1))":      "test.Counter",
	} {
		got, err := evaluate(t, counters(), source)
		if err != nil || got != want {
			t.Errorf("%s = %q, %v, want %q", source, got, err, want)
		}
	}
}

func TestColonOnAModuleSaysUseADot(t *testing.T) {
	_, err := evaluate(t, counters(), "return m:new(7)")
	if err == nil || !strings.Contains(err.Error(), "use `m.new` with a dot") {
		t.Errorf("got %v", err)
	}
	_, err = evaluate(t, counters(), "return m.new({})")
	if err == nil || !strings.Contains(err.Error(), "m.new: argument 1: integer expected, got table") {
		t.Errorf("got %v", err)
	}
}

func TestResultsAreBounded(t *testing.T) {
	long := bind.Module{Name: "m", Funcs: []bind.Func{
		bind.Call1("long(n)", func(n int) (string, error) { return strings.Repeat("x", n), nil }),
	}}
	_, err := evaluate(t, long, `return m.long(2^26 + 1)`)
	if err == nil || !strings.Contains(err.Error(), "m.long: a string of 67108865 bytes; at most 64 MB") {
		t.Errorf("got %v", err)
	}
	if _, err = evaluate(t, long, `return #m.long(2^26)`); err != nil {
		t.Error(err)
	}
}
