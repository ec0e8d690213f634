package vm

import (
	"context"
	"errors"
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

// A run that is read-only may change what it has made, and nothing else. Its threads carry a watch
// of their own, which the interpreter asks before each instruction anyway: it looks at the
// instruction and refuses the ones that would change something, whichever way the function they
// are in was reached. Other runs don't pay for it.

// ErrReadOnly is raised by what a run that is read-only may not do.
var ErrReadOnly = errors.New("this console is read-only: it can't change files, shared values, other servers or what the script holds")

// Writes raises ErrReadOnly in a run that is read-only. Functions that change something
// outside of Lua call it first.
func Writes(L *lua.LState) {
	if r := Current(L); r != nil && r.ReadOnly {
		L.RaiseError("%s", ErrReadOnly.Error())
	}
}

// readOnlyKey marks the context of work that is read-only.
type readOnlyKey struct{}

// ReadOnly returns ctx with a mark: each run that has it for its context, or one made from it, is
// read-only. It is for work that a read-only run starts in runs of its own, as a request.
func ReadOnly(ctx context.Context) context.Context {
	return context.WithValue(ctx, readOnlyKey{}, true)
}

// IsReadOnly reports whether ctx has the mark of ReadOnly.
func IsReadOnly(ctx context.Context) bool { return ctx.Value(readOnlyKey{}) != nil }

// WritesTo raises ErrReadOnly in a run that is read-only, unless owner is what it works for: the
// answer of its own request is nothing that was there before.
func WritesTo(L *lua.LState, owner any) {
	if r := Current(L); r != nil && r.ReadOnly && r.Owner != owner {
		L.RaiseError("%s", ErrReadOnly.Error())
	}
}

// Made tells a run that is read-only that t, which a Go function has made for it, belongs to it.
// Without it, the script's functions can't change t in such a run.
func Made(L *lua.LState, t *lua.LTable) {
	w, ok := L.Context().(*watch)
	if !ok || w.thread == nil {
		return // not one of an isolate, or not read-only
	}
	if r := w.iso.current.Load(); r != nil && r.made != nil {
		r.made.tables[t] = true
	}
}

// A made is what a run has made. The lock of the isolate guards it.
type made struct {
	tables  map[*lua.LTable]bool
	cells   map[*lua.Upvalue]bool // captured variables
	threads map[*lua.LState]bool  // coroutines
}

func newMade() *made {
	return &made{tables: make(map[*lua.LTable]bool), cells: make(map[*lua.Upvalue]bool), threads: make(map[*lua.LState]bool)}
}

// owns raises if the run is read-only and has not made t.
func (r *Run) owns(L *lua.LState, name string, t *lua.LTable) {
	if r != nil && r.ReadOnly && (r.made == nil || !r.made.tables[t]) {
		L.RaiseError("%s: %s", name, ErrReadOnly.Error())
	}
}

// supervise gives a thread of a run that is read-only a watch of its own.
func (i *Isolate) supervise(r *Run, L *lua.LState) {
	if !r.ReadOnly || frameOffset == 0 {
		return
	}
	if r.made == nil {
		r.made = newMade()
	}
	r.made.threads[L] = true
	w := &watch{iso: i, thread: L, making: -1}
	w.flag.Store(true)
	L.SetContext(w)
}

// resumes raises if the run is read-only and has not made the coroutine: one that goes on is
// another afterwards.
func (r *Run) resumes(L, coroutine *lua.LState) {
	if r.ReadOnly && !r.made.threads[coroutine] {
		L.RaiseError("%s; the coroutine is the script's", ErrReadOnly.Error())
	}
}

// refuse returns why the thread may not go on with its next instruction, or nil.
func (w *watch) refuse(m *made) error {
	f := frameOf(w.thread)
	if f == nil || f.fn == nil || f.fn.IsG || f.pc == 0 {
		return nil
	}
	w.note(f, m)
	inst := f.fn.Proto.Code[f.pc-1]
	switch opCode(inst) {
	case lua.OP_NEWTABLE, lua.OP_CLOSURE:
		w.making, w.pc = f.local+opA(inst), f.pc-1
	case lua.OP_SETUPVAL:
		if n := opB(inst); !m.cells[f.fn.Upvalues[n]] {
			return refusal(fmt.Sprintf("the local %q", upvalueName(f.fn, n)))
		}
	case lua.OP_SETGLOBAL:
		name := f.constant(opBx(inst)).String()
		if f.fn.Env == w.thread.G.Global || !m.mayAssign(f.fn.Env, lua.LString(name)) {
			return refusal(fmt.Sprintf("the global %q", name))
		}
	case lua.OP_SETTABLE, lua.OP_SETTABLEKS:
		key := f.operand(w.thread, opB(inst))
		if !m.mayAssign(f.register(w.thread, opA(inst)), key) {
			return refusal(fmt.Sprintf("the field %q of a value that the script holds", key.String()))
		}
	}
	return nil
}

// note adds what the last instruction has made.
func (w *watch) note(f *frame, m *made) {
	if w.making < 0 {
		return
	}
	v := (*at[*registry](w.thread, layout.reg)).array[w.making]
	w.making = -1
	switch v := v.(type) {
	case *lua.LTable:
		m.tables[v] = true
	case *lua.LFunction:
		for n, cell := range v.Upvalues {
			// Each is preceded by where it comes from: the registers of the maker, or its own.
			if at := w.pc + 1 + n; at < len(f.fn.Proto.Code) && opCode(f.fn.Proto.Code[at]) == lua.OP_MOVE {
				m.cells[cell] = true
			}
		}
	}
}

// mayAssign reports whether object[key] = value changes only what the run has made, or ends in a
// function, which is looked at when it runs; those of Go call Writes or WritesTo.
func (m *made) mayAssign(object, key lua.LValue) bool {
	for range maxNewindex {
		if ud, ok := object.(*lua.LUserData); ok {
			mt, ok := ud.Metatable.(*lua.LTable)
			return ok && mt.RawGetString("__newindex").Type() == lua.LTFunction
		}
		t, ok := object.(*lua.LTable)
		switch {
		case !ok:
			return false
		case t.RawGet(key) != lua.LNil:
			return m.tables[t]
		}
		mt, ok := t.Metatable.(*lua.LTable)
		if !ok {
			return m.tables[t]
		}
		switch next := mt.RawGetString("__newindex"); next.Type() {
		case lua.LTNil:
			return m.tables[t]
		case lua.LTFunction:
			return true
		default:
			object = next
		}
	}
	return false
}

func refusal(what string) error {
	return fmt.Errorf("this console is read-only: it can't change %s", what)
}

func upvalueName(fn *lua.LFunction, n int) string {
	if n < len(fn.Proto.DbgUpvalues) {
		return fn.Proto.DbgUpvalues[n]
	}
	return "?"
}
