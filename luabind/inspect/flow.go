package inspect

import (
	"slices"

	lua "github.com/yuin/gopher-lua"
)

// A frame is one function being looked at, with the sets its registers may hold at the
// start of each basic block. Blocks are walked until no set grows.
type frame struct {
	*analysis
	fn       *function
	via      string
	args     string // see identity
	shape    shape
	blocks   map[int][]set // by pc of their first instruction
	todo     []int
	closures map[int]*atom // by pc of OP_CLOSURE
	results  []set

	pc   int
	regs []set
}

// A shape is what is known about a prototype before looking at values.
type shape struct {
	leaders   map[int]bool // where blocks begin
	registers int
}

// measure returns the shape of p.
func (a *analysis) measure(p *lua.FunctionProto) shape {
	if s, ok := a.shapes[p]; ok {
		return s
	}
	s := shape{leaders: make(map[int]bool), registers: int(p.NumUsedRegisters) + 1}
	for pc, i := range instructions(p) {
		s.registers = max(s.registers, i.a()+2)
		if i.op() == lua.OP_TFORLOOP {
			s.registers = max(s.registers, i.a()+3+i.c())
		}
		targets := successors(p, pc)
		if len(targets) == 1 && targets[0] == pc+width(p, pc) {
			continue
		}
		for _, t := range targets {
			s.leaders[t] = true
		}
	}
	a.shapes[p] = s
	return s
}

// successors returns where execution may continue after pc.
func successors(p *lua.FunctionProto, pc int) []int {
	i := at(p, pc)
	next := pc + width(p, pc)
	switch i.op() {
	case lua.OP_JMP, lua.OP_FORPREP:
		return []int{next + i.sbx()}
	case lua.OP_FORLOOP:
		return []int{next, next + i.sbx()}
	case lua.OP_EQ, lua.OP_LT, lua.OP_LE, lua.OP_TEST, lua.OP_TESTSET, lua.OP_TFORLOOP:
		return []int{next, next + 1}
	case lua.OP_LOADBOOL:
		if i.c() != 0 {
			return []int{next + 1}
		}
	case lua.OP_RETURN:
		return nil
	}
	return []int{next}
}

func (f *frame) run(args []set) {
	f.shape = f.measure(f.fn.proto)
	f.blocks = make(map[int][]set)
	start := make([]set, f.shape.registers)
	copy(start, args)
	f.join(0, start)
	for len(f.todo) > 0 && f.steps <= maxSteps {
		last := len(f.todo) - 1
		f.pc, f.regs = f.todo[last], slices.Clone(f.blocks[f.todo[last]])
		f.todo = f.todo[:last]
		f.block()
	}
}

// join adds regs to what may be held at the start of the block at pc.
func (f *frame) join(pc int, regs []set) {
	f.steps += len(regs)
	old, met := f.blocks[pc]
	if !met {
		f.blocks[pc] = slices.Clone(regs)
		f.todo = append(f.todo, pc)
		return
	}
	grown := false
	for r := range old {
		if s := old[r].union(regs[r]); len(s) > len(old[r]) {
			old[r], grown = s, true
		}
	}
	if grown && !slices.Contains(f.todo, pc) {
		f.todo = append(f.todo, pc)
	}
}

// block looks at the instructions from pc to the end of the block.
func (f *frame) block() {
	p := f.fn.proto
	for f.pc >= 0 && f.pc < len(p.Code) {
		f.steps++
		i := at(p, f.pc)
		next := successors(p, f.pc)
		if i.op() == lua.OP_TESTSET {
			f.join(next[1], f.regs)
			next = next[:1]
		}
		f.step(i)
		if len(next) == 1 && !f.shape.leaders[next[0]] {
			f.pc = next[0]
			continue
		}
		for _, t := range next {
			f.join(t, f.regs)
		}
		return
	}
}

// step does to the registers what the instruction does.
func (f *frame) step(i instruction) {
	p := f.fn.proto
	switch i.op() {
	case lua.OP_MOVE, lua.OP_MOVEN, lua.OP_TESTSET:
		f.set(i.a(), f.get(i.b()))
	case lua.OP_LOADK:
		f.set(i.a(), one(f.constant(constant(p, i.bx()))))
	case lua.OP_LOADNIL:
		for r := i.a(); r <= i.b(); r++ {
			f.set(r, nil)
		}
	case lua.OP_GETUPVAL:
		f.set(i.a(), f.load(f.upvalue(i.b())))
	case lua.OP_GETGLOBAL:
		f.set(i.a(), f.load(f.global(text(p, i.bx()))))
	case lua.OP_GETTABLE, lua.OP_GETTABLEKS:
		f.set(i.a(), f.load(f.index(f.get(i.b()), f.rk(i.c()))))
	case lua.OP_SELF:
		object := f.get(i.b())
		f.set(i.a(), f.load(f.index(object, f.rk(i.c()))))
		f.set(i.a()+1, object)
	case lua.OP_CLOSURE:
		f.closure(i)
	case lua.OP_SETUPVAL:
		f.assignUpvalue(i.b())
	case lua.OP_SETGLOBAL:
		name := text(p, i.bx())
		if called, ok := f.library(nil, name); ok {
			f.report(LibraryWrite, called)
		} else {
			f.report(GlobalWrite, name)
		}
	case lua.OP_SETTABLE, lua.OP_SETTABLEKS:
		f.assign(f.get(i.a()), f.rk(i.b()), f.rk(i.c()))
	case lua.OP_NEWTABLE:
		f.set(i.a(), one(f.newTable()))
	case lua.OP_SETLIST:
		f.setList(i)
	case lua.OP_CALL, lua.OP_TAILCALL:
		f.call(i)
	case lua.OP_TFORLOOP:
		f.iterate(i)
	case lua.OP_RETURN:
		f.leave(i)
	case lua.OP_VARARG:
		f.clear(i.a())
	case lua.OP_FORLOOP:
		f.set(i.a()+3, nil)
	case lua.OP_JMP, lua.OP_EQ, lua.OP_LT, lua.OP_LE, lua.OP_TEST, lua.OP_CLOSE, lua.OP_NOP:
	default: // arithmetic and the like
		f.set(i.a(), nil)
	}
}
