package fault

import (
	"fmt"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// The kinds of expressions that a register can be traced back to.
type kind int

const (
	local kind = iota
	upvalue
	global
	field    // parent.key or parent[key]
	method   // parent:key
	constant // a literal
	result   // parent(…)
	varargs  // ...
)

// maxPath bounds the depth of names; nobody reads longer ones.
const maxPath = 8

// A symbol is the expression that put a value into a register, found as Lua's own
// getobjname does: by looking for the instruction that wrote it.
type symbol struct {
	kind   kind
	name   string     // of a variable
	slot   int        // register or upvalue number of a variable
	parent *symbol    // of field, method and result
	key    lua.LValue // of a field, and the value of a constant
	index  *symbol    // the variable that was the key, when that isn't constant
}

// text is the expression as a script writes it: c.params.id, t[1], db:one(…).
func (s *symbol) text() string {
	switch s.kind {
	case constant:
		return literal(s.key)
	case result:
		return s.parent.text() + "(…)"
	case method:
		return s.parent.prefix() + ":" + s.name
	case field:
		if s.index != nil {
			return s.parent.prefix() + "[" + s.index.text() + "]"
		}
		if isName(s.name) {
			return s.parent.prefix() + "." + s.name
		}
		return s.parent.prefix() + "[" + literal(s.key) + "]"
	}
	return s.name
}

// prefix is text, in parentheses where Lua wants them before a dot or a colon.
func (s *symbol) prefix() string {
	if s.kind == constant || s.kind == varargs {
		return "(" + s.text() + ")"
	}
	return s.text()
}

// root returns the variable that a path starts with.
func (s *symbol) root() *symbol {
	for s.parent != nil {
		s = s.parent
	}
	return s
}

// literal is a constant in the source, long strings cut.
func literal(v lua.LValue) string {
	if s, ok := v.(lua.LString); ok {
		return quote(string(s))
	}
	return v.String()
}

// isName reports whether s can be written after a dot.
func isName(s string) bool {
	for i, c := range []byte(s) {
		if c != '_' && !('a' <= c|0x20 && c|0x20 <= 'z') && !(i > 0 && '0' <= c && c <= '9') {
			return false
		}
	}
	return s != "" && !keywords[s]
}

// An instruction of gopher-lua: 6 bits opcode, 8 bits A, 9 bits C, 9 bits B.
type instruction uint32

func (i instruction) op() int  { return int(i >> 26) }
func (i instruction) a() int   { return int(i>>18) & 0xff }
func (i instruction) b() int   { return int(i & 0x1ff) }
func (i instruction) c() int   { return int(i>>9) & 0x1ff }
func (i instruction) bx() int  { return int(i & 0x3ffff) }
func (i instruction) sbx() int { return i.bx() - 1<<17 + 1 }

// isConstant is set in operands that index the constants instead of the registers.
const isConstant = 1 << 8

func (f frame) instruction() (instruction, bool) {
	if f.pc < 0 {
		return 0, false
	}
	return instruction(f.fn.Proto.Code[f.pc]), true
}

// callee returns the function that the frame's running instruction calls.
func (f frame) callee() *symbol {
	in, ok := f.instruction()
	if !ok || in.op() != lua.OP_CALL && in.op() != lua.OP_TAILCALL {
		return nil
	}
	return f.register(in.a())
}

// register returns what is in a register at the frame's pc, nil when it has no name.
func (f frame) register(r int) *symbol {
	if f.isGo() || f.pc < 0 {
		return nil
	}
	return symbolOf(f.fn.Proto, f.pc, r, maxPath)
}

// operand is register for an operand that may be a constant.
func (f frame) operand(rk int) *symbol {
	if rk&isConstant == 0 {
		return f.register(rk)
	}
	return &symbol{kind: constant, key: constantAt(f.fn.Proto, rk&^isConstant)}
}

// value returns the value of an operand.
func (f frame) value(rk int) lua.LValue {
	if rk&isConstant != 0 {
		return constantAt(f.fn.Proto, rk&^isConstant)
	}
	return f.local(rk)
}

func constantAt(p *lua.FunctionProto, i int) lua.LValue {
	if i < len(p.Constants) {
		return p.Constants[i]
	}
	return lua.LNil
}

func symbolOf(p *lua.FunctionProto, pc, r, depth int) *symbol {
	if name := localName(p, pc, r); name != "" && name[0] != '(' {
		return &symbol{kind: local, name: name, slot: r}
	}
	set := setter(p, pc, r)
	if set < 0 || depth == 0 {
		return nil
	}
	return written(p, set, r, depth)
}

// written returns the expression that the instruction at pc puts into register r.
func written(p *lua.FunctionProto, pc, r, depth int) *symbol {
	in := instruction(p.Code[pc])
	switch in.op() {
	case lua.OP_MOVE, lua.OP_MOVEN:
		if in.b() < in.a() {
			return symbolOf(p, pc, in.b(), depth-1)
		}
	case lua.OP_GETGLOBAL:
		return &symbol{kind: global, name: constantAt(p, in.bx()).String()}
	case lua.OP_GETUPVAL:
		if in.b() < len(p.DbgUpvalues) {
			return &symbol{kind: upvalue, name: p.DbgUpvalues[in.b()], slot: in.b()}
		}
	case lua.OP_GETTABLE, lua.OP_GETTABLEKS:
		parent := symbolOf(p, pc, in.b(), depth-1)
		if parent == nil {
			return nil
		}
		return fieldOfSymbol(p, pc, parent, in.c(), depth)
	case lua.OP_SELF:
		parent := symbolOf(p, pc, in.b(), depth-1)
		if parent == nil || r == in.a()+1 {
			return parent
		}
		s := fieldOfSymbol(p, pc, parent, in.c(), depth)
		if s != nil {
			s.kind = method
		}
		return s
	case lua.OP_LOADK:
		return &symbol{kind: constant, key: constantAt(p, in.bx())}
	case lua.OP_CALL:
		if callee := symbolOf(p, pc, in.a(), depth-1); callee != nil && r == in.a() {
			return &symbol{kind: result, parent: callee}
		}
	case lua.OP_VARARG:
		return &symbol{kind: varargs, name: "..."}
	}
	return nil
}

func fieldOfSymbol(p *lua.FunctionProto, pc int, parent *symbol, key, depth int) *symbol {
	s := &symbol{kind: field, parent: parent}
	if key&isConstant != 0 {
		s.key = constantAt(p, key&^isConstant)
	} else if index := symbolOf(p, pc, key, depth-1); index != nil && index.kind == constant {
		s.key = index.key
	} else if index != nil {
		s.index = index
		return s
	}
	if s.key == nil {
		return nil
	}
	s.name = s.key.String()
	return s
}

// localName returns the name of the variable that lives in register r at pc.
func localName(p *lua.FunctionProto, pc, r int) string {
	if !scopesAreSound(p) && r >= parameters(p) {
		return ""
	}
	n := 0
	for _, l := range p.DbgLocals {
		if l.StartPc > pc {
			break
		}
		if pc >= l.EndPc && l.EndPc != 0 {
			continue
		}
		if n == r {
			return l.Name
		}
		n++
	}
	return ""
}

// scopesAreSound reports whether p says where its variables end. gopher-lua writes the
// ends of variables in sibling blocks to the wrong entries and leaves zeros; Load
// mends that. Of what others compiled we then trust the parameters only.
func scopesAreSound(p *lua.FunctionProto) bool {
	for _, l := range p.DbgLocals {
		if l.EndPc == 0 {
			return false
		}
	}
	return true
}

func parameters(p *lua.FunctionProto) int { return min(int(p.NumParameters), len(p.DbgLocals)) }

// setter returns the last instruction before pc that wrote register r, -1 when there
// is none or when a jump may have passed it by.
func setter(p *lua.FunctionProto, pc, r int) int {
	set, target := -1, 0
	for at := 0; at < pc; at++ {
		in := instruction(p.Code[at])
		if in.op() == lua.OP_JMP {
			if dest := at + 1 + in.sbx(); at < dest && dest <= pc {
				target = max(target, dest)
			}
		}
		if writes(in, r) {
			if set = at; at < target {
				set = -1
			}
		}
		at += extra(p, in)
	}
	return set
}

// lastWrite is setter for hints: a write that may have been passed by counts too.
func lastWrite(p *lua.FunctionProto, pc, r int) int {
	set := -1
	for at := 0; at < pc; at++ {
		in := instruction(p.Code[at])
		if writes(in, r) {
			set = at
		}
		at += extra(p, in)
	}
	return set
}

// extra returns how many words after an instruction are not instructions.
func extra(p *lua.FunctionProto, in instruction) int {
	switch {
	case in.op() == lua.OP_CLOSURE && in.bx() < len(p.FunctionPrototypes):
		return int(p.FunctionPrototypes[in.bx()].NumUpvalues)
	case in.op() == lua.OP_SETLIST && in.c() == 0:
		return 1
	}
	return 0
}

func writes(in instruction, r int) bool {
	a := in.a()
	switch in.op() {
	case lua.OP_SETGLOBAL, lua.OP_SETUPVAL, lua.OP_SETTABLE, lua.OP_SETTABLEKS, lua.OP_JMP, lua.OP_EQ, lua.OP_LT,
		lua.OP_LE, lua.OP_TEST, lua.OP_RETURN, lua.OP_SETLIST, lua.OP_CLOSE, lua.OP_NOP:
		return false
	case lua.OP_LOADNIL:
		return a <= r && r <= in.b()
	case lua.OP_SELF:
		return r == a || r == a+1
	case lua.OP_CALL, lua.OP_TAILCALL:
		return r >= a
	case lua.OP_VARARG:
		return r >= a && (in.b() == 0 || r < a+in.b()-1)
	case lua.OP_FORPREP, lua.OP_FORLOOP:
		return r == a || r == a+3
	case lua.OP_TFORLOOP:
		return r >= a+2
	}
	return r == a
}

// lookup returns the present value of a variable or of a path of plain tables, without
// running any Lua code; false when that is not possible.
func (f frame) lookup(s *symbol) (lua.LValue, bool) {
	switch s.kind {
	case local:
		return f.local(s.slot), true
	case upvalue:
		if s.slot < len(f.fn.Upvalues) && f.fn.Upvalues[s.slot] != nil {
			return f.fn.Upvalues[s.slot].Value(), true
		}
	case global:
		if env := f.fn.Env; env != nil {
			v := env.RawGetString(s.name)
			if v == lua.LNil && env.Metatable != lua.LNil { // an environment before the globals, as of a console
				v = f.L.G.Global.RawGetString(s.name)
			}
			return v, true
		}
	case field:
		if s.key == nil {
			return nil, false
		}
		parent, ok := f.lookup(s.parent)
		if t, isTable := parent.(*lua.LTable); ok && isTable {
			return t.RawGet(s.key), true
		}
	}
	return nil, false
}

// quote is text in quotes, cut at maxText characters, on one line.
func quote(s string) string {
	return strconv.Quote(cut(strings.ToValidUTF8(s, "\uFFFD"), maxText))
}

// cut shortens s to n characters, the last of which is then an ellipsis.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	keep, count := 0, 0
	for i := range s {
		if count == n-1 {
			keep = i
		}
		if count++; count > n {
			return s[:keep] + "…"
		}
	}
	return s
}

// typed names a value for messages: `user` (nil), 5 (number), a table.
func typed(s *symbol, v lua.LValue) string {
	switch {
	case s == nil && v == lua.LNil:
		return "nil"
	case s == nil:
		return "a " + v.Type().String()
	case s.kind == constant:
		return fmt.Sprintf("%s (%s)", literal(s.key), v.Type())
	}
	return fmt.Sprintf("`%s` (%s)", s.text(), v.Type())
}
