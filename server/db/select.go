package db

import (
	"context"
	"regexp"
	"slices"
	"strings"
)

// Select is a query as data. Names are checked and put in quotes, values are parameters; what
// is called SQL is taken as it is written.
type Select struct {
	From    string // a table, or "table as alias"
	Columns []string
	// Exprs are further columns as SQL, as in "count(*) as n".
	Exprs    []Fragment
	Distinct bool
	Joins    []Join
	Where    []Cond // all must hold
	Group    []string
	Having   []Cond
	Order    []Order
	Limit    int // 0 without
	Offset   int
	// ForUpdate locks the rows until the transaction ends; SQLite, which locks as a whole, needs
	// and gets nothing.
	ForUpdate bool
}

// Fragment is a piece of SQL with ? or :name for its values.
type Fragment struct {
	SQL  string
	Args []any
}

// Join is a further table.
type Join struct {
	Kind  string // "inner" (default), "left", "right", "full", "cross"
	Table string // or "table as alias"
	On    []Cond
}

// Order is a column to sort by, or with Raw an expression.
type Order struct {
	Column string
	Desc   bool
	Raw    bool
}

var orderForm = regexp.MustCompile(`^(?i)\s*([^\s,]+)(?:\s+(asc|desc))?\s*$`)

// ParseOrder reads "name" or "created_at desc, id".
func ParseOrder(text string) ([]Order, error) {
	var out []Order
	for _, part := range strings.Split(text, ",") {
		m := orderForm.FindStringSubmatch(part)
		if m == nil {
			return nil, refuse("order %q cannot be read: write columns with commas between them, each with asc or desc after it or nothing", part)
		}
		if _, err := Quote(SQLite, m[1]); err != nil {
			return nil, err
		}
		out = append(out, Order{Column: m[1], Desc: strings.EqualFold(m[2], "desc")})
	}
	return out, nil
}

// SQL returns the statement for an engine, with ? for its arguments.
func (s Select) SQL(engine Engine) (string, []any, error) {
	b := &builder{engine: engine}
	s.build(b)
	return b.text.String(), b.args, b.err
}

func (s Select) build(b *builder) {
	b.write("select ")
	if s.Distinct {
		b.write("distinct ")
	}
	s.columns(b)
	b.write(" from ").table(s.From)
	s.tail(b)
	b.order(s.Order)
	b.limit(s.Limit, s.Offset)
	if s.ForUpdate && b.engine != SQLite {
		b.write(" for update")
	}
}

// tail is what selecting and counting share.
func (s Select) tail(b *builder) {
	for _, j := range s.Joins {
		j.build(b)
	}
	b.where("where", s.Where)
	for i, g := range s.Group {
		if i == 0 {
			b.write(" group by ")
		}
		b.comma(i).name(g)
	}
	b.where("having", s.Having)
}

func (s Select) columns(b *builder) {
	if len(s.Columns) == 0 && len(s.Exprs) == 0 {
		b.write("*")
	}
	for i, c := range s.Columns {
		b.comma(i).aliased(c)
	}
	for i, e := range s.Exprs {
		b.comma(i+len(s.Columns)).raw(e.SQL, e.Args)
	}
}

var aliasForm = regexp.MustCompile(`(?i)^\s*(.+?)\s+as\s+(\S+)\s*$`)

// aliased adds a column, perhaps "column as name".
func (b *builder) aliased(text string) *builder {
	if m := aliasForm.FindStringSubmatch(text); m != nil {
		return b.column(m[1]).write(" as ").name(m[2])
	}
	return b.column(text)
}

func (b *builder) table(text string) *builder {
	if text == "" {
		b.fail(refuse("the query names no table"))
		return b
	}
	if m := aliasForm.FindStringSubmatch(text); m != nil {
		return b.name(m[1]).write(" as ").name(m[2])
	}
	return b.name(text)
}

func (j Join) build(b *builder) {
	kind := strings.ToLower(j.Kind)
	if kind == "" {
		kind = "inner"
	}
	if !slices.Contains([]string{"inner", "left", "right", "full", "cross"}, kind) {
		b.fail(refuse("there is no join %q; there are inner, left, right, full, cross", j.Kind))
		return
	}
	if (kind == "cross") != (len(j.On) == 0) {
		b.fail(refuse("%s join of %s: all joins but cross have a condition", kind, j.Table))
		return
	}
	b.write(" " + kind + " join ").table(j.Table)
	b.where("on", j.On)
}

func (b *builder) order(orders []Order) {
	for i, o := range orders {
		if i == 0 {
			b.write(" order by ")
		}
		b.comma(i)
		if o.Raw {
			b.raw(o.Column, nil)
		} else {
			b.name(o.Column)
		}
		if o.Desc {
			b.write(" desc")
		}
	}
}

func (b *builder) limit(limit, offset int) {
	if limit < 0 || offset < 0 {
		b.fail(refuse("limit %d offset %d: they cannot be negative", limit, offset))
		return
	}
	if limit > 0 {
		b.write(" limit ").value(limit)
	}
	if offset == 0 {
		return
	}
	if limit == 0 && b.engine == SQLite {
		b.write(" limit -1")
	}
	if limit == 0 && b.engine == MySQL {
		b.write(" limit 18446744073709551615")
	}
	b.write(" offset ").value(offset)
}

// Query runs it.
func (s Select) Query(ctx context.Context, q Querier) (*Rows, error) {
	text, args, err := s.SQL(q.Engine())
	if err != nil {
		return nil, err
	}
	return q.Query(ctx, text, args...)
}

// Each is [Each] of it.
func (s Select) Each(ctx context.Context, q Querier) (*Rows, error) {
	text, args, err := s.SQL(q.Engine())
	if err != nil {
		return nil, err
	}
	return Each(ctx, q, text, args...)
}

// All returns all its rows.
func (s Select) All(ctx context.Context, q Querier) (*Set, error) {
	rows, err := s.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	return rows.all()
}

// One returns its first row, or nil.
func (s Select) One(ctx context.Context, q Querier) (*Record, error) {
	s.Limit = 1
	text, args, err := s.SQL(q.Engine())
	if err != nil {
		return nil, err
	}
	return One(ctx, q, text, args...)
}

// Count returns how many rows it has, without limit and offset.
func (s Select) Count(ctx context.Context, q Querier) (int64, error) {
	s.Order, s.Limit, s.Offset, s.ForUpdate = nil, 0, 0, false
	b := &builder{engine: q.Engine()}
	if len(s.Group) > 0 || s.Distinct || len(s.Having) > 0 {
		b.write("select count(*) from (")
		s.build(b)
		b.write(") as counted")
	} else {
		b.write("select count(*) from ").table(s.From)
		s.tail(b)
	}
	if b.err != nil {
		return 0, b.err
	}
	return countOf(ctx, q, b.text.String(), b.args)
}

func countOf(ctx context.Context, q Querier, text string, args []any) (int64, error) {
	v, _, err := Value(ctx, q, text, args...)
	n, _ := v.(int64)
	return n, err
}

// Update changes the rows of the query; joins, groups and limits have no place in it.
func (s Select) Update(ctx context.Context, q Querier, set []Field) (Result, error) {
	if err := s.plain("update"); err != nil {
		return Result{}, err
	}
	return Update(ctx, q, s.From, set, s.Where...)
}

// Delete removes the rows of the query; joins, groups and limits have no place in it.
func (s Select) Delete(ctx context.Context, q Querier) (Result, error) {
	if err := s.plain("delete"); err != nil {
		return Result{}, err
	}
	return Delete(ctx, q, s.From, s.Where...)
}

func (s Select) plain(what string) error {
	if len(s.Joins) > 0 || len(s.Group) > 0 || len(s.Having) > 0 || s.Limit > 0 || s.Offset > 0 || s.Distinct {
		return refuse("%s of %s: only conditions choose the rows, not joins, groups, distinct, limit or offset", what, s.From)
	}
	return nil
}
