package db

import (
	"slices"
	"strings"

	"rws/server/suggest"
)

// Cond is a condition: one of [Equal], [Compare], [Raw], [And], [Or], [Not], [Everything].
type Cond struct {
	fields []Field
	op     string
	sql    string
	args   []any
	inner  []Cond
	kind   condKind
}

type condKind uint8

const (
	condNone condKind = iota
	condFields
	condCompare
	condRaw
	condAnd
	condOr
	condNot
	condAll
)

// Equal wants each column to have its value: nil is null, a [List] is one of its values.
func Equal(fields ...Field) Cond { return Cond{kind: condFields, fields: fields} }

// operators of Compare.
var operators = []string{"=", "<>", "!=", "<", "<=", ">", ">=", "like", "not like", "in", "not in"}

// Compare wants a column to stand to the value as the operator says: = <> != < <= > >= like,
// not like, in, not in. With nil, = and <> ask for null.
func Compare(column, operator string, value any) Cond {
	return Cond{kind: condCompare, op: operator, fields: []Field{{column, value}}}
}

// Raw is a piece of SQL as it is written, with ? or :name for values. Never put values, or what
// comes from outside, into the text.
func Raw(sql string, args ...any) Cond { return Cond{kind: condRaw, sql: sql, args: args} }

// And wants all of them; without any it always holds.
func And(conds ...Cond) Cond { return Cond{kind: condAnd, inner: conds} }

// Or wants one of them; without any it never holds.
func Or(conds ...Cond) Cond { return Cond{kind: condOr, inner: conds} }

// Not wants the opposite.
func Not(c Cond) Cond { return Cond{kind: condNot, inner: []Cond{c}} }

// Everything holds for all rows: an update or a delete of a whole table must say so.
func Everything() Cond { return Cond{kind: condAll} }

// where adds "where …" unless there is no condition.
func (b *builder) where(word string, conds []Cond) {
	if len(conds) == 0 {
		return
	}
	b.write(" " + word + " ")
	b.group(conds, " and ", "1 = 1")
}

// mustWhere refuses to go without a condition. One that holds for all rows by accident, such as
// an empty list of fields, or of values that a column must not have, does not count.
func (b *builder) mustWhere(what string, conds []Cond) {
	if And(conds...).always(b.engine) {
		b.fail(refuse("%s has no condition that leaves a row out: it would hit every row; if that is meant, the condition is \"all\"", what))
		return
	}
	b.where("where", conds)
}

// always says that a condition holds for every row without having said so, as Everything does.
func (c Cond) always(e Engine) bool {
	switch c.kind {
	case condFields:
		return len(c.fields) == 0
	case condCompare:
		return c.fields[0].none() && slices.Contains([]string{"<>", "!=", "not in"}, c.operator())
	case condRaw:
		return blank(e, c.sql)
	case condAnd:
		return !slices.ContainsFunc(c.inner, func(c Cond) bool { return !c.always(e) })
	case condOr:
		return slices.ContainsFunc(c.inner, func(c Cond) bool { return c.always(e) })
	case condNot:
		return c.inner[0].never(e)
	}
	return c.kind == condNone
}

// blank says that SQL has nothing but white space and comments in it.
func blank(e Engine, sql string) bool {
	l := lexer{src: sql, engine: e}
	t := l.next()
	for t.kind == kindSpace {
		t = l.next()
	}
	return t.kind == kindEnd
}

// never says that a condition holds for no row.
func (c Cond) never(e Engine) bool {
	switch c.kind {
	case condFields:
		return slices.ContainsFunc(c.fields, Field.none)
	case condCompare:
		return c.fields[0].none() && slices.Contains([]string{"=", "in"}, c.operator())
	case condAnd:
		return slices.ContainsFunc(c.inner, func(c Cond) bool { return c.never(e) })
	case condOr:
		return !slices.ContainsFunc(c.inner, func(c Cond) bool { return !c.never(e) })
	case condNot:
		return c.inner[0].always(e)
	}
	return false
}

// none says that the value is a list without values.
func (f Field) none() bool {
	list, ok := f.Value.(List)
	return ok && len(list) == 0
}

func (c Cond) operator() string { return strings.ToLower(strings.TrimSpace(c.op)) }

func (b *builder) group(conds []Cond, separator, empty string) {
	if len(conds) == 0 {
		b.write(empty)
		return
	}
	for i, c := range conds {
		if i > 0 {
			b.write(separator)
		}
		b.cond(c)
	}
}

func (b *builder) cond(c Cond) {
	switch c.kind {
	case condFields:
		b.equals(c.fields)
	case condCompare:
		b.compare(c.fields[0], c.operator())
	case condRaw:
		if blank(b.engine, c.sql) {
			b.fail(refuse("the condition %q says nothing, and would hold for every row; if that is meant, it is \"all\"", excerpt(c.sql, 60)))
			return
		}
		b.write("(").raw(c.sql, c.args).write(")")
	case condAnd:
		b.write("(")
		b.group(c.inner, " and ", "1 = 1")
		b.write(")")
	case condOr:
		b.write("(")
		b.group(c.inner, " or ", "1 = 0")
		b.write(")")
	case condNot:
		b.write("not (")
		b.cond(c.inner[0])
		b.write(")")
	case condAll:
		b.write("1 = 1")
	default:
		b.fail(refuse("a condition says nothing"))
	}
}

func (b *builder) equals(fields []Field) {
	if len(fields) == 0 {
		b.write("1 = 1")
		return
	}
	if len(fields) > 1 {
		b.write("(")
		defer b.write(")")
	}
	for i, f := range fields {
		if i > 0 {
			b.write(" and ")
		}
		b.compare(f, "=")
	}
}

func (b *builder) compare(f Field, op string) {
	if !slices.Contains(operators, op) {
		b.fail(refuse("there is no operator %q%s; there are %s", op, suggest.DidYouMean(op, operators), strings.Join(operators, " ")))
		return
	}
	list, isList := f.Value.(List)
	equal, unequal := op == "=", op == "<>" || op == "!="
	switch {
	case f.Value == nil && equal:
		b.name(f.Column).write(" is null")
	case f.Value == nil && unequal:
		b.name(f.Column).write(" is not null")
	case f.Value == nil:
		b.fail(refuse("%s %s null is never true: compare with = or <>", f.Column, op))
	case isList && (equal || op == "in"):
		b.list(f.Column, "in", "1 = 0", list)
	case isList && (unequal || op == "not in"):
		b.list(f.Column, "not in", "1 = 1", list)
	case isList || strings.HasSuffix(op, "in"):
		b.fail(refuse("%s %s: lists go with in and not in, and those with lists", f.Column, op))
	default:
		b.name(f.Column).write(" " + op + " ").value(f.Value)
	}
}

func (b *builder) list(column, op, empty string, list List) {
	if len(list) == 0 {
		b.write(empty)
		return
	}
	b.name(column).write(" " + op + " (").value(list).write(")")
}
