package inspect

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

func (f *frame) get(r int) set {
	if r < len(f.regs) {
		return f.regs[r]
	}
	return nil
}

func (f *frame) set(r int, s set) {
	if r < len(f.regs) {
		f.regs[r] = s
	}
}

// clear forgets register r and those above.
func (f *frame) clear(r int) { clear(f.regs[min(r, len(f.regs)):]) }

// rk returns what an operand holds that is a register or a constant.
func (f *frame) rk(n int) set {
	if n&constantBit != 0 {
		return one(f.constant(constant(f.fn.proto, n&^constantBit)))
	}
	return f.get(n)
}

// load looks into the functions in s and returns s: a function that is read is taken to
// be called sooner or later, by whomever.
func (f *frame) load(s set) set {
	for _, t := range s {
		if t.fn != nil {
			f.enter(t.fn, nil, f)
		}
	}
	return s
}

// from is Via for what this instruction calls.
func (f *frame) from() string {
	s := fmt.Sprintf("called from %s %s:%d", f.fn.name, f.fn.proto.SourceName, f.line())
	if f.via != "" {
		s += ", " + f.via
	}
	return s
}

func (f *frame) line() int { return line(f.fn.proto, f.pc) }

func (f *frame) report(k Kind, name string) {
	f.record(Write{File: f.fn.proto.SourceName, Line: f.line(), Name: name, Kind: k, Via: f.via})
}

func (f *frame) upvalue(n int) set {
	if n >= len(f.fn.upvalues) {
		return nil
	}
	u := f.fn.upvalues[n]
	if u.cell != nil {
		return one(f.value(u.cell.Value(), u.name))
	}
	return u.held
}

func (f *frame) assignUpvalue(n int) {
	if n < len(f.fn.upvalues) && f.fn.upvalues[n].cell != nil {
		f.report(LocalWrite, f.fn.upvalues[n].name)
	}
}

// closure makes the function of OP_CLOSURE and looks into it: it was made to be called.
func (f *frame) closure(i instruction) {
	proto := child(f.fn.proto, i)
	if proto == nil {
		return
	}
	t := f.closures[f.pc]
	if t == nil {
		t = f.nested(proto)
		f.closures[f.pc] = t
	}
	for n, c := range captures(f.fn.proto, f.pc) {
		f.capture(t, n, c, i.a())
	}
	f.set(i.a(), one(t))
	f.enter(t.fn, nil, f)
}

func (f *frame) nested(proto *lua.FunctionProto) *atom {
	fn := &function{proto: proto, name: f.fn.name, nested: true, via: f.via}
	fn.upvalues = make([]upvalue, proto.NumUpvalues)
	for n := range fn.upvalues {
		fn.upvalues[n].name = upvalueName(proto, n)
	}
	return f.add(atom{name: f.fn.name, fn: fn})
}

// capture gives upvalue n of the closure t, made in register self, what it captures.
func (f *frame) capture(t *atom, n int, c capture, self int) {
	u := &t.fn.upvalues[n]
	held := f.get(c.index)
	switch {
	case c.register && c.index == self:
		held = one(t)
	case !c.register && c.index < len(f.fn.upvalues):
		outer := f.fn.upvalues[c.index]
		u.cell, held = outer.cell, outer.held
	case !c.register:
		held = nil
	}
	if s := u.held.union(held); len(s) > len(u.held) {
		u.held = s
		t.fn.version++
	}
}

// call does OP_CALL and OP_TAILCALL.
func (f *frame) call(i instruction) {
	base := i.a()
	end := len(f.regs)
	if i.b() > 0 {
		end = min(end, base+i.b())
	}
	var args []set
	if base+1 < end {
		args = append(args, f.regs[base+1:end]...)
	}
	results := f.invoke(f.get(base), args)
	f.clear(base)
	if n := i.c() - 1; n >= 0 && i.op() == lua.OP_CALL {
		results = results[:min(n, len(results))]
	}
	for n, s := range results {
		f.set(base+n, s)
	}
}

// iterate does OP_TFORLOOP: it calls the iterator.
func (f *frame) iterate(i instruction) {
	base := i.a()
	results := f.invoke(f.get(base), []set{f.get(base + 1), f.get(base + 2)})
	f.clear(base + 3)
	for n := range min(i.c(), len(results)) {
		f.set(base+3+n, f.load(results[n]))
	}
}

// invoke returns what a call of any of the callees may return.
func (f *frame) invoke(callees set, args []set) []set {
	var results []set
	for _, t := range callees {
		switch {
		case t.fn != nil:
			results = merge(results, f.enter(t.fn, args, f))
		case t.native != 0:
			results = merge(results, f.native(t.native, args))
		case t.goFn != nil:
			results = merge(results, []set{f.called(t, first(args))})
		case t.table != nil:
			if call := f.value(meta(t.table, "__call"), t.name); call != nil && call.fn != nil {
				results = merge(results, f.enter(call.fn, append([]set{one(t)}, args...), f))
			}
		}
	}
	return results
}

// called returns what Options.Call says that a function of Go returns.
func (f *frame) called(t *atom, argument set) (out set) {
	for _, k := range argument {
		if k.key != nil {
			out = out.union(one(f.value(f.goCall(t.goFn, k.key), fmt.Sprintf("%s('%s')", t.name, k.key))))
		}
	}
	return out
}

// leave does OP_RETURN.
func (f *frame) leave(i instruction) {
	from, to := i.a(), len(f.regs)
	if i.b() > 0 {
		to = min(to, from+i.b()-1)
	}
	if from < to {
		f.results = merge(f.results, f.regs[from:to])
	}
}

// merge returns the union of two lists of results.
func merge(a, b []set) []set {
	out := make([]set, max(len(a), len(b)))
	copy(out, a)
	for n, s := range b {
		out[n] = out[n].union(s)
	}
	return out
}
