package repl

import (
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
