package inspect

import lua "github.com/yuin/gopher-lua"

// A native is a library function whose effect on tables is known.
type native int

const (
	nativeChange       native = iota + 1 // table.insert, table.sort: changes its first argument
	nativeRemove                         // table.remove: that, and returns an element
	nativeRawset                         // rawset: changes and returns its first argument
	nativeSetmetatable                   // the same
	nativeRawget
	nativeSame // assert: returns its arguments
	nativePairs
	nativeNext
	nativePcall
	nativeXpcall
)

// nativesOf finds the library functions in the globals. They are known by identity, so
// that "local insert = table.insert" is found and a function that only has the name of
// one is not taken for it.
func nativesOf(env *lua.LTable) map[*lua.LFunction]native {
	found := make(map[*lua.LFunction]native)
	if env == nil {
		return found
	}
	add := func(t *lua.LTable, names map[string]native) {
		for name, n := range names {
			if fn, ok := t.RawGetString(name).(*lua.LFunction); ok && fn.IsG {
				found[fn] = n
			}
		}
	}
	add(env, map[string]native{
		"rawset": nativeRawset, "setmetatable": nativeSetmetatable, "rawget": nativeRawget, "assert": nativeSame,
		"pairs": nativePairs, "ipairs": nativePairs, "next": nativeNext, "pcall": nativePcall, "xpcall": nativeXpcall,
	})
	if t, ok := env.RawGetString("table").(*lua.LTable); ok {
		add(t, map[string]native{"insert": nativeChange, "sort": nativeChange, "remove": nativeRemove})
	}
	return found
}

// native does what a library function does, and returns what it returns.
func (f *frame) native(n native, args []set) []set {
	var arg [2]set
	copy(arg[:], args)
	switch n {
	case nativeChange:
		f.changeAll(arg[0], nil)
		for _, t := range arg[0] {
			for n := 1; n < len(args) && n < 3 && t.made != nil; n++ {
				f.put(t.made, nil, args[n])
			}
		}
	case nativeRemove:
		f.changeAll(arg[0], nil)
		return []set{f.load(f.index(arg[0], nil))}
	case nativeRawset, nativeSetmetatable:
		f.changeAll(arg[0], arg[1])
		return args[:min(1, len(args))]
	case nativeRawget:
		return []set{f.load(f.index(arg[0], arg[1]))}
	case nativeSame:
		return args
	case nativePairs:
		return []set{one(f.iterator), arg[0]}
	case nativeNext:
		return []set{nil, f.index(arg[0], nil)}
	case nativePcall:
		return append([]set{nil}, f.invoke(arg[0], args[min(1, len(args)):])...)
	case nativeXpcall:
		return append([]set{nil}, f.invoke(arg[0], nil)...)
	}
	return nil
}

func (f *frame) changeAll(tables, key set) {
	if f.inLibrary(tables, key) {
		return
	}
	for _, t := range tables {
		f.change(t, key)
	}
}
