package fault

import (
	"fmt"
	"slices"
	"strings"
	"weak"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/vm"
)

// maxLoadString bounds what loadstring and load compile while everything else waits: 1 MB, which
// takes 0.3 s, and 0.6 s at the worst (BenchmarkBounds).
const maxLoadString = 1 << 20

// installLoad replaces loadstring and load by ones that keep the bounds of Compile.
func installLoad(L *lua.LState) {
	L.SetGlobal("loadstring", L.NewFunction(func(L *lua.LState) int {
		return pushChunk(L, L.CheckString(1), L.OptString(2, noName))
	}))
	L.SetGlobal("load", L.NewFunction(func(L *lua.LState) int {
		name := L.OptString(2, noName)
		if text, ok := L.Get(1).(lua.LString); ok {
			return pushChunk(L, string(text), name)
		}
		text, problem := pieces(L, L.CheckFunction(1))
		if problem != "" {
			return refuse(L, problem)
		}
		return pushChunk(L, text, name)
	}))
}

// pieces joins what a function returns until it returns nothing.
func pieces(L *lua.LState, next *lua.LFunction) (text, problem string) {
	var b strings.Builder
	for b.Len() <= maxLoadString {
		L.Push(next)
		L.Call(0, 1)
		v := L.Get(-1)
		L.Pop(1)
		if v == lua.LNil || v == lua.LString("") {
			break
		}
		if !lua.LVCanConvToString(v) {
			return "", fmt.Sprintf("load: the function must return text, it returned a %s", v.Type())
		}
		b.WriteString(v.String())
	}
	return b.String(), ""
}

// pushChunk pushes the function that text is, or nil and what is wrong.
func pushChunk(L *lua.LState, text, name string) int {
	vm.Changes(L)
	name = chunkName(name)
	if len(text) > maxLoadString {
		return refuse(L, fmt.Sprintf("%s: the source is longer than %d MB", name, maxLoadString>>20))
	}
	proto, err := Compile(name, text)
	if err != nil {
		return refuse(L, err.Error())
	}
	stateOf(L).chunks.add(proto, Where(L))
	L.Push(L.NewFunctionFromProto(proto))
	return 1
}

// noName is what a chunk without a name is called.
const noName = "<string>"

// maxChunkName bounds what is shown of a name, in characters.
const maxChunkName = 60

// chunkName is what places show of a name that a script gave: without the "=" or "@" that Lua leaves
// out, in one line, as places end with ":12:". With "=" begin those inside the program, which are
// passed over.
func chunkName(name string) string {
	name = strings.TrimLeft(strings.Join(strings.Fields(strings.ToValidUTF8(name, "\uFFFD")), " "), "=@ ")
	if name == "" {
		return noName
	}
	return cut(name, maxChunkName)
}

// maxChunks is how many chunks are remembered.
const maxChunks = 256

// chunks are the last ones that were loaded, and where: what is known of one that was called by
// "return f()", which leaves no trace of its caller.
type chunks struct {
	ring []loaded
	next int
}

type loaded struct {
	proto weak.Pointer[lua.FunctionProto]
	at    string
}

func (c *chunks) add(proto *lua.FunctionProto, at string) {
	l := loaded{weak.Make(proto), at}
	if len(c.ring) < maxChunks {
		c.ring = append(c.ring, l)
		return
	}
	c.ring[c.next] = l
	c.next = (c.next + 1) % maxChunks
}

// place returns where the chunk that a function is in was loaded, "" when that is not known.
func (c *chunks) place(of *lua.FunctionProto) string {
	for _, l := range c.ring {
		if p := l.proto.Value(); p != nil && holds(p, of) {
			return l.at
		}
	}
	return ""
}

func holds(proto, of *lua.FunctionProto) bool {
	return proto == of || slices.ContainsFunc(proto.FunctionPrototypes, func(p *lua.FunctionProto) bool { return holds(p, of) })
}

func refuse(L *lua.LState, problem string) int {
	L.Push(lua.LNil)
	L.Push(lua.LString(problem))
	return 2
}
