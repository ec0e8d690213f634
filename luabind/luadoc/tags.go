package luadoc

import (
	"slices"
	"strings"
)

// editorOnly are tags that mean something to the editor only.
var editorOnly = map[string]bool{"meta": true, "diagnostic": true, "cast": true, "as": true}

var knownTags = []string{
	"alias", "async", "cast", "class", "deprecated", "diagnostic", "field", "generic", "meta", "nodiscard", "overload",
	"package", "param", "private", "protected", "return", "see", "type", "vararg",
}

// comment is the block of "---" lines before a declaration.
type comment struct {
	file *file
	text []textLine     // not yet claimed by a tag
	more func() *string // the text that an indented line goes on with

	class *openClass // the last @class
	alias *Alias     // the alias that "---|" lines belong to

	functionTag string // the first tag that only a function can have, and its line
	functionNo  int
	typ         string
	typNo       int

	documented []Param
	paramNos   []int
	returns    []Return
	generics   []string
	overloads  []string
	overloadNo int
	see        []string
	reason     string
	async      bool
	noDiscard  bool
	deprecated bool
	private    bool
}

type textLine struct {
	no   int
	text string
}

// openClass is a class whose comment is being read.
type openClass struct {
	*Class
	text []textLine
}

func (o *openClass) addText(text []textLine) {
	if o != nil {
		o.text = append(o.text, text...)
	}
}

func (c *comment) read(doc []line) {
	fence := false
	for _, ln := range doc {
		text := ln.comment[1:]
		trimmed := strings.TrimSpace(text)
		inFence := fence
		if strings.HasPrefix(trimmed, "```") {
			fence = !fence
		}
		tag, rest := cutTag(text)
		switch {
		case fence || inFence:
			c.plain(ln.no, text)
		case tag != "":
			c.more = nil
			if tag != "alias" {
				c.alias = nil
			}
			c.tag(ln.no, tag, rest)
		case strings.HasPrefix(trimmed, "|") && c.alias != nil:
			c.value(ln.no, trimmed[1:])
		case c.more != nil && strings.HasPrefix(text, "  ") && trimmed != "":
			more := c.more()
			*more = strings.TrimSpace(*more + " " + trimmed)
		default:
			c.plain(ln.no, text)
		}
	}
	if fence {
		c.file.errorf(doc[len(doc)-1].no, "a code block is not closed with ```")
	}
}

func (c *comment) plain(no int, text string) {
	c.more, c.alias = nil, nil
	c.text = append(c.text, textLine{no, text})
}

// take returns the text before a tag that claims it.
func (c *comment) take() []textLine {
	text := c.text
	c.text = nil
	return text
}

// cutTag splits "@name rest". The name is empty if there is no tag.
func cutTag(s string) (name, rest string) {
	s, ok := strings.CutPrefix(strings.TrimSpace(s), "@")
	n := 0
	for ok && n < len(s) && isNameByte(s[n]) {
		n++
	}
	return s[:n], strings.TrimSpace(s[n:])
}

func (c *comment) tag(no int, tag, rest string) {
	switch tag {
	case "class":
		c.classTag(no, rest)
	case "field":
		c.fieldTag(no, rest)
	case "alias":
		c.aliasTag(no, rest)
	case "type":
		c.typ, c.typNo = c.wholeType(no, tag, rest), no
	case "see":
		c.see = append(c.see, rest)
	case "deprecated":
		c.deprecated, c.reason = true, rest
		c.more = func() *string { return &c.reason }
	case "private", "protected", "package":
		c.private = true
	case "param", "vararg", "return", "generic", "overload", "async", "nodiscard":
		c.functionTags(no, tag, rest)
	default:
		if editorOnly[tag] {
			return
		}
		c.file.errorf(no, "unknown tag @%s%s", tag, didYouMean(tag, knownTags))
	}
}

func (c *comment) functionTags(no int, tag, rest string) {
	if c.functionTag == "" && tag != "overload" {
		c.functionTag, c.functionNo = tag, no
	}
	switch tag {
	case "param":
		c.paramTag(no, rest)
	case "vararg":
		c.paramTag(no, "... "+rest)
	case "return":
		c.returnTag(no, rest)
	case "generic":
		c.genericTag(no, rest)
	case "overload":
		typ := c.wholeType(no, tag, rest)
		if typ != "" && !strings.HasPrefix(typ, "fun(") {
			c.file.errorf(no, "@overload wants fun(…), got %q", rest)
		}
		c.overloads = append(c.overloads, typ)
		c.overloadNo = no
	case "async":
		c.async = true
		c.nothing(no, tag, rest)
	case "nodiscard":
		c.noDiscard = true
		c.nothing(no, tag, rest)
	}
}

func (c *comment) nothing(no int, tag, rest string) {
	if rest != "" {
		c.file.errorf(no, "@%s takes nothing, got %q", tag, rest)
	}
}

// wholeType reads a tag that is one type, with perhaps a '#' text.
func (c *comment) wholeType(no int, tag, rest string) string {
	typ, text, err := cutType(rest)
	if err != nil {
		c.file.errorf(no, "@%s: %w", tag, err)
		return ""
	}
	if text != "" && text[0] != '#' {
		c.file.errorf(no, "@%s: %q after the type %s: put text in a line of its own", tag, text, typ)
	}
	return typ
}

// closeClass ends the comment of the current class, if there is one.
func (c *comment) closeClass() {
	if c.class == nil {
		return
	}
	c.class.Text, c.class.Examples = c.file.markdown(c.class.text)
	c.class.Calls, c.overloads = c.overloads, nil
	c.class.See, c.see = c.see, nil
	c.class.Deprecated, c.class.Reason = c.deprecated, c.reason
	c.deprecated, c.reason = false, ""
	if c.private {
		c.file.errorf(c.class.Pos.Line, "@private belongs to a function or a field, not to a class")
	}
}

func (c *comment) classTag(no int, rest string) {
	c.closeClass()
	rest = strings.TrimSpace(strings.TrimPrefix(rest, "(exact)"))
	name, parents, _ := strings.Cut(rest, ":")
	name = strings.TrimSpace(name)
	if !isPath(name) {
		c.file.errorf(no, "@class %q: a name is letters, digits, '_' and dots", name)
	}
	cl := &Class{Doc: c.file.head(name, no, nil)}
	for parent := range strings.SplitSeq(parents, ",") {
		if parent = strings.TrimSpace(parent); parent == "" {
			continue
		}
		if union(parent) != len(parent) {
			c.file.errorf(no, "@class %s: the parent %q is no type", name, parent)
		}
		cl.Parents = append(cl.Parents, parent)
	}
	c.class = &openClass{cl, c.take()}
	c.file.linker.pkg.Classes = append(c.file.linker.pkg.Classes, cl)
}

func (c *comment) fieldTag(no int, rest string) {
	if c.class == nil {
		c.file.errorf(no, "@field outside a class: write ---@class before it")
		return
	}
	text := c.take()
	scope, after, _ := strings.Cut(rest, " ")
	hidden := slices.Contains([]string{"private", "protected", "package"}, scope)
	if hidden || scope == "public" {
		rest = strings.TrimSpace(after)
	}
	n := strings.IndexAny(rest+" ", " \t")
	if strings.HasPrefix(rest, "[") {
		n = balanced(rest)
	}
	name, optional := strings.CutSuffix(rest[:n], "?")
	if !isName(name) && !strings.HasPrefix(name, "[") {
		c.file.errorf(no, "@field: %q is no name", name)
		return
	}
	typ, doc, err := cutType(rest[n:])
	if err != nil {
		c.file.errorf(no, "@field %s: %w", name, err)
		return
	}
	if hidden {
		return
	}
	fd := &Field{Doc: c.file.head(joinName(c.class.Name, name, false), no, text), Owner: c.class.Name, Member: name, Optional: optional, Type: typ}
	fd.Text = strings.TrimSpace(fd.Text + "\n" + cutText(doc))
	c.more = func() *string { return &fd.Text }
	c.file.linker.pkg.Fields = append(c.file.linker.pkg.Fields, fd)
}

func (c *comment) aliasTag(no int, rest string) {
	name, typ, _ := strings.Cut(rest, " ")
	if !isPath(name) {
		c.file.errorf(no, "@alias: %q is no name", name)
	}
	a := &Alias{Doc: c.file.head(name, no, c.take())}
	a.See, c.see = c.see, nil
	if typ = strings.TrimSpace(typ); typ != "" {
		var text string
		var err error
		if a.Type, text, err = cutType(typ); err != nil {
			c.file.errorf(no, "@alias %s: %w", name, err)
		}
		a.Text = strings.TrimSpace(a.Text + "\n" + cutText(text))
	}
	c.alias = a
	c.file.linker.pkg.Aliases = append(c.file.linker.pkg.Aliases, a)
}

// value reads one "---|" line of an alias.
func (c *comment) value(no int, s string) {
	typ, text, err := cutType(strings.TrimLeft(s, ">+ \t"))
	if err != nil {
		c.file.errorf(no, "@alias %s: %w", c.alias.Name, err)
		return
	}
	c.alias.Values = append(c.alias.Values, Value{typ, cutText(text)})
}

func (c *comment) noFunctionTags() {
	if c.functionTag != "" {
		c.file.errorf(c.functionNo, "@%s belongs to a function, but none follows", c.functionTag)
	}
	if c.class == nil && c.overloads != nil {
		c.file.errorf(c.overloadNo, "@overload belongs to a function or a class, but none follows")
	}
}

func (c *comment) noTypeTag() {
	if c.typNo != 0 {
		c.file.errorf(c.typNo, "@type belongs to a variable or field, but none follows")
	}
}
