package vm

import (
	"reflect"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// gopher-lua offers no way to refuse an assignment: a metamethod sees only keys that a table does
// not have, and tables behind empty proxies would slow down each look at the library, the most
// frequent thing that scripts do to it. Therefore three instructions are replaced by ones that look
// at the table first, and do as before unless it is of the library (see frozen). A fourth bounds
// concatenation (see concatenate), which has no metamethod for strings. It costs an
// assignment 6 to 9 ns of 70 to 100, one to an object with a metatable 24, and nothing else anything
// (BenchmarkGuard).
//
// The table of instructions is a variable that gopher-lua does not export. Where it or the layout
// of a frame is not what it was (another version of the library), nothing is replaced.
// TestTheInterpreterIsGuarded says so.

// opcode carries out one instruction; the last argument is the frame at which the loop ends.
type opcode = func(L *lua.LState, inst uint32, base unsafe.Pointer) int

//go:linkname opcodes github.com/yuin/gopher-lua.jumpTable
var opcodes [lua.OP_NOP + 1]opcode

// frame mirrors callFrame: one call of a thread.
type frame struct {
	_          int // Idx
	fn         *lua.LFunction
	_          unsafe.Pointer // Parent
	pc         int            // of the next instruction
	_          int            // Base
	local      int            // where its registers begin
	_, _, _, _ int            // ReturnBase, NArgs, NRet, TailCall
}

// frameOffset is where a thread has its current frame, 0 when the mirror does not fit.
var frameOffset = func() uintptr {
	f, ok := reflect.TypeFor[lua.LState]().FieldByName("currentFrame")
	if !ok || layout.segment == nil || f.Type.Kind() != reflect.Pointer || !mirrors(f.Type.Elem(), reflect.TypeFor[frame](),
		"Idx", "Fn", "Parent", "Pc", "Base", "LocalBase", "ReturnBase", "NArgs", "NRet", "TailCall") {
		return 0
	}
	return f.Offset
}()

// plain are the instructions as gopher-lua has them.
var plain = opcodes

// guarded tells whether they have been replaced: before any Lua runs, because all threads of the
// process share them.
var guarded = func() bool {
	if frameOffset == 0 || plain[lua.OP_SETTABLE] == nil || plain[lua.OP_SETTABLEKS] == nil || plain[lua.OP_SETGLOBAL] == nil || plain[lua.OP_CONCAT] == nil {
		return false
	}
	opcodes[lua.OP_SETTABLE], opcodes[lua.OP_SETTABLEKS], opcodes[lua.OP_SETGLOBAL] = setTable, setTableKS, setGlobal
	opcodes[lua.OP_CONCAT] = concatenate
	return true
}()

func setTable(L *lua.LState, inst uint32, base unsafe.Pointer) int {
	f := frameOf(L)
	if t, ok := f.register(L, opA(inst)).(*lua.LTable); ok && t.Metatable != lua.LNil {
		refuseFrozen(L, t, f, inst)
	}
	return plain[lua.OP_SETTABLE](L, inst, base)
}

func setTableKS(L *lua.LState, inst uint32, base unsafe.Pointer) int {
	f := frameOf(L)
	if t, ok := f.register(L, opA(inst)).(*lua.LTable); ok && t.Metatable != lua.LNil {
		refuseFrozen(L, t, f, inst)
	}
	return plain[lua.OP_SETTABLEKS](L, inst, base)
}

func setGlobal(L *lua.LState, inst uint32, base unsafe.Pointer) int {
	f := frameOf(L)
	if t := frozen(f.fn.Env); t != nil {
		checkFrozen(L, t, f.constant(opBx(inst)))
	}
	return plain[lua.OP_SETGLOBAL](L, inst, base)
}

// refuseFrozen raises if t[key] = value would change the library.
func refuseFrozen(L *lua.LState, t *lua.LTable, f *frame, inst uint32) {
	if t = frozen(t); t != nil {
		checkFrozen(L, t, f.operand(L, opB(inst)))
	}
}

// frameOf is the call that L is in.
func frameOf(L *lua.LState) *frame { return *at[*frame](L, frameOffset) }

// register is what a register of the call holds.
func (f *frame) register(L *lua.LState, n int) lua.LValue {
	return (*at[*registry](L, layout.reg)).array[f.local+n]
}

// constant is one of the function.
func (f *frame) constant(n int) lua.LValue { return f.fn.Proto.Constants[n] }

// operand is a register or a constant.
func (f *frame) operand(L *lua.LState, n int) lua.LValue {
	const isConstant = 1 << 8
	if n&isConstant != 0 {
		return f.constant(n &^ isConstant)
	}
	return f.register(L, n)
}

// The parts of an instruction; see package inspect.
func opCode(inst uint32) int { return int(inst >> 26) }
func opA(inst uint32) int    { return int(inst>>18) & 0xff }
func opB(inst uint32) int    { return int(inst & 0x1ff) }
func opC(inst uint32) int    { return int(inst>>9) & 0x1ff }
func opBx(inst uint32) int   { return int(inst & 0x3ffff) }
