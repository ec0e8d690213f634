package luabind

import (
	"context"
	"errors"
	"fmt"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/vm"
	"rws/server/middleware"
	"rws/server/template"
)

// render renders a template with the lock released: its data is a copy in Go values, beside which
// it has url, csp_nonce and the functions for forms unless they have such names of their own.
func (c *Ctx) render(L *lua.LState, name string, data lua.LValue) ([]byte, error) {
	p := c.state.program
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
	if _, own := values["url"]; !own {
		values["url"] = template.Func(p.templateURL)
	}
	if _, own := values["csp_nonce"]; !own {
		values["csp_nonce"] = middleware.Nonce(c.r.Context())
	}
	rendered := c.forms(values)
	var out []byte
	err := vm.Wait(L, func(ctx context.Context) (err error) {
		out, err = p.templates.Render(ctx, name, values)
		return err
	})
	rendered()
	return out, err
}

// templateURL is url(name, { param: value }) in templates, as app:url in Lua.
func (p *Program) templateURL(args ...any) (any, error) {
	name, ok := "", false
	if len(args) > 0 {
		name, ok = args[0].(string)
	}
	if !ok {
		return nil, errors.New("url: the name of a route expected, as in url(\"profile\", {name: \"ann\"})")
	}
	params := make(map[string]string)
	if len(args) > 1 {
		values, ok := args[1].(map[string]any)
		if !ok {
			return nil, errors.New("url: the second argument must be a table of parameters")
		}
		for k, v := range values {
			params[k] = fmt.Sprint(v)
		}
	}
	return p.states[0].url(name, params)
}
