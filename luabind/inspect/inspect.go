// Package inspect reads compiled Lua without running it: which captured variables,
// globals and tables a handler writes, which globals a chunk uses, and in which cells
// the locals of a script live.
//
// It knows the instruction set of gopher-lua 1.1.2, which package lua exports as
// constants but does not decode. Nothing here takes a lock: where live values are read
// (SharedWrites, Captured), hold the isolate that owns them.
package inspect

import (
	"iter"

	lua "github.com/yuin/gopher-lua"
)

// An instruction is one word of FunctionProto.Code: 6 bits of opcode, 8 of A, 9 of C,
// 9 of B; C and B together are Bx, or sBx when signed.
type instruction uint32

const (
	constantBit = 1 << 8    // set in an RK operand that is a constant
	signedZero  = 1<<17 - 1 // what sBx 0 is stored as
)

func (i instruction) op() int  { return int(i >> 26) }
func (i instruction) a() int   { return int(i>>18) & 0xff }
func (i instruction) b() int   { return int(i & 0x1ff) }
func (i instruction) c() int   { return int(i>>9) & 0x1ff }
func (i instruction) bx() int  { return int(i & 0x3ffff) }
func (i instruction) sbx() int { return i.bx() - signedZero }

// at returns the instruction at pc. The caller holds pc in range.
func at(p *lua.FunctionProto, pc int) instruction { return instruction(p.Code[pc]) }

// width is how many words the instruction at pc takes: OP_CLOSURE is followed by one
// word per upvalue, OP_SETLIST by its block number when that does not fit.
func width(p *lua.FunctionProto, pc int) int {
	i := at(p, pc)
	switch i.op() {
	case lua.OP_CLOSURE:
		if f := child(p, i); f != nil {
			return 1 + int(f.NumUpvalues)
		}
	case lua.OP_SETLIST:
		if i.c() == 0 {
			return 2
		}
	}
	return 1
}

// instructions yields pc and instruction in order, without the words that only belong
// to the one before.
func instructions(p *lua.FunctionProto) iter.Seq2[int, instruction] {
	return func(yield func(int, instruction) bool) {
		for pc := 0; pc < len(p.Code); pc += width(p, pc) {
			if !yield(pc, at(p, pc)) {
				return
			}
		}
	}
}

// child is the prototype that OP_CLOSURE instantiates, nil when there is none.
func child(p *lua.FunctionProto, i instruction) *lua.FunctionProto {
	if i.bx() < len(p.FunctionPrototypes) {
		return p.FunctionPrototypes[i.bx()]
	}
	return nil
}

// A capture says where a new closure takes one upvalue from: a register of the function
// that makes it, or one of that function's own upvalues.
type capture struct {
	register bool
	index    int
}

// captures returns where the closure made at pc takes its upvalues from.
func captures(p *lua.FunctionProto, pc int) []capture {
	end := min(pc+width(p, pc), len(p.Code))
	var list []capture
	for pc++; pc < end; pc++ {
		i := at(p, pc)
		list = append(list, capture{register: i.op() == lua.OP_MOVE, index: i.b()})
	}
	return list
}

// constant returns constant number n, nil when there is none.
func constant(p *lua.FunctionProto, n int) lua.LValue {
	if n < len(p.Constants) {
		return p.Constants[n]
	}
	return nil
}

// text returns constant number n when it is a string, else "".
func text(p *lua.FunctionProto, n int) string {
	s, _ := constant(p, n).(lua.LString)
	return string(s)
}

// line returns the source line of the instruction at pc, 0 when it is not recorded.
func line(p *lua.FunctionProto, pc int) int {
	if pc < len(p.DbgSourcePositions) {
		return p.DbgSourcePositions[pc]
	}
	return 0
}

// upvalueName returns the name of upvalue n.
func upvalueName(p *lua.FunctionProto, n int) string {
	if n < len(p.DbgUpvalues) {
		return p.DbgUpvalues[n]
	}
	return "?"
}
