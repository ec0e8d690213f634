package luadoc

import (
	"slices"
	"strings"
)

func (c *comment) paramTag(no int, rest string) {
	name, rest, _ := strings.Cut(rest, " ")
	name, optional := strings.CutSuffix(name, "?")
	if name != "..." && !isName(name) {
		c.file.errorf(no, "@param: %q is no name", name)
		return
	}
	typ, text, err := cutType(rest)
	if err != nil {
		c.file.errorf(no, "@param %s: %w", name, err)
		return
	}
	if slices.ContainsFunc(c.documented, func(p Param) bool { return p.Name == name }) {
		c.file.errorf(no, "@param %s is there twice", name)
		return
	}
	c.documented = append(c.documented, Param{name, optional, typ, cutText(text)})
	c.paramNos = append(c.paramNos, no)
	i := len(c.documented) - 1
	c.more = func() *string { return &c.documented[i].Text }
}

func (c *comment) returnTag(no int, rest string) {
	typ, text, err := cutType(rest)
	if err != nil {
		c.file.errorf(no, "@return: %w", err)
		return
	}
	r := Return{Type: typ}
	if name, after, _ := strings.Cut(text, " "); isName(strings.TrimSuffix(name, "?")) {
		r.Name, text = name, strings.TrimSpace(after)
	}
	r.Text = cutText(text)
	c.returns = append(c.returns, r)
	i := len(c.returns) - 1
	c.more = func() *string { return &c.returns[i].Text }
}

// genericTag reads "T, U: type".
func (c *comment) genericTag(no int, rest string) {
	for generic := range strings.SplitSeq(rest, ",") {
		generic = strings.TrimSpace(generic)
		name, parent, bound := strings.Cut(generic, ":")
		parent = strings.TrimSpace(parent)
		if !isName(strings.TrimSpace(name)) || bound && (parent == "" || union(parent) != len(parent)) {
			c.file.errorf(no, "@generic wants a name or name: type, got %q", generic)
			continue
		}
		c.generics = append(c.generics, generic)
	}
}

// params returns the parameters of d in the declared order, with what the @param tags say of them.
func (c *comment) params(d declaration) []Param {
	var params []Param
	for _, name := range d.params {
		p := Param{Name: name, Type: "any"}
		if i := slices.IndexFunc(c.documented, func(p Param) bool { return p.Name == name }); i >= 0 {
			p = c.documented[i]
		}
		params = append(params, p)
	}
	for i, p := range c.documented {
		if !slices.Contains(d.params, p.Name) && (p.Name != "self" || !strings.Contains(d.name, ":")) {
			c.file.errorf(c.paramNos[i], "@param %s is no parameter of %s(%s)%s",
				p.Name, d.name, strings.Join(d.params, ", "), didYouMean(p.Name, d.params))
		}
	}
	return params
}
