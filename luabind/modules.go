package luabind

import (
	"slices"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/codec"
	"rws/luabind/vm"
)

// Modules returns the library as scripts see it: the table rws and the tables in it. This
// list is the whole of it; nothing registers itself.
func Modules() []bind.Module {
	return append([]bind.Module{
		{Name: "rws", Funcs: topFuncs(), Values: topValues, Types: []bind.Type{regexOfType()}},
		jsonModule(), httpModule(), cryptoModule(), timeModule(), urlModule(), logModule(), fsModule(), schemaModule(), passwordModule(), metricsModule(),
	}, guardModules()...)
}

// topFuncs are the functions of rws itself.
func topFuncs() []bind.Func {
	funcs := []bind.Func{
		bind.Raw("app()", newApp),
		bind.Raw("array(list?)", array),
	}
	return slices.Concat(funcs, flowFuncs(), timeFuncs(), uuidFuncs(), regexFuncs(), markdownFuncs(), middlewareFuncs(), guardFuncs(), httpCacheFuncs())
}

func topValues(L *lua.LState) map[string]lua.LValue {
	return map[string]lua.LValue{"null": bind.Null(L)}
}

// newApp returns an app for another one to mount.
func newApp(L *lua.LState) int {
	L.Push(bind.New(L, appType, &App{state: stateOf(L), detached: true}))
	return 1
}

// array marks a table as an array, so that it encodes as [] when it is empty.
func array(L *lua.LState) int {
	list := bind.Arg[bind.Opt[*lua.LTable]](L, "rws.array", 1)
	switch {
	case !list.Set:
		L.Push(bind.MarkArray(L, L.NewTable()))
	case bind.IsArray(L, list.Value):
		L.Push(list.Value)
	default:
		vm.Change(L, "rws.array", list.Value)
		L.Push(bind.MarkArray(L, list.Value))
	}
	return 1
}

// jsonModule is rws.json.
func jsonModule() bind.Module {
	return bind.Module{Name: "rws.json", Funcs: []bind.Func{
		bind.Raw("encode(value, options?)", jsonEncode),
		bind.Raw("decode(text)", jsonDecode),
	}}
}

type jsonOptions struct {
	Indent bool `json:"indent"`
}

func jsonEncode(L *lua.LState) int {
	o := bind.Options[jsonOptions](L, "rws.json.encode", 2)
	b, err := codec.Append(nil, L, L.Get(1), codec.Options{Indent: o.Indent})
	if err != nil {
		bind.Raise(L, "rws.json.encode", err)
	}
	L.Push(lua.LString(b))
	return 1
}

func jsonDecode(L *lua.LState) int {
	v, err := codec.Decode(L, []byte(bind.Arg[string](L, "rws.json.decode", 1)), codec.Limits{})
	if err != nil {
		bind.Raise(L, "rws.json.decode", err)
	}
	L.Push(v)
	return 1
}
