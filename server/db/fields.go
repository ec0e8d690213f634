package db

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Field is a column with its value.
type Field struct {
	Column string
	Value  any
}

// Fields makes a list of a map, sorted by column, so that the same row makes the same text.
func Fields(row map[string]any) []Field {
	out := make([]Field, 0, len(row))
	for _, name := range slices.Sorted(maps.Keys(row)) {
		out = append(out, Field{name, row[name]})
	}
	return out
}

// Inserted tells what became of an insert.
type Inserted struct {
	// ID is the value of the primary key, when that is one column; with more it is nil and Row
	// has them.
	ID any
	// Row holds the columns of the primary key, or those that were asked for; nil without any.
	Row *Record
	// Affected rows: 0 when an upsert changed nothing.
	Affected int64
}

// Insert adds a row. Of returning, "*" is all columns; without, the primary key comes back.
// MySQL returns what was asked for by reading the row again by its key.
func Insert(ctx context.Context, q Querier, table string, row []Field, returning ...string) (*Inserted, error) {
	b, err := insertText(q.Engine(), table, row)
	if err != nil {
		return nil, err
	}
	return runInsert(ctx, q, b, table, row, returning)
}

// Upsert adds a row, or changes the one that has the same values in the columns of conflict,
// which must be those of a unique index, or it is refused. update names the columns to change; without, all but
// those of conflict. MySQL ignores conflict: any unique index counts there.
func Upsert(ctx context.Context, q Querier, table string, row []Field, conflict, update []string, returning ...string) (*Inserted, error) {
	b, err := insertText(q.Engine(), table, row)
	if err != nil {
		return nil, err
	}
	if len(conflict) == 0 {
		return nil, refuse("upsert into %s needs the columns that tell whether the row exists", table)
	}
	if update == nil {
		for _, f := range row {
			if !slices.Contains(conflict, f.Column) {
				update = append(update, f.Column)
			}
		}
	}
	if b.engine == MySQL {
		if err := mustBeUnique(ctx, q, table, conflict); err != nil {
			return nil, err
		}
		b.onDuplicate(ctx, q, table, conflict, update)
	} else {
		b.onConflict(conflict, update)
	}
	in, err := runInsert(ctx, q, b, table, row, returning)
	if e, ok := errors.AsType[*Error](err); ok && e.noUniqueIndex() {
		e.Code, e.Err = CodeRefused, notUnique(table, conflict)
	}
	return in, err
}

func insertText(engine Engine, table string, row []Field) (*builder, error) {
	b := &builder{engine: engine}
	b.write("insert into ").name(table)
	if len(row) == 0 {
		if engine == MySQL {
			b.write(" () values ()")
		} else {
			b.write(" default values")
		}
		return b, b.err
	}
	b.write(" (")
	for i, f := range row {
		b.comma(i).name(f.Column)
	}
	b.write(") values (")
	for i, f := range row {
		b.comma(i).value(f.Value)
	}
	b.write(")")
	return b, b.err
}

func (b *builder) onConflict(conflict, update []string) {
	b.write(" on conflict (")
	for i, c := range conflict {
		b.comma(i).name(c)
	}
	if len(update) == 0 {
		b.write(") do nothing")
		return
	}
	b.write(") do update set ")
	for i, c := range update {
		b.comma(i).name(c).write(" = excluded.").name(c)
	}
}

// onDuplicate also makes the id of a row that is changed the last one inserted.
func (b *builder) onDuplicate(ctx context.Context, q Querier, table string, conflict, update []string) {
	b.write(" on duplicate key update ")
	n := 0
	for _, c := range update {
		b.comma(n).name(c).write(" = values(").name(c).write(")")
		n++
	}
	key, err := PrimaryKey(ctx, q, table)
	if err != nil {
		b.fail(err)
		return
	}
	if len(key) == 1 && !slices.Contains(update, key[0]) && !slices.Contains(conflict, key[0]) {
		b.comma(n).name(key[0]).write(" = last_insert_id(").name(key[0]).write(")")
		n++
	}
	if n == 0 {
		b.name(conflict[0]).write(" = ").name(conflict[0])
	}
}

func runInsert(ctx context.Context, q Querier, b *builder, table string, row []Field, returning []string) (*Inserted, error) {
	if b.err != nil {
		return nil, b.err
	}
	key, err := PrimaryKey(ctx, q, table)
	if err != nil {
		return nil, err
	}
	if q.Engine() == MySQL {
		return insertMySQL(ctx, q, b, table, row, key, returning)
	}
	columns := returning
	if len(columns) == 0 {
		columns = key
	}
	if len(columns) == 0 {
		r, err := q.Exec(ctx, b.text.String(), b.args...)
		if err != nil {
			return nil, err
		}
		return &Inserted{Affected: r.Affected}, nil
	}
	b.write(" returning ")
	for i, c := range columns {
		b.comma(i).column(c)
	}
	if b.err != nil {
		return nil, b.err
	}
	record, err := One(ctx, q, b.text.String(), b.args...)
	if err != nil {
		q.database().keys.forget() // the table may have been changed by someone else
		return nil, err
	}
	if record == nil {
		return &Inserted{}, nil
	}
	return inserted(record, key), nil
}

func inserted(record *Record, key []string) *Inserted {
	out := &Inserted{Row: record, Affected: 1}
	if len(key) == 1 {
		out.ID = record.Get(key[0])
	}
	return out
}

func insertMySQL(ctx context.Context, q Querier, b *builder, table string, row []Field, key, returning []string) (*Inserted, error) {
	r, err := q.Exec(ctx, b.text.String(), b.args...)
	if err != nil {
		return nil, err
	}
	var where []Field
	for _, k := range key {
		at := slices.IndexFunc(row, func(f Field) bool { return strings.EqualFold(f.Column, k) })
		switch {
		case at >= 0 && row[at].Value != nil:
			where = append(where, row[at])
		case r.ID != 0 && len(key) == 1:
			where = append(where, Field{k, r.ID})
		}
	}
	out := &Inserted{Affected: min(r.Affected, 1)} // a row that was changed counts as two
	if len(where) != len(key) || len(key) == 0 {
		return out, nil
	}
	if len(returning) > 0 {
		s := Select{From: table, Columns: returning, Where: []Cond{Equal(where...)}}
		if out.Row, err = s.One(ctx, q); err != nil {
			return nil, err
		}
	} else {
		out.Row = &Record{}
		for _, f := range where {
			out.Row.Columns, out.Row.Values = append(out.Row.Columns, f.Column), append(out.Row.Values, f.Value)
		}
	}
	if len(key) == 1 {
		out.ID = where[0].Value
	}
	return out, nil
}

// Update changes the rows that satisfy all conditions. Without one it refuses; [Everything]
// means all rows.
func Update(ctx context.Context, q Querier, table string, set []Field, where ...Cond) (Result, error) {
	b := &builder{engine: q.Engine()}
	if len(set) == 0 {
		return Result{}, refuse("update of %s sets no column", table)
	}
	b.write("update ").name(table).write(" set ")
	for i, f := range set {
		b.comma(i).name(f.Column).write(" = ").value(f.Value)
	}
	b.mustWhere("update of "+table, where)
	if b.err != nil {
		return Result{}, b.err
	}
	return q.Exec(ctx, b.text.String(), b.args...)
}

// Delete removes the rows that satisfy all conditions. Without one it refuses; [Everything]
// means all rows.
func Delete(ctx context.Context, q Querier, table string, where ...Cond) (Result, error) {
	b := &builder{engine: q.Engine()}
	b.write("delete from ").name(table)
	b.mustWhere("delete from "+table, where)
	if b.err != nil {
		return Result{}, b.err
	}
	return q.Exec(ctx, b.text.String(), b.args...)
}

func refuse(format string, args ...any) error {
	return &Error{Code: CodeRefused, Err: fmt.Errorf(format, args...)}
}
