package luabind

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/codec"
	"rws/luabind/fault"
	"rws/luabind/vm"
)

// logModule is rws.log.
func logModule() bind.Module {
	m := bind.Module{Name: "rws.log"}
	for _, l := range []struct {
		name  string
		level slog.Level
	}{{"debug", slog.LevelDebug}, {"info", slog.LevelInfo}, {"warn", slog.LevelWarn}, {"error", slog.LevelError}} {
		m.Funcs = append(m.Funcs, bind.Raw(l.name+"(text, fields?)", func(L *lua.LState) int { return writeLog(L, "rws.log."+l.name, l.level) }))
	}
	return m
}

// writeLog writes a record with the fields in order of their names and, inside a request, its id.
func writeLog(L *lua.LState, name string, level slog.Level) int {
	text, ok := L.Get(1).(lua.LString)
	if !ok {
		bind.ArgError(L, name, 1, "a text expected, got %s; put values into fields: %s(\"what happened\", { value = … })", L.Get(1).Type(), name)
	}
	var fields *lua.LTable
	if v := L.Get(2); v != lua.LNil {
		fields = bind.Arg[*lua.LTable](L, name, 2)
	}
	logger := stateOf(L).program.logger
	if !logger.Enabled(context.Background(), level) {
		return 0
	}
	logger.LogAttrs(context.Background(), level, string(text), logAttrs(L, name, fields)...)
	return 0
}

func logAttrs(L *lua.LState, name string, fields *lua.LTable) []slog.Attr {
	var attrs []slog.Attr
	if c, ok := vm.Current(L).Owner.(*Ctx); ok {
		key := "id"
		if fields != nil && fields.RawGetString(key) != lua.LNil {
			key = "request_id"
		}
		attrs = append(attrs, slog.String(key, c.ex.ID()))
	}
	if fields == nil {
		return attrs
	}
	if fields.Len() > 0 {
		bind.ArgError(L, name, 2, "fields have names, as { rows = 3 }, got a list")
	}
	for _, key := range bind.Keys(fields) {
		value := logValue(L, fields.RawGetString(key))
		switch key {
		case slog.TimeKey, slog.LevelKey, slog.MessageKey, slog.SourceKey:
			key += "_" // the record's own; a second one would hide it from some readers
		}
		attrs = append(attrs, slog.Any(key, value))
	}
	return attrs
}

// logValue returns what the log shows of a value: tables as JSON, errors with their parts,
// all else as tostring has it.
func logValue(L *lua.LState, v lua.LValue) any {
	switch v := v.(type) {
	case lua.LString:
		return string(v)
	case lua.LBool:
		return bool(v)
	case lua.LNumber:
		return bind.Number(v)
	case *lua.LTable:
		b, err := codec.Append(nil, L, v, codec.Options{MaxBytes: maxLogged})
		if err != nil {
			return fmt.Sprintf("!%s", err)
		}
		return json.RawMessage(b) // the logger takes the secrets out, at every depth
	case *lua.LUserData:
		if e, ok := fault.From(v); ok {
			return e
		}
		if t := bind.View(L, v); t != nil {
			return logValue(L, t)
		}
	}
	return L.ToStringMeta(v).String()
}

// maxLogged bounds the JSON of one field, in bytes.
const maxLogged = 64 << 10
