package inspect

import (
	"cmp"
	"slices"

	lua "github.com/yuin/gopher-lua"
)

// A MethodCall is a call of a method whose first argument is written as a string: the
// c:render("page.html") of a script.
type MethodCall struct {
	File string
	Line int
	Arg  string
}

// MethodCalls returns the calls of a method by name in the chunk and the functions in it, in
// the order of their lines, as far as the first argument is a string in the source.
func MethodCalls(chunk *lua.FunctionProto, method string) []MethodCall {
	list := methodCalls(nil, chunk, method)
	slices.SortStableFunc(list, func(a, b MethodCall) int { return cmp.Compare(a.Line, b.Line) })
	return list
}

func methodCalls(list []MethodCall, p *lua.FunctionProto, method string) []MethodCall {
	self := -1 // the register of the function that was looked up last
	for pc, i := range instructions(p) {
		switch {
		case i.op() == lua.OP_SELF && i.c()&constantBit != 0 && text(p, i.c()&^constantBit) == method:
			self = i.a()
			continue
		case self >= 0 && i.op() == lua.OP_LOADK && i.a() == self+2:
			if arg, ok := constant(p, i.bx()).(lua.LString); ok {
				list = append(list, MethodCall{File: p.SourceName, Line: line(p, pc), Arg: string(arg)})
			}
		}
		self = -1
	}
	for _, f := range p.FunctionPrototypes {
		list = methodCalls(list, f, method)
	}
	return list
}
