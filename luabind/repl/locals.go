package repl

import (
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/inspect"
)

// topLocals returns the top-level locals of the script by name: the cells that its
// functions share. What no function uses is gone once the script has loaded. It runs
// with the isolate's lock held.
func topLocals(h Host) map[string]*lua.Upvalue {
	cells := make(map[string]*lua.Upvalue)
	chunk := h.Chunk()
	if chunk == nil {
		return cells
	}
	for name, list := range inspect.Captured(h.Functions(), chunk) {
		if list[0].Top {
			cells[name] = list[0].Upvalue
		}
	}
	return cells
}

// topFunctions returns functions that the script declared as top-level locals and handed
// to rws, by name. One that no other function uses has no cell, so it can be called and
// looked at, but assigning its name would change nothing.
func topFunctions(h Host) map[string]lua.LValue {
	named := make(map[string]lua.LValue)
	text, ok := h.Source(h.Main())
	if !ok {
		return named
	}
	lines := strings.Split(text, "\n")
	for _, fn := range h.Functions() {
		if fn.IsG {
			continue
		}
		n := fn.Proto.LineDefined
		if fn.Proto.SourceName != h.Main() || n < 1 || n > len(lines) || !strings.HasPrefix(lines[n-1], "local ") {
			continue
		}
		if name := declaredName(lines[n-1]); isName(name) {
			named[name] = fn
		}
	}
	return named
}
