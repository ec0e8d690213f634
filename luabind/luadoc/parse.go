package luadoc

import (
	"fmt"
	"strings"
)

// file parses one file. Names are resolved later, by the linker, when all files are read.
type file struct {
	path   string
	meta   bool
	lines  []line
	linker *linker
	locals map[string]*Class // local tables; nil for one that is no class
	errs   []error
}

func parseFile(l *linker, path, src string) []error {
	f := &file{path: path, linker: l, lines: scan(src), locals: map[string]*Class{}}
	if len(f.lines) > 0 && f.lines[0].doc {
		tag, _ := cutTag(f.lines[0].comment[1:])
		f.meta = tag == "meta"
	}
	var doc []line
	for i, ln := range f.lines {
		f.checkTrailing(ln)
		switch {
		case ln.doc:
			doc = append(doc, ln)
		case strings.TrimSpace(ln.code) != "":
			d := declare(f.lines, i)
			f.block(doc, d, ln.outer)
			doc = nil
		case ln.comment == "": // an empty line ends a comment
			f.block(doc, declaration{}, true)
			doc = nil
		}
	}
	f.block(doc, declaration{}, true)
	return f.errs
}

// checkTrailing refuses a tag after code: it would be read by the editor and by nobody else.
func (f *file) checkTrailing(ln line) {
	if ln.doc || !strings.HasPrefix(ln.comment, "-") {
		return
	}
	tag, _ := cutTag(ln.comment[1:])
	if tag != "" && !editorOnly[tag] {
		f.errorf(ln.no, "@%s after code: write it on the line before", tag)
	}
}

func (f *file) errorf(no int, format string, args ...any) {
	f.errs = append(f.errs, fmt.Errorf("%s:%d: %w", f.path, no, fmt.Errorf(format, args...)))
}

// block handles the comment before a declaration, which may be none.
func (f *file) block(doc []line, d declaration, outer bool) {
	c := &comment{file: f}
	c.read(doc)
	switch {
	case d.function:
		f.function(c, d, outer)
	case d.name != "":
		c.noFunctionTags()
		f.table(c, d, outer)
	default:
		c.noFunctionTags()
		c.noTypeTag()
		c.class.addText(c.text)
		c.closeClass()
	}
}

func (f *file) head(name string, no int, text []textLine) Doc {
	d := Doc{Name: name, Pos: Pos{f.path, no}, Meta: f.meta}
	d.Text, d.Examples = f.markdown(text)
	return d
}

// function adds the function d, unless it is private.
func (f *file) function(c *comment, d declaration, outer bool) {
	c.noTypeTag()
	params := c.params(d)
	if c.class != nil {
		f.errorf(d.no, "function %s follows ---@class %s: put an empty line between them", d.name, c.class.Name)
	}
	if !outer || d.local || d.name == "" || c.private {
		return
	}
	owner, member, method := splitName(d.name)
	class, known := f.locals[firstPart(owner)]
	if known && class == nil {
		if f.meta {
			f.errorf(d.no, "function %s belongs to a local table: write ---@class before that table's declaration", d.name)
		}
		return
	}
	if strings.HasPrefix(member, "_") {
		return
	}
	fn := &Function{
		Doc: f.head(d.name, d.no, c.text), Member: member, Method: method, Params: params,
		Returns: c.returns, Generics: c.generics, Overloads: c.overloads, Async: c.async, NoDiscard: c.noDiscard,
	}
	fn.See, fn.Deprecated, fn.Reason = c.see, c.deprecated, c.reason
	f.linker.functions = append(f.linker.functions, pending[*Function]{fn, owner, class})
}

// table adds what an assignment declares: a class, a table of functions, a field or a variable.
func (f *file) table(c *comment, d declaration, outer bool) {
	if c.class != nil {
		c.class.addText(c.text)
		c.closeClass()
		if d.local {
			c.class.Class.variable = d.name
			f.locals[d.name] = c.class.Class
		} else if outer {
			c.class.Class.Path = d.name
		}
		return
	}
	if d.local && outer {
		f.locals[d.name] = nil
	}
	if d.local || !outer || c.private {
		return
	}
	doc := f.head(d.name, d.no, c.text)
	doc.See, doc.Deprecated, doc.Reason = c.see, c.deprecated, c.reason
	owner, member, _ := splitName(d.name)
	class, known := f.locals[firstPart(owner)]
	if known && class == nil || strings.HasPrefix(member, "_") {
		return
	}
	if c.typ == "" && isTable(d.value) && class == nil {
		f.linker.pkg.Classes = append(f.linker.pkg.Classes, &Class{Doc: doc, Path: d.name})
		return
	}
	if c.typ == "" && owner == "" && doc.Text == "" {
		return // an implementation's variable
	}
	typ := c.typ
	if typ == "" {
		typ = typeOf(d.value)
	}
	f.linker.fields = append(f.linker.fields, pending[*Field]{&Field{Doc: doc, Member: member, Type: typ}, owner, class})
}

func isTable(value string) bool {
	return strings.HasPrefix(value, "{") || strings.HasSuffix(value, "or {}")
}

// typeOf guesses the type of a field from the literal it is assigned.
func typeOf(value string) string {
	switch {
	case value == "":
		return "any"
	case value == "true" || value == "false":
		return "boolean"
	case strings.ContainsRune(`"'`, rune(value[0])):
		return "string"
	case value[0] >= '0' && value[0] <= '9':
		return "number"
	case isTable(value):
		return "table"
	}
	return "any"
}

// splitName splits "a.b:c" into "a.b" and "c", and reports whether the separator is a colon.
func splitName(name string) (owner, member string, method bool) {
	i := strings.LastIndexAny(name, ".:")
	if i < 0 {
		return "", name, false
	}
	return name[:i], name[i+1:], name[i] == ':'
}

func firstPart(name string) string {
	first, _, _ := strings.Cut(name, ".")
	return first
}
