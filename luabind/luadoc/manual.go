package luadoc

import (
	"fmt"
	"slices"
	"strings"
)

// Markdown renders the whole package as one page of the manual: the classes and tables by name,
// each with its fields and functions, then global functions and variables, then aliases.
func Markdown(p *Package) string {
	var b strings.Builder
	classes := slices.Clone(p.Classes)
	slices.SortStableFunc(classes, func(a, b *Class) int { return strings.Compare(a.Name, b.Name) })
	for _, c := range classes {
		chapter(&b, c.Name, c)
		own(&b, p.members[c.Name])
		if c.Path != "" && c.Path != c.Name {
			own(&b, p.members[c.Path])
		}
	}
	for _, owner := range p.strays() {
		title := owner
		if owner == "" {
			title = "Globals"
		}
		fmt.Fprintf(&b, "## %s\n\n", title)
		own(&b, p.members[owner])
	}
	for _, a := range p.Aliases {
		chapter(&b, a.Name, a)
	}
	return b.String()
}

// strays lists the owners that no class stands for: global tables without a declaration, and ""
// for globals.
func (p *Package) strays() []string {
	var owners []string
	for owner, members := range p.members {
		isNoTable := func(s Symbol) bool { _, ok := s.(*Class); return !ok }
		if p.owners[owner] == nil && slices.ContainsFunc(members, isNoTable) {
			owners = append(owners, owner)
		}
	}
	slices.Sort(owners)
	return owners
}

// own writes the fields as a list and each function with a heading of its own.
func own(b *strings.Builder, members []Symbol) {
	var fields []*Field
	for _, m := range members {
		if f, ok := m.(*Field); ok {
			fields = append(fields, f)
		}
	}
	for _, f := range fields {
		item(b, entry{f.Call + optionalMark(f.Optional), f.Type, f.Text})
	}
	if len(fields) > 0 {
		b.WriteString("\n")
	}
	for _, m := range members {
		if f, ok := m.(*Function); ok {
			fmt.Fprintf(b, "### `%s`\n\n", Signature(f))
			body(b, f)
		}
	}
}

func chapter(b *strings.Builder, title string, s Symbol) {
	fmt.Fprintf(b, "## %s\n\n", title)
	if line := Signature(s); line != title {
		fmt.Fprintf(b, "`%s`\n\n", line)
	}
	body(b, s)
}

func body(b *strings.Builder, s Symbol) {
	for _, note := range notes(s) {
		fmt.Fprintf(b, "*%s*\n\n", note)
	}
	d := s.Head()
	if d.Text != "" {
		b.WriteString(d.Text + "\n\n")
	}
	for _, sec := range sections(s) {
		if _, isClass := s.(*Class); isClass && sec.title != "Call" {
			continue // its members follow at full length
		}
		fmt.Fprintf(b, "%s:\n\n", sec.title)
		for _, row := range sec.rows {
			item(b, row)
		}
		b.WriteString("\n")
	}
	if len(d.See) > 0 {
		fmt.Fprintf(b, "See %s.\n\n", strings.Join(d.See, ", "))
	}
}

// item writes one row as a list item; lines of its text stay inside it.
func item(b *strings.Builder, e entry) {
	b.WriteString("-")
	if e.name != "" {
		b.WriteString(" `" + e.name + "`")
	}
	if e.typ != "" {
		b.WriteString(" `" + e.typ + "`")
	}
	if e.text != "" {
		b.WriteString(": " + strings.ReplaceAll(e.text, "\n", "\n  "))
	}
	b.WriteString("\n")
}
