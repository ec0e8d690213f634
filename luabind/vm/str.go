package vm

import (
	"math"
	"strings"
	"sync"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/pattern"
)

// patternSteps bounds one call of a pattern function to some 0.1 s of matching.
const patternSteps = pattern.DefaultSteps

// openString replaces the functions of the string library that a short argument can
// make run, or grow, without end.
func (i *Isolate) openString(L *lua.LState) {
	s := library(L, "string")
	for name, fn := range map[string]lua.LGFunction{
		"find": stringFind, "match": stringMatch, "gmatch": stringGmatch, "gsub": stringGsub, "rep": stringRep, "byte": stringByte,
	} {
		s.RawSetString(name, L.NewFunction(fn))
	}
	format := s.RawGetString("format").(*lua.LFunction).GFunction
	s.RawSetString("format", L.NewFunction(func(L *lua.LState) int { checkFormat(L); return format(L) }))
	bound(L, lua.StringLibName, s, "format", "gsub", "lower", "rep", "reverse", "upper")
	s.RawSetString("gfind", lua.LNil)
	s.RawSetString("dump", gone(L, "string.dump", "functions can't leave their isolate"))
}

var matches = sync.Pool{New: func() any { return new(pattern.Match) }}

// budget returns what a pattern may spend; it also ends at the run's deadline.
func budget(L *lua.LState) *pattern.Budget {
	return pattern.NewBudget(patternSteps, func() error {
		w := L.Context()
		select {
		case <-w.Done():
			return w.Err()
		default:
			return nil
		}
	})
}

func stringFind(L *lua.LState) int {
	s, p := L.CheckString(1), L.CheckString(2)
	from := pattern.Offset(L.OptInt(3, 1), len(s))
	if L.ToBool(4) || pattern.Plain(p) {
		at := strings.Index(s[from:], p)
		if at < 0 {
			L.Push(lua.LNil)
			return 1
		}
		L.Push(lua.LNumber(from + at + 1))
		L.Push(lua.LNumber(from + at + len(p)))
		return 2
	}
	m := matches.Get().(*pattern.Match)
	defer matches.Put(m)
	if !find(L, m, p, s, from, "string.find") {
		L.Push(lua.LNil)
		return 1
	}
	L.Push(lua.LNumber(m.Start + 1))
	L.Push(lua.LNumber(m.End))
	return 2 + pushCaptures(L, m, s, false)
}

func stringMatch(L *lua.LState) int {
	s, p := L.CheckString(1), L.CheckString(2)
	m := matches.Get().(*pattern.Match)
	defer matches.Put(m)
	if !find(L, m, p, s, pattern.Offset(L.OptInt(3, 1), len(s)), "string.match") {
		L.Push(lua.LNil)
		return 1
	}
	return pushCaptures(L, m, s, true)
}

func stringGmatch(L *lua.LState) int {
	s, p := L.CheckString(1), L.CheckString(2)
	w := pattern.NewWalk(p, s)
	L.Push(L.NewFunction(func(L *lua.LState) int {
		ok, err := w.Next(budget(L))
		if err != nil {
			L.RaiseError("string.gmatch: pattern %q: %s", p, err.Error())
		}
		if !ok {
			L.Push(lua.LNil)
			return 1
		}
		return pushCaptures(L, &w.Match, s, true)
	}))
	return 1
}

func stringGsub(L *lua.LState) int {
	s, p := L.CheckString(1), L.CheckString(2)
	by := replacer(L, s)
	limit := math.MaxInt
	if L.GetTop() >= 4 && L.Get(4) != lua.LNil {
		limit = L.CheckInt(4)
	}
	// The callback may wait and meanwhile others match: a Match of its own.
	var m pattern.Match
	out, n, err := m.Gsub(p, s, limit, budget(L), func(dst []byte, m *pattern.Match) ([]byte, error) {
		dst, err := by(dst, m)
		if len(dst) > MaxString {
			L.RaiseError("string.gsub: the result is longer than %d MB", MaxString>>20)
		}
		return dst, err
	})
	if err != nil {
		L.RaiseError("string.gsub: pattern %q: %s", p, err.Error())
	}
	L.Push(lua.LString(out))
	L.Push(lua.LNumber(n))
	return 2
}

// replacer returns what gsub's third argument does to a match.
func replacer(L *lua.LState, s string) func(dst []byte, m *pattern.Match) ([]byte, error) {
	var look func(m *pattern.Match) lua.LValue
	switch r := L.Get(3).(type) {
	case lua.LString, lua.LNumber:
		template := r.String()
		return func(dst []byte, m *pattern.Match) ([]byte, error) { return m.Expand(dst, template, MaxString) }
	case *lua.LTable:
		look = func(m *pattern.Match) lua.LValue {
			pushCaptures(L, m, s, true)
			key := L.Get(L.GetTop() - max(len(m.Captures()), 1) + 1)
			L.Pop(max(len(m.Captures()), 1))
			return L.GetTable(r, key)
		}
	case *lua.LFunction:
		look = func(m *pattern.Match) lua.LValue {
			L.Push(r)
			CallBack(L, pushCaptures(L, m, s, true), 1)
			v := L.Get(-1)
			L.Pop(1)
			return v
		}
	default:
		L.ArgError(3, "string, table or function expected, got "+r.Type().String())
	}
	return func(dst []byte, m *pattern.Match) ([]byte, error) {
		switch v := look(m); v {
		case lua.LNil, lua.LFalse:
			return append(dst, m.Text()...), nil
		default:
			if !lua.LVCanConvToString(v) {
				L.RaiseError("string.gsub: the replacement is a %s, a string or number was expected", v.Type())
			}
			return append(dst, v.String()...), nil
		}
	}
}

func find(L *lua.LState, m *pattern.Match, p, s string, from int, name string) bool {
	ok, err := m.Find(p, s, from, budget(L))
	if err != nil {
		L.RaiseError("%s: pattern %q: %s", name, p, err.Error())
	}
	return ok
}

// pushCaptures pushes what the last match caught; with whole, the whole match when the
// pattern has no captures.
func pushCaptures(L *lua.LState, m *pattern.Match, s string, whole bool) int {
	captures := m.Captures()
	if len(captures) == 0 && whole {
		L.Push(lua.LString(m.Text()))
		return 1
	}
	for _, c := range captures {
		if c.IsPosition() {
			L.Push(lua.LNumber(c.Start + 1))
		} else {
			L.Push(lua.LString(s[c.Start:c.End]))
		}
	}
	return len(captures)
}

func stringRep(L *lua.LState) int {
	s, n := L.CheckString(1), L.CheckInt(2)
	if n <= 0 || s == "" {
		L.Push(lua.LString(""))
		return 1
	}
	if n > MaxString/len(s) {
		L.RaiseError("string.rep: %d times %d bytes is more than %d MB", n, len(s), MaxString>>20)
	}
	L.Push(lua.LString(strings.Repeat(s, n)))
	return 1
}
