package luadoc

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// linker collects what the files declare and gives each function and field its owner.
type linker struct {
	pkg       *Package
	functions []pending[*Function]
	fields    []pending[*Field]
	errs      []error
}

// pending is a declaration whose owner may be declared in another file.
type pending[T any] struct {
	symbol T
	owner  string // as written: "rws.json", "app"
	class  *Class // of the local table that owner starts with
}

func (l *linker) link() {
	p := l.pkg
	byPath := map[string]*Class{}
	p.classes = map[string]*Class{}
	for _, c := range p.Classes {
		l.unique(p.classes[c.Name] == nil, c, func() *Doc { return &p.classes[c.Name].Doc })
		p.classes[c.Name] = c
		if c.Path == "" && c.variable != "" && !c.isKind() {
			c.Path = c.Name
		}
		if c.Path != "" {
			byPath[c.Path] = c
		}
	}
	for _, d := range l.fields { // a global of a class stands for it: function app:get() … end
		if c := p.classes[d.symbol.Type]; c != nil && d.owner == "" && byPath[d.symbol.Name] == nil {
			byPath[d.symbol.Name] = c
		}
	}
	for _, d := range l.functions {
		fn := d.symbol
		fn.Owner = d.ownerName(byPath)
		fn.Name = joinName(fn.Owner, fn.Member, fn.Method)
		p.Functions = append(p.Functions, fn)
	}
	for _, d := range l.fields {
		d.symbol.Owner = d.ownerName(byPath)
		d.symbol.Name = joinName(d.symbol.Owner, d.symbol.Member, false)
		p.Fields = append(p.Fields, d.symbol)
	}
	slices.SortStableFunc(p.Fields, func(a, b *Field) int { return a.Pos.compare(b.Pos) })
	p.label()
	l.index()
}

// ownerName is the full name of the class or table a declaration belongs to.
func (d pending[T]) ownerName(byPath map[string]*Class) string {
	if d.class != nil {
		_, rest, nested := strings.Cut(d.owner, ".")
		if !nested {
			return d.class.Name
		}
		return d.class.Name + "." + rest
	}
	if c := byPath[d.owner]; c != nil {
		return c.Name
	}
	return d.owner
}

func joinName(owner, member string, method bool) string {
	if owner == "" || strings.HasPrefix(member, "[") {
		return owner + member
	}
	if method {
		return owner + ":" + member
	}
	return owner + "." + member
}

// label finds out how scripts name each class, and so its functions.
func (p *Package) label() {
	globals := map[string]string{}
	for _, f := range p.Fields {
		if f.Owner == "" && globals[f.Type] == "" {
			globals[f.Type] = f.Name
		}
	}
	for _, c := range p.Classes {
		c.Label = cmp.Or(globals[c.Name], c.Path)
		if c.Label == "" && c.variable != "" {
			c.Label = strings.ToLower(c.variable[:1]) + c.variable[1:]
		}
		c.Label = cmp.Or(c.Label, c.Name)
	}
	call := func(owner, member string, method bool) string {
		if c := p.classes[owner]; c != nil {
			owner = c.Label
		}
		return joinName(owner, member, method)
	}
	for _, f := range p.Functions {
		f.Call = call(f.Owner, f.Member, f.Method)
	}
	for _, f := range p.Fields {
		f.Call = call(f.Owner, f.Member, false)
	}
}

// isKind reports whether c is a kind of value, as rws.App, and not a table, as rws.json.
func (c *Class) isKind() bool {
	last := c.Name[strings.LastIndexByte(c.Name, '.')+1:]
	return last != "" && last[0] >= 'A' && last[0] <= 'Z'
}

func (l *linker) unique(ok bool, s Symbol, other func() *Doc) {
	if !ok {
		l.errs = append(l.errs, fmt.Errorf("%s: %s is declared at %s too", s.Head().Pos, s.Head().Name, other().Pos))
	}
}

// index fills the maps that the lookups use, and finds names that are declared twice.
func (l *linker) index() {
	p := l.pkg
	p.names, p.members, p.owners = map[string]Symbol{}, map[string][]Symbol{}, map[string]*Class{}
	add := func(s Symbol) {
		key := dotted(s.Head().Name)
		l.unique(p.names[key] == nil, s, func() *Doc { return p.names[key].Head() })
		p.names[key] = s
	}
	for _, c := range p.Classes {
		p.names[c.Name] = c
		if owner, _, _ := splitName(c.Path); owner != "" {
			p.members[owner] = append(p.members[owner], c)
		}
	}
	for _, a := range p.Aliases {
		add(a)
	}
	for _, f := range p.Functions {
		add(f)
		p.members[f.Owner] = append(p.members[f.Owner], f)
	}
	for _, f := range p.Fields {
		if c := p.classes[f.Type]; c != nil && c.Path == f.Name {
			continue
		}
		add(f)
		p.members[f.Owner] = append(p.members[f.Owner], f)
	}
	for _, members := range p.members {
		slices.SortStableFunc(members, func(a, b Symbol) int { return a.Head().Pos.compare(b.Head().Pos) })
	}
	p.indexOwners()
	for _, c := range p.Classes {
		c.members = p.Members(c.Name)
	}
}

// indexOwners gives each class the names that people use for it. A better name wins; one that two
// classes could claim belongs to neither.
func (p *Package) indexOwners() {
	for _, name := range []func(*Class) string{
		func(c *Class) string { return c.Name },
		func(c *Class) string { return c.Path },
		func(c *Class) string { return c.Label },
		func(c *Class) string { return c.variable },
		func(c *Class) string { return strings.ToLower(c.Name[strings.LastIndex(c.Name, ".")+1:]) },
	} {
		level := map[string][]*Class{}
		for _, c := range p.Classes {
			key := name(c)
			if key != "" && p.owners[key] == nil && !slices.Contains(level[key], c) {
				level[key] = append(level[key], c)
			}
		}
		for key, classes := range level {
			if len(classes) == 1 {
				p.owners[key] = classes[0]
			}
		}
	}
}

func dotted(name string) string { return strings.ReplaceAll(name, ":", ".") }
