package luadoc

import "strings"

// Signature returns the first line of help on a name: "app:get(path, options?): rws.Route".
func Signature(s Symbol) string {
	switch s := s.(type) {
	case *Function:
		return s.Call + arguments(s)
	case *Field:
		return s.Call + optionalMark(s.Optional) + ": " + s.Type
	case *Alias:
		if s.Type == "" {
			return s.Name
		}
		return s.Name + " = " + s.Type
	case *Class:
		return classLine(s)
	}
	return s.Head().Name
}

// arguments is what follows the name in the signature of a function.
func arguments(f *Function) string {
	return "(" + strings.Join(paramNames(f.Params), ", ") + ")" + results(f.Returns)
}

func classLine(c *Class) string {
	line := c.Name
	if len(c.Parents) > 0 {
		line += ": " + strings.Join(c.Parents, ", ")
	}
	if c.Label != c.Name {
		line += " (" + c.Label + ")"
	}
	return line
}

func paramNames(params []Param) []string {
	var names []string
	for _, p := range params {
		names = append(names, p.Name+optionalMark(p.Optional))
	}
	return names
}

func optionalMark(optional bool) string {
	if optional {
		return "?"
	}
	return ""
}

func results(returns []Return) string {
	var types []string
	for _, r := range returns {
		types = append(types, r.Type)
	}
	if len(types) == 0 {
		return ""
	}
	return ": " + strings.Join(types, ", ")
}

// waits is what help says of a function marked with @async.
const waits = "waits: other requests run meanwhile"

// notes are the short remarks on a name.
func notes(s Symbol) []string {
	var out []string
	d := s.Head()
	if d.Deprecated {
		out = append(out, strings.TrimSuffix("deprecated: "+d.Reason, ": "))
	}
	if f, ok := s.(*Function); ok {
		if f.Async {
			out = append(out, waits)
		}
		if f.NoDiscard {
			out = append(out, "use the result: it has no other effect")
		}
	}
	return out
}

// entry is one row of a table: a parameter, a result, a member.
type entry struct{ name, typ, text string }

// section is a titled table.
type section struct {
	title string
	rows  []entry
}

// sections lists the tables of a name, without empty ones.
func sections(s Symbol) []section {
	var all []section
	add := func(title string, rows []entry) {
		if len(rows) > 0 {
			all = append(all, section{title, rows})
		}
	}
	switch s := s.(type) {
	case *Function:
		add("Parameters", paramRows(s.Params))
		add("Returns", returnRows(s.Returns))
		add("Also", callRows(s.Call, s.Overloads))
		add("Generic", genericRows(s.Generics))
	case *Alias:
		add("Values", valueRows(s.Values))
	case *Class:
		add("Call", callRows(s.Label, s.Calls))
		fields, functions := memberRows(s)
		add("Fields", fields)
		add("Functions", functions)
	}
	return all
}

func paramRows(params []Param) (rows []entry) {
	for _, p := range params {
		rows = append(rows, entry{p.Name + optionalMark(p.Optional), p.Type, p.Text})
	}
	return rows
}

func returnRows(returns []Return) (rows []entry) {
	for _, r := range returns {
		rows = append(rows, entry{r.Name, r.Type, r.Text})
	}
	return rows
}

func valueRows(values []Value) (rows []entry) {
	for _, v := range values {
		rows = append(rows, entry{v.Type, "", v.Text})
	}
	return rows
}

func genericRows(generics []string) (rows []entry) {
	for _, g := range generics {
		rows = append(rows, entry{g, "", ""})
	}
	return rows
}

// callRows shows "fun(a): b" as "app:get(a): b".
func callRows(call string, overloads []string) (rows []entry) {
	for _, o := range overloads {
		args := strings.TrimPrefix(o, "fun(")
		if strings.Contains(call, ":") { // the colon passes self
			if rest, ok := strings.CutPrefix(args, "self"); ok {
				args = strings.TrimLeft(rest, ", ")
			}
		}
		rows = append(rows, entry{call + "(" + args, "", ""})
	}
	return rows
}

// memberRows lists the members of a class under its own label, inherited ones too.
func memberRows(c *Class) (fields, functions []entry) {
	for _, m := range c.members {
		switch m := m.(type) {
		case *Field:
			fields = append(fields, entry{m.Member + optionalMark(m.Optional), m.Type, fieldText(m.Text)})
		case *Function:
			functions = append(functions, entry{joinName(c.Label, m.Member, m.Method) + arguments(m), "", firstSentence(m.Text)})
		case *Class:
			fields = append(fields, entry{memberName(m), "table", firstSentence(m.Text)})
		}
	}
	return fields, functions
}

// fieldText is the whole of what is said of a field, on one line: there is no other place to look for it.
func fieldText(text string) string { return strings.Join(strings.Fields(prose(text)), " ") }

// firstSentence returns the beginning of a text, on one line.
func firstSentence(text string) string {
	first, _, _ := strings.Cut(prose(text), "\n\n")
	first = strings.Join(strings.Fields(first), " ")
	if i := strings.Index(first, ". "); i >= 0 {
		return first[:i+1]
	}
	return first
}
