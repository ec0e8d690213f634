package fault

import (
	"fmt"
	"reflect"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/vm"
)

const (
	maxFrames = 20  // in Error.Frames
	maxLevels = 100 // how deep to look for them
)

// A frame is one running call, of Lua or of Go code.
type frame struct {
	L    *lua.LState
	dbg  *lua.Debug
	fn   *lua.LFunction
	pc   int // index of the instruction that runs; -1 in Go code, or when unknown
	line int
}

func (f frame) isGo() bool { return f.fn == nil || f.fn.IsG }

func (f frame) file() string { return f.fn.Proto.SourceName }

// local returns the value of a register of a Lua function.
func (f frame) local(register int) lua.LValue {
	if f.isGo() || register >= int(f.fn.Proto.NumUsedRegisters) {
		return lua.LNil
	}
	return f.argument(register + 1)
}

// argument returns the n-th value of the frame, from 1; above the stack it is nil.
func (f frame) argument(n int) lua.LValue {
	if _, v := f.L.GetLocal(f.dbg, n); v != nil {
		return v
	}
	return lua.LNil
}

// stack returns the calls that were running on L when the error handler was called,
// the innermost first, with those of coroutines that the error passed through.
func stack(L *lua.LState) []frame {
	return through(L, walk(L, handlers(L)))
}

// handlers returns how many frames at the top belong to error handling: Capture and,
// in an isolate, the function around it.
func handlers(L *lua.LState) int {
	f, ok := level(L, 1)
	if ok && isolate(L) != nil && f.fn == vm.OnError(L) {
		return 2
	}
	return 1
}

// isolate returns L's isolate, nil for a state without one.
func isolate(L *lua.LState) (i *vm.Isolate) {
	defer func() { _ = recover() }()
	return vm.Of(L)
}

func walk(L *lua.LState, from int) []frame {
	var frames []frame
	for n := from; n < maxLevels; {
		f, ok := level(L, n)
		if !ok {
			break
		}
		frames = append(frames, f)
		n += 1 + tailCalls(f)
	}
	return frames
}

// through puts the frames of the coroutine before those of its caller, when the error
// came out of coroutine.wrap: its function is a Go closure over the thread.
func through(L *lua.LState, frames []frame) []frame {
	if len(frames) == 0 || !frames[0].isGo() || frames[0].fn == nil || len(frames[0].fn.Upvalues) != 1 {
		return frames
	}
	co, ok := frames[0].fn.Upvalues[0].Value().(*lua.LState)
	if !ok || co.Dead || co.Parent != L {
		return frames
	}
	return append(through(co, walk(co, 0)), frames...)
}

func level(L *lua.LState, n int) (frame, bool) {
	dbg, ok := L.GetStack(n)
	if !ok {
		return frame{}, false
	}
	f := frame{L: L, dbg: dbg, pc: -1}
	v, err := L.GetInfo("fl", dbg, lua.LNil)
	if err != nil {
		return frame{}, false
	}
	f.fn, _ = v.(*lua.LFunction)
	f.line = dbg.CurrentLine
	if f.isGo() {
		return f, true
	}
	if pc := number(dbg, debugPc) - 1; pc >= 0 && pc < len(f.fn.Proto.Code) && len(f.fn.Proto.Code) == len(f.fn.Proto.DbgSourcePositions) {
		f.pc = pc
	}
	return f, true
}

// tailCalls returns how many calls f's frame has replaced. GetStack counts them as
// levels, and answers such a level with the outermost frame.
func tailCalls(f frame) int {
	if f.isGo() {
		return 0
	}
	return max(number(f.dbg, debugTail), 0)
}

// The fields of lua.Debug.frame that tell more than gopher-lua does in public. Reading
// a number by reflection needs no unsafe; in a version of the library without these
// fields the index is nil and errors keep the library's own words (TestFieldsOfFrames).
var (
	debugFrame = fieldOf(reflect.TypeFor[lua.Debug](), "frame", reflect.Pointer)
	debugPc    = fieldOf(frameType(), "Pc", reflect.Int)
	debugTail  = fieldOf(frameType(), "TailCall", reflect.Int)
)

func frameType() reflect.Type {
	if f, ok := reflect.TypeFor[lua.Debug]().FieldByName("frame"); ok && f.Type.Kind() == reflect.Pointer {
		return f.Type.Elem()
	}
	return nil
}

func fieldOf(t reflect.Type, name string, kind reflect.Kind) []int {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	f, ok := t.FieldByName(name)
	if !ok || f.Type.Kind() != kind {
		return nil
	}
	return f.Index
}

// number returns a field of dbg's frame, -1 when it can't be known.
func number(dbg *lua.Debug, field []int) int {
	if debugFrame == nil || field == nil {
		return -1
	}
	p := reflect.ValueOf(dbg).Elem().FieldByIndex(debugFrame)
	if p.IsNil() {
		return -1
	}
	return int(p.Elem().FieldByIndex(field).Int())
}

// describe returns the public form of the frames of Lua code.
func describe(frames []frame) []Frame {
	var out []Frame
	for i, f := range frames {
		if f.isGo() || !isScript(f.file()) {
			continue
		}
		if len(out) == maxFrames {
			break
		}
		out = append(out, Frame{File: f.file(), Line: f.line, Function: functionName(frames, i)})
		if tailCalls(f) == 0 {
			continue
		}
		if file, line := splitAt(stateOf(f.L).chunks.place(f.fn.Proto)); line > 0 {
			out = append(out, Frame{File: file, Line: line, Function: "loadstring", loaded: true})
		}
	}
	return out
}

// functionName says which function frame i runs, from the call that started it.
func functionName(frames []frame, i int) string {
	f := frames[i]
	line := f.fn.Proto.LineDefined
	if line == 0 {
		return "main chunk"
	}
	if i+1 < len(frames) && tailCalls(f) == 0 && frames[i+1].L == f.L {
		if called := frames[i+1].callee(); called != nil && called.kind != result {
			return called.text()
		}
	}
	return fmt.Sprintf("function at line %d", line)
}
