package luabind

import (
	"context"
	"errors"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/vm"
	"rws/server/template"
)

// markdownFuncs is rws.markdown.
func markdownFuncs() []bind.Func {
	return []bind.Func{bind.RawWait("markdown(text, options?)", markdown)}
}

// markdownOptions are the options of rws.markdown.
type markdownOptions struct {
	Unsafe    bool      `json:"unsafe"`
	HardWraps bool      `json:"hard_wraps"`
	MaxSize   bind.Size `json:"max_size"`
}

// markdown renders with the lock released: a text that is made for it takes seconds.
func markdown(L *lua.LState) int {
	const name = "rws.markdown"
	text := bind.Arg[string](L, name, 1)
	o := bind.Options[markdownOptions](L, name, 2)
	limit := int(o.MaxSize)
	if limit == 0 {
		limit = defaultMarkdown
	}
	if len(text) > limit {
		bind.Raise(L, name, bind.Errorf("too_large", "the text has %d bytes, the limit is %s; for text you trust raise it by { max_size = … }", len(text), bind.Size(limit)))
	}
	var html string
	err := vm.Wait(L, func(ctx context.Context) (err error) {
		html, err = template.Markdown(ctx, text, template.MarkdownOptions{Unsafe: o.Unsafe, HardWraps: o.HardWraps, MaxBytes: limit})
		return err
	})
	if e, ok := errors.AsType[*template.ComplexError](err); ok {
		err = bind.Errorf("too_complex", "%v", e)
	}
	if err != nil {
		bind.Raise(L, name, err)
	}
	L.Push(lua.LString(html))
	return 1
}

// defaultMarkdown is the default of max_size.
const defaultMarkdown = 64 << 10
