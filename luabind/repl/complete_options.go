package repl

import (
	"strings"

	"rws/luabind/bind"
	"rws/luabind/luadoc"
)

// options completes option names, where token n is the last before the name: the "{" of
// a documented call, or a comma within.
func (c *completer) options(n int, prefix string) []Candidate {
	if n >= 0 && c.tokens[n].kind == tokenSpace {
		n = c.back(n)
	}
	if w := c.word(n); w != "{" && w != "," && w != ";" {
		return nil
	}
	open, _ := c.opening(n + 1)
	if c.word(open) != "{" {
		return nil
	}
	callee, arg := c.callOf(open)
	var list []Candidate
	for _, o := range c.optionNames(callee, arg) {
		if strings.HasPrefix(o.Text, prefix) {
			list = append(list, o)
		}
	}
	return list
}

// opening returns the bracket that is open before token n, and how many commas follow it.
func (c *completer) opening(n int) (open, commas int) {
	depth := 0
	for n--; n >= 0; n-- {
		switch c.word(n) {
		case ")", "}", "]":
			depth++
		case "(", "{", "[":
			if depth == 0 {
				return n, commas
			}
			depth--
		case ",":
			if depth == 0 {
				commas++
			}
		}
	}
	return -1, 0
}

// callOf returns the path of the function that the table opened at token n is given to,
// and which argument it is, from 0.
func (c *completer) callOf(n int) ([]string, int) {
	before := c.back(n)
	if before >= 0 && c.tokens[before].kind == tokenName {
		names, _ := c.pathBefore(n)
		return names, 0
	}
	if w := c.word(before); w != "(" && w != "," {
		return nil, 0
	}
	open, commas := c.opening(n)
	if c.word(open) != "(" {
		return nil, 0
	}
	names, _ := c.pathBefore(open)
	return names, commas
}

func (c *completer) optionNames(callee []string, arg int) []Candidate {
	if len(callee) == 0 {
		return nil
	}
	last := callee[len(callee)-1]
	if _, ok := methods[last]; ok && len(callee) == 1 {
		var list []Candidate
		for _, name := range bind.Names(&requestOptions{}) {
			list = append(list, Candidate{name, ""})
		}
		return list
	}
	t, ok := c.lookup.path(callee)
	if !ok {
		return nil
	}
	s, _ := c.lookup.symbol(t)
	fn, ok := s.(*luadoc.Function)
	if !ok || len(fn.Params) == 0 {
		return nil
	}
	p := fn.Params[min(arg, len(fn.Params)-1)]
	if arg >= len(fn.Params) && p.Name != "..." {
		return nil
	}
	return optionsOfType(c.lookup.docs, p.Type)
}

// optionsOfType returns the fields of the classes in a type such as "rws.Spec|string" or
// "{ name?: string, max_open?: integer }".
func optionsOfType(docs *luadoc.Package, typ string) []Candidate {
	var list []Candidate
	if inner, ok := strings.CutPrefix(strings.TrimSuffix(typ, "?"), "{"); ok {
		for part := range strings.SplitSeq(strings.TrimSuffix(inner, "}"), ",") {
			name, fieldType, ok := strings.Cut(part, ":")
			if name = strings.TrimSuffix(strings.TrimSpace(name), "?"); ok && isName(name) {
				list = append(list, Candidate{name, strings.TrimSpace(fieldType)})
			}
		}
		return list
	}
	for part := range strings.SplitSeq(typ, "|") {
		for _, m := range docs.Members(strings.TrimSuffix(strings.TrimSpace(part), "?")) {
			if f, ok := m.(*luadoc.Field); ok {
				list = append(list, Candidate{f.Member, f.Type})
			}
		}
	}
	return list
}
