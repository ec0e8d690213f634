package fault

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

// general is the hint for the operation, whatever the value was.
func general(f frame, c *culprit) string {
	name := "…"
	if c.symbol != nil && c.symbol.kind != constant {
		name = checkable(c.symbol.text())
	}
	typ := c.value.Type()
	switch c.use {
	case concatenated:
		if typ == lua.LTNil {
			return fmt.Sprintf("write %s or \"\" where it may be nil, or tostring(%s)", name, name)
		}
		return fmt.Sprintf("write tostring(%s)", name)
	case added:
		return addedHint(f, c, name)
	case compared:
		return comparedHint(c, name)
	case measured:
		if typ == lua.LTNil {
			return fmt.Sprintf("check it first, or write #(%s or {})", name)
		}
	case called:
		switch typ {
		case lua.LTNil:
			if c.symbol != nil && c.symbol.kind == result {
				return "a line that begins with `(` goes on with the line above: put a semicolon between them"
			}
		case lua.LTTable, lua.LTString, lua.LTNumber:
			return fmt.Sprintf("a %s is not a function: is a comma or an operator missing before the parenthesis?", typ)
		}
	case iterated:
		if typ == lua.LTTable {
			return fmt.Sprintf("write for i, v in ipairs(%s) do for a list, for k, v in pairs(%s) do for any table", name, name)
		}
	case keyed:
		if typ == lua.LTNil {
			return "check the key before you use it"
		}
	case indexed:
		if _, isText := c.key.(lua.LString); typ == lua.LTFunction && isText {
			return "a function has no fields: call it first"
		}
	case bounded:
		switch typ {
		case lua.LTString:
			return fmt.Sprintf("write tonumber(%s)", name)
		case lua.LTNil:
			return fmt.Sprintf("give it a value first, or write %s or 0", name)
		}
	}
	return ""
}

func addedHint(f frame, c *culprit, name string) string {
	switch c.value.Type() {
	case lua.LTNil:
		return fmt.Sprintf("give it a value first, or write (%s or 0)", name)
	case lua.LTString:
		if from := inputOf(f, c.symbol); from != nil {
			kind := "int"
			if from.parent.name == "params" {
				return fmt.Sprintf("values of %s are text: declare the route as /:%s{int}, or write tonumber(%s)", from.parent.text(), from.name, name)
			}
			return fmt.Sprintf("values of %s are text: declare %s = { %s = %q } in the route, or write tonumber(%s)",
				from.parent.text(), from.parent.name, from.name, kind, name)
		}
		return fmt.Sprintf("write tonumber(%s), and `..` to join texts", name)
	}
	return ""
}

// inputOf returns the field of c.params, c.query or c.form that s holds, or nil.
func inputOf(f frame, s *symbol) *symbol {
	if s == nil {
		return nil
	}
	if s.kind == local {
		set := lastWrite(f.fn.Proto, f.pc, s.slot)
		if set < 0 {
			return nil
		}
		if s = written(f.fn.Proto, set, s.slot, maxPath); s == nil {
			return nil
		}
	}
	if s.kind == field && s.index == nil && s.parent.kind == field {
		switch s.parent.name {
		case "params", "query", "form":
			return s
		}
	}
	return nil
}

func comparedHint(c *culprit, name string) string {
	types := [2]lua.LValueType{c.value.Type(), c.other.Type()}
	switch types {
	case [2]lua.LValueType{lua.LTString, lua.LTNumber}:
		return fmt.Sprintf("write tonumber(%s)", name)
	case [2]lua.LValueType{lua.LTNil, lua.LTNumber}:
		return fmt.Sprintf("check it first, or write (%s or 0)", name)
	}
	return ""
}
