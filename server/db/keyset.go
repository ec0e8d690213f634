package db

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A keyset finds a page by the values that the last row before it has in the columns that the
// rows are sorted by.
type keyset struct {
	o      PageOptions
	values []any // of the cursor; nil for the first page
	back   bool  // the page before the cursor
	raw    bool  // the rows end with the values of the keys
}

func newKeyset(engine Engine, o PageOptions) (*keyset, error) {
	for _, k := range o.Keys {
		if k.Raw {
			return nil, refuse("order by the expression %q: cursors want columns of the result; give it a name there", k.Column)
		}
		if _, err := Quote(engine, k.Column); err != nil {
			return nil, err
		}
	}
	k := &keyset{o: o, back: o.Before != ""}
	if o.After+o.Before == "" {
		return k, nil
	}
	var err error
	k.values, err = readCursor(o.After+o.Before, o.Keys)
	return k, err
}

// page runs the query inside one that sorts and cuts it.
func (k *keyset) page(ctx context.Context, q Querier, inner func(*builder), total int64) (*Page, error) {
	b := &builder{engine: q.Engine()}
	b.write("select *")
	k.stored(b)
	b.write(" from (")
	inner(b)
	b.write("\n) as page")
	if k.values != nil {
		b.write(" where ")
		k.after(b)
	}
	b.order(k.orders())
	b.limit(k.o.Size+1, 0)
	if b.err != nil {
		return nil, b.err
	}
	set, err := All(ctx, q, b.text.String(), b.args...)
	if err != nil {
		return nil, k.explain(err)
	}
	p, err := k.cut(set, total)
	k.strip(set)
	return p, err
}

// explain says what a visitor made up: a cursor with other values than the columns have, or an order
// by a column that is not there.
func (k *keyset) explain(err error) error {
	e, _ := errors.AsType[*Error](err)
	switch {
	case e == nil:
		return err
	case e.Code == CodeNoColumn:
		return k.unknownColumn(e)
	case k.values != nil && (e.State == "08P01" || slices.Contains([]Code{CodeValue, CodeParameters, CodeOther}, e.Code)):
		return badCursor("its values do not fit the columns")
	}
	return err
}

// unknownColumn makes the error one of the page when it is about the order. Engines write the name in
// quotes, but for SQLite.
func (k *keyset) unknownColumn(e *Error) error {
	message := e.Err.Error()
	for _, o := range k.orders() {
		for _, form := range []string{`"%s"`, "'%s'", "`%s`", "no such column: %s"} {
			if strings.Contains(message, fmt.Sprintf(form, o.Column)) {
				return noPage("order %q: the rows have no such column", o.Column)
			}
		}
	}
	return e
}

// stored adds, for SQLite, the values of the keys as they are kept: the text in a column of times
// has many forms, comes out as a time, and is compared as the text it is. The sign takes the
// declared type away and leaves the value alone.
func (k *keyset) stored(b *builder) {
	if b.engine != SQLite {
		return
	}
	for i, o := range k.orders() {
		b.write(", +").name(o.Column).write(fmt.Sprintf(" as rws_key_%d", i))
	}
	k.raw = true
}

// strip takes away what stored has added.
func (k *keyset) strip(set *Set) {
	if !k.raw {
		return
	}
	n := len(set.Columns) - len(k.o.Keys)
	set.Columns = set.Columns[:n:n]
	for i, row := range set.Rows {
		set.Rows[i] = row[:n:n]
	}
}

// orders of the query, turned round to go back.
func (k *keyset) orders() []Order {
	out := make([]Order, len(k.o.Keys))
	for i, o := range k.o.Keys {
		_, name, _ := cutLast(o.Column)
		out[i] = Order{Column: name, Desc: o.Desc != k.back}
	}
	return out
}

// cutLast parts "table.column".
func cutLast(name string) (table, column string, ok bool) {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[:i], name[i+1:], true
	}
	return "", name, false
}

// after writes that a row comes behind the cursor:
// a > ? or a = ? and b > ? or …
func (k *keyset) after(b *builder) {
	orders := k.orders()
	b.write("(")
	for i := range orders {
		if i > 0 {
			b.write(" or ")
		}
		b.write("(")
		for j := range i {
			b.compare(Field{orders[j].Column, k.values[j]}, "=")
			b.write(" and ")
		}
		b.behind(orders[i], k.values[i])
		b.write(")")
	}
	b.write(")")
}

// behind compares one column. Null is the largest value in Postgres and the smallest elsewhere.
func (b *builder) behind(o Order, v any) {
	nullsLast := (b.engine == Postgres) != o.Desc
	switch {
	case v == nil && nullsLast:
		b.write("1 = 0")
	case v == nil:
		b.name(o.Column).write(" is not null")
	case nullsLast:
		b.write("(")
		b.beyond(o, v)
		b.write(" or ").name(o.Column).write(" is null)")
	default:
		b.beyond(o, v)
	}
}

func (b *builder) beyond(o Order, v any) {
	operator := " > "
	if o.Desc {
		operator = " < "
	}
	b.name(o.Column).write(operator).value(v)
}

// cut takes the row too many away and makes the cursors.
func (k *keyset) cut(set *Set, total int64) (*Page, error) {
	p := &Page{Set: set, Size: k.o.Size, Total: total}
	further := len(set.Rows) > k.o.Size
	if further {
		set.Rows = set.Rows[:k.o.Size]
	}
	if k.back {
		slices.Reverse(set.Rows)
		p.Less, p.More = further, true
	} else {
		p.Less, p.More = k.values != nil, further
	}
	if len(set.Rows) == 0 {
		p.Less, p.More = k.values != nil && !k.back, false
		return p, nil
	}
	var err error
	if p.More {
		if p.Next, err = k.cursor(set, set.Rows[len(set.Rows)-1]); err != nil {
			return nil, err
		}
	}
	if p.Less {
		p.Previous, err = k.cursor(set, set.Rows[0])
	}
	return p, err
}

func (k *keyset) cursor(set *Set, row []any) (string, error) {
	values := make([]any, len(k.o.Keys))
	for i, o := range k.orders() {
		at := slices.Index(set.Columns, o.Column)
		if k.raw {
			at = len(set.Columns) - len(values) + i
		}
		if at < 0 {
			return "", refuse("the rows are sorted by %q, which is not among their columns (%s)", o.Column, strings.Join(set.Columns, ", "))
		}
		values[i] = row[at]
	}
	return writeCursor(values, k.o.Keys)
}

// maxCursor is the length of a cursor that is read, in bytes.
const maxCursor = 8 << 10

// writeCursor packs values: a letter for the type and the text, each with its length before it,
// after a mark of the order they belong to.
func writeCursor(values []any, keys []Order) (string, error) {
	var b strings.Builder
	b.WriteString(orderMark(keys))
	for _, v := range values {
		s, err := pack(v)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%d:%s", len(s), s)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(b.String())), nil
}

func pack(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "n", nil
	case bool:
		return "b" + strconv.FormatBool(v), nil
	case int64:
		return "i" + strconv.FormatInt(v, 10), nil
	case float64:
		return "f" + strconv.FormatUint(math.Float64bits(v), 16), nil
	case string:
		return "s" + v, nil
	case Blob:
		return "x" + string(v), nil
	case time.Time:
		return "t" + v.UTC().Format(time.RFC3339Nano), nil
	}
	return "", refuse("rows cannot be sorted for cursors by a column of type %T", v)
}

func orderMark(keys []Order) string {
	h := fnv.New32a()
	for _, k := range keys {
		fmt.Fprintf(h, "%s %v,", k.Column, k.Desc)
	}
	return fmt.Sprintf("%08x", h.Sum32())
}

// readCursor unpacks what writeCursor made. A cursor comes from outside; its values are never
// more than parameters.
func readCursor(text string, keys []Order) ([]any, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(text) > maxCursor || len(raw) < 8 {
		return nil, badCursor("it was not made here, or was cut off")
	}
	rest := string(raw[8:])
	if string(raw[:8]) != orderMark(keys) {
		return nil, badCursor("it belongs to rows in another order")
	}
	values := make([]any, 0, len(keys))
	for len(rest) > 0 {
		size, after, ok := strings.Cut(rest, ":")
		n, err := strconv.Atoi(size)
		if !ok || err != nil || n < 1 || n > len(after) {
			return nil, badCursor("it was not made here, or was cut off")
		}
		v, err := unpack(after[:n])
		if err != nil {
			return nil, badCursor("it was not made here, or was cut off")
		}
		values, rest = append(values, v), after[n:]
	}
	if len(values) != len(keys) {
		return nil, badCursor("it was not made here, or was cut off")
	}
	return values, nil
}

func unpack(s string) (any, error) {
	text := s[1:]
	switch s[0] {
	case 'n':
		return nil, nil
	case 'b':
		return strconv.ParseBool(text)
	case 'i':
		return strconv.ParseInt(text, 10, 64)
	case 'f':
		bits, err := strconv.ParseUint(text, 16, 64)
		return math.Float64frombits(bits), err
	case 's':
		return text, nil
	case 'x':
		return Blob(text), nil
	case 't':
		return time.Parse(time.RFC3339Nano, text)
	}
	return nil, fmt.Errorf("unknown type %q", s[0])
}

func badCursor(why string) error {
	return &Error{Code: CodeCursor, Err: fmt.Errorf("the cursor cannot be used: %s", why)}
}
