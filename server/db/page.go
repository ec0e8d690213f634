package db

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Limits of a page.
const (
	DefaultPageSize = 20
	MaxPageSize     = 1000
	MaxPage         = 1_000_000_000 // its number
)

// PageOptions choose a page by its number, or by a cursor when Keys are given.
type PageOptions struct {
	Page  int  // from 1; 0 is the first
	Size  int  // rows on it, default 20, at most 1000
	Total bool // count all rows, too

	// Keys are the columns that the rows are sorted by when pages are found by cursors; the last
	// must make each row unique. With them a page takes as long however far it is, and no row is
	// missed or seen twice when others come and go. Of a query as text they are names of its
	// result, and sort it anew.
	Keys []Order
	// After is Page.Next of the page before, Before is Page.Previous of the page after; empty
	// is the first page.
	After, Before string
}

// Page is a part of the rows of a query.
type Page struct {
	*Set
	Page     int   // its number; 0 with cursors
	Size     int   // that was asked for
	More     bool  // there are rows after it
	Less     bool  // there are rows before it
	Total    int64 // of all rows; -1 when it was not asked for
	Next     string
	Previous string
}

func (o *PageOptions) check() error {
	o.Page, o.Size = orDefault(o.Page, 1), orDefault(o.Size, DefaultPageSize)
	switch {
	case o.Page < 1 || o.Page > MaxPage:
		return noPage("page %d: pages are counted from 1 to %d", o.Page, MaxPage)
	case o.Size < 1 || o.Size > MaxPageSize:
		return noPage("page size %d: it is 1 to %d", o.Size, MaxPageSize)
	case len(o.Keys) == 0 && o.After+o.Before != "":
		return noPage("a cursor needs to know the order: give the columns that the rows are sorted by")
	case o.After != "" && o.Before != "":
		return noPage("a page is after a cursor or before one, not both")
	case len(o.Keys) > 0 && o.Page > 1:
		return noPage("page %d: with cursors pages have no numbers", o.Page)
	}
	return nil
}

func noPage(format string, args ...any) error {
	return &Error{Code: CodePage, Err: fmt.Errorf(format, args...)}
}

// Page returns a page of the rows. With keys its own order is replaced by them, and the primary
// key of a single table is put behind them when it is among the columns.
func (s Select) Page(ctx context.Context, q Querier, o PageOptions) (*Page, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	var total int64 = -1
	if o.Total {
		var err error
		if total, err = s.Count(ctx, q); err != nil {
			return nil, err
		}
	}
	if len(o.Keys) == 0 {
		s.Limit, s.Offset = o.Size+1, (o.Page-1)*o.Size
		return offsetPage(ctx, q, s.SQL, o, total)
	}
	if err := s.addKey(ctx, q, &o); err != nil {
		return nil, err
	}
	c, err := newKeyset(q.Engine(), o)
	if err != nil {
		return nil, err
	}
	// The names of tables and of the result may differ; a query around it knows only the latter.
	s.Order, s.Limit, s.Offset = nil, 0, 0
	inner := func(b *builder) { s.build(b) }
	return c.page(ctx, q, inner, total)
}

// addKey makes the order of the rows definite.
func (s Select) addKey(ctx context.Context, q Querier, o *PageOptions) error {
	if len(s.Joins) > 0 || len(s.Group) > 0 || s.Distinct || aliasForm.MatchString(s.From) {
		return nil
	}
	key, err := PrimaryKey(ctx, q, s.From)
	if err != nil {
		return err
	}
	everything := len(s.Columns)+len(s.Exprs) == 0 || slices.Contains(s.Columns, "*")
	o.Keys = slices.Clone(o.Keys)
	for _, k := range key {
		there := slices.ContainsFunc(o.Keys, func(have Order) bool { return have.Column == k })
		if !there && (everything || slices.Contains(s.Columns, k)) {
			o.Keys = append(o.Keys, Order{Column: k, Desc: o.Keys[len(o.Keys)-1].Desc})
		}
	}
	return nil
}

// PageOf returns a page of the rows of a statement: a select without limit.
func PageOf(ctx context.Context, q Querier, statement string, args []any, o PageOptions) (*Page, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := pageable(q.Engine(), statement); err != nil {
		return nil, err
	}
	inner := func(b *builder) { b.raw(statement, args) }
	total, err := totalOf(ctx, q, inner, o)
	if err != nil {
		return nil, err
	}
	if len(o.Keys) > 0 {
		c, err := newKeyset(q.Engine(), o)
		if err != nil {
			return nil, err
		}
		return c.page(ctx, q, inner, total)
	}
	text := func(engine Engine) (string, []any, error) {
		b := &builder{engine: engine}
		inner(b)
		b.write("\n") // the statement may end with a comment
		b.limit(o.Size+1, (o.Page-1)*o.Size)
		return b.text.String(), b.args, b.err
	}
	return offsetPage(ctx, q, text, o, total)
}

// pageable wants a select whose end is free for a limit.
func pageable(engine Engine, statement string) error {
	l := lexer{src: statement, engine: engine}
	depth, first := 0, ""
	for t := l.next(); t.kind != kindEnd; t = l.next() {
		switch word := strings.ToLower(l.text(t)); {
		case word == "(":
			depth++
		case word == ")":
			depth--
		case t.kind != kindWord:
		case first == "":
			first = word
		case depth == 0 && slices.Contains([]string{"limit", "offset", "fetch", "for"}, word):
			return refuse("the statement has %q; pages put their own limit at its end", word)
		}
	}
	if !slices.Contains([]string{"select", "with", "values", "table"}, first) {
		return refuse("pages are made of a select, not of %q", excerpt(statement, 40))
	}
	return nil
}

func totalOf(ctx context.Context, q Querier, inner func(*builder), o PageOptions) (int64, error) {
	if !o.Total {
		return -1, nil
	}
	b := &builder{engine: q.Engine()}
	b.write("select count(*) from (")
	inner(b)
	b.write("\n) as counted")
	if b.err != nil {
		return 0, b.err
	}
	return countOf(ctx, q, b.text.String(), b.args)
}

// offsetPage asks for one row more than fits, to see whether there is one.
func offsetPage(ctx context.Context, q Querier, statement func(Engine) (string, []any, error), o PageOptions, total int64) (*Page, error) {
	text, args, err := statement(q.Engine())
	if err != nil {
		return nil, err
	}
	set, err := All(ctx, q, text, args...)
	if err != nil {
		return nil, err
	}
	p := &Page{Set: set, Page: o.Page, Size: o.Size, Total: total, Less: o.Page > 1}
	if len(set.Rows) > o.Size {
		set.Rows, p.More = set.Rows[:o.Size], true
	}
	return p, nil
}
