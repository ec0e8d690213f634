package luabind

import (
	"context"
	"fmt"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/vm"
)

// render renders a template with the lock released: its data is a copy in Go values.
func (p *Program) render(L *lua.LState, name string, data lua.LValue) ([]byte, error) {
	values := map[string]any{}
	switch t := data.(type) {
	case *lua.LNilType:
	case *lua.LTable:
		v, err := bind.ToGo(L, t)
		if err != nil {
			return nil, fmt.Errorf("the data of template %q: %w", name, err)
		}
		m, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("the data of template %q is a list; templates take names: { items = list }", name)
		}
		values = m
	default:
		return nil, fmt.Errorf("the data of template %q is a %s, a table was expected", name, data.Type())
	}
	var out []byte
	err := vm.Wait(L, func(ctx context.Context) (err error) {
		out, err = p.templates.Render(ctx, name, values)
		return err
	})
	return out, err
}
