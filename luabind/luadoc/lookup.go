package luadoc

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"rws/server/suggest"
)

// Lookup finds a name as people write it: "rws.json.encode", "app:get", "db.one", "c.session.renew",
// "rws.App". Either separator does. Inherited members are found, and members of fields whose type
// is a class.
func (p *Package) Lookup(name string) (Symbol, bool) {
	s := p.lookup(dotted(strings.TrimSpace(name)))
	return s, s != nil
}

// Ending returns the one name that ends with what was written, as rws.DbOptions does with DbOptions; ok is false
// when there is none, or several do.
func (p *Package) Ending(written string) (name string, ok bool) {
	end := "." + dotted(strings.TrimSpace(written))
	for _, candidate := range p.calls() {
		if candidate == name || !strings.HasSuffix(dotted(candidate), end) {
			continue
		}
		if name != "" {
			return "", false
		}
		name = candidate
	}
	return name, name != ""
}

func (p *Package) lookup(name string) Symbol {
	if f, ok := p.names[name].(*Field); ok && p.owners[name] != nil {
		return p.owners[f.Name] // a global that stands for its class
	}
	if s := p.names[name]; s != nil {
		return s
	}
	if c := p.owners[name]; c != nil {
		return c
	}
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return nil
	}
	return p.member(p.lookup(name[:i]), name[i+1:])
}

// member finds a member of a class, or of a field whose type is one.
func (p *Package) member(owner Symbol, name string) Symbol {
	c, _ := owner.(*Class)
	if f, ok := owner.(*Field); ok {
		c = p.classes[strings.TrimSuffix(f.Type, "?")]
	}
	if c == nil {
		return nil
	}
	for _, m := range c.members {
		if memberName(m) == name {
			return m
		}
	}
	return nil
}

// memberName is the last part of a name.
func memberName(s Symbol) string {
	switch s := s.(type) {
	case *Function:
		return s.Member
	case *Field:
		return s.Member
	case *Class:
		_, last, _ := splitName(cmp.Or(s.Path, s.Name))
		return last
	}
	_, last, _ := splitName(s.Head().Name)
	return last
}

// Members returns the functions, fields and tables of a class or table, in the order of the files,
// its own first, then what it inherits and does not replace. The class may be given by any of the
// names that Lookup takes.
func (p *Package) Members(class string) []Symbol {
	var out []Symbol
	seen := map[string]bool{}
	visited := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if visited[name] {
			return
		}
		visited[name] = true
		for _, owner := range p.ownerNames(name) {
			for _, m := range p.members[owner] {
				if last := memberName(m); !seen[last] {
					seen[last] = true
					out = append(out, m)
				}
			}
		}
		if c := p.owners[name]; c != nil {
			for _, parent := range c.Parents {
				visit(parent)
			}
		}
	}
	visit(dotted(class))
	return out
}

// ownerNames lists the names under which members of a class are kept.
func (p *Package) ownerNames(name string) []string {
	c := p.owners[name]
	if c == nil {
		return []string{name}
	}
	if c.Path == "" || c.Path == c.Name {
		return []string{c.Name}
	}
	return []string{c.Name, c.Path}
}

// Suggest returns up to three names that are spelled nearly like name, or that end like it, the
// best first, as scripts write them.
func (p *Package) Suggest(name string) []string {
	type guess struct {
		name string
		cost int
	}
	var guesses []guess
	name = strings.ToLower(dotted(strings.TrimSpace(name)))
	_, last, _ := splitName(name)
	if last == "" {
		return nil
	}
	for _, candidate := range p.calls() {
		key := strings.ToLower(dotted(candidate))
		_, keyLast, _ := splitName(key)
		cost := min(suggest.Distance(name, key), 1+suggest.Distance(last, keyLast))
		if key != name && cost <= 1+len(last)/3 {
			guesses = append(guesses, guess{candidate, cost})
		}
	}
	slices.SortStableFunc(guesses, func(a, b guess) int { return cmp.Compare(a.cost, b.cost) })
	var out []string
	for _, g := range guesses {
		if len(out) < 3 && !slices.Contains(out, g.name) {
			out = append(out, g.name)
		}
	}
	return out
}

// calls lists all names as scripts write them.
func (p *Package) calls() []string {
	var names []string
	for _, c := range p.Classes {
		names = append(names, c.Label)
	}
	for _, f := range p.Functions {
		names = append(names, f.Call)
	}
	for _, f := range p.Fields {
		names = append(names, f.Call)
	}
	for _, a := range p.Aliases {
		names = append(names, a.Name)
	}
	return names
}

// Undefined reports types with a dot in their name, as rws.Response, that no file declares. It is no
// error of ParseFS, so that part of a set of files can be read.
func (p *Package) Undefined() []error {
	var errs []error
	check := func(d *Doc, types ...string) {
		for _, typ := range types {
			for _, name := range typeNames(typ) {
				if _, isAlias := p.names[name].(*Alias); !isAlias && p.classes[name] == nil {
					errs = append(errs, fmt.Errorf("%s: %s: the type %s is not declared%s", d.Pos, d.Name, name, didYouMean(name, p.types())))
				}
			}
		}
	}
	for _, c := range p.Classes {
		check(&c.Doc, c.Parents...)
		check(&c.Doc, c.Calls...)
	}
	for _, f := range p.Functions {
		for _, a := range f.Params {
			check(&f.Doc, a.Type)
		}
		for _, r := range f.Returns {
			check(&f.Doc, r.Type)
		}
		check(&f.Doc, f.Generics...)
		check(&f.Doc, f.Overloads...)
	}
	for _, f := range p.Fields {
		check(&f.Doc, f.Type)
	}
	for _, a := range p.Aliases {
		check(&a.Doc, a.Type)
		for _, v := range a.Values {
			check(&a.Doc, v.Type)
		}
	}
	return errs
}

// types lists the names of all classes and aliases.
func (p *Package) types() []string {
	var names []string
	for _, c := range p.Classes {
		names = append(names, c.Name)
	}
	for _, a := range p.Aliases {
		names = append(names, a.Name)
	}
	return names
}

// typeNames lists the names with a dot in a type, leaving out strings.
func typeNames(typ string) []string {
	var names []string
	for i := 0; i < len(typ); {
		n := 0
		switch c := typ[i]; {
		case c == '"' || c == '\'' || c == '`':
			n = quoted(typ[i:])
		case isNameByte(c):
			for i+n < len(typ) && (isNameByte(typ[i+n]) || typ[i+n] == '.') {
				n++
			}
			if name := strings.TrimRight(typ[i:i+n], "."); strings.Contains(name, ".") {
				names = append(names, name)
			}
		default:
			n = 1
		}
		i += n
	}
	return names
}
