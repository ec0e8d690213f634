package luabind

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"rws/server/db"
)

// A Table is a table of one of the program's databases.
type Table struct {
	Database string
	Name     string
	View     bool
	Columns  []db.ColumnInfo
}

// Tables lists the tables of the databases that answer. The error is of those that don't.
func (p *Program) Tables(ctx context.Context) ([]Table, error) {
	var list []Table
	var failed error
	for _, s := range p.reachable() {
		tables, err := tablesOf(ctx, s)
		if err != nil {
			failed = err
		}
		list = append(list, tables...)
	}
	return list, failed
}

// reachable are the databases that can be asked.
func (p *Program) reachable() []*source {
	p.databases.mu.Lock()
	defer p.databases.mu.Unlock()
	var list []*source
	for _, s := range p.databases.list {
		if s.pool != nil {
			list = append(list, s)
		}
	}
	return list
}

func tablesOf(ctx context.Context, s *source) ([]Table, error) {
	infos, err := db.Tables(ctx, s.pool.DB)
	if err != nil {
		return nil, err
	}
	var list []Table
	for _, info := range infos {
		name := info.Name
		if info.Schema != "" {
			name = info.Schema + "." + name
		}
		columns, err := db.Columns(ctx, s.pool.DB, name)
		if err != nil {
			return list, err
		}
		list = append(list, Table{Database: s.name, Name: name, View: info.View, Columns: columns})
	}
	return list, nil
}

// A Result is what a statement gave, as text.
type Result struct {
	Columns  []string
	Rows     [][]string
	More     bool   // there are others
	Affected int64  // without columns
	Numbers  []bool // which columns hold numbers only
}

// readers are the first words of statements that have rows.
var readers = map[string]bool{"select": true, "with": true, "values": true, "explain": true, "pragma": true, "show": true, "table": true, "describe": true}

// Query runs a statement for a console and returns at most limit of its rows. readOnly has the
// engine refuse what writes.
func (p *Program) Query(ctx context.Context, database, statement string, readOnly bool, limit int) (*Result, error) {
	s, err := p.source(database)
	if err != nil {
		return nil, err
	}
	if s.pool == nil {
		return nil, s.refused
	}
	word, _, _ := strings.Cut(strings.TrimSpace(statement), " ")
	if !readOnly && !readers[strings.ToLower(word)] && !strings.Contains(strings.ToLower(statement), "returning") {
		r, err := s.pool.Exec(ctx, statement)
		return &Result{Affected: r.Affected}, err
	}
	if !readOnly {
		return resultOf(ctx, s.pool.DB, statement, limit)
	}
	var out *Result
	err = db.InTx(ctx, s.pool.DB, db.TxOptions{ReadOnly: true}, func(tx *db.Tx) (err error) {
		out, err = resultOf(ctx, tx, statement, limit)
		return err
	})
	return out, err
}

func resultOf(ctx context.Context, q db.Querier, statement string, limit int) (*Result, error) {
	rows, err := q.Query(ctx, statement)
	if err != nil {
		return nil, err
	}
	r := &Result{Columns: rows.Columns(), Numbers: make([]bool, len(rows.Columns()))}
	for i := range r.Numbers {
		r.Numbers[i] = true
	}
	for rows.Next() {
		if len(r.Rows) == limit {
			r.More = true
			break
		}
		r.add(rows.Values())
	}
	return r, rows.Close()
}

func (r *Result) add(values []any) {
	line := make([]string, len(values))
	for i, v := range values {
		line[i] = cellOf(v)
		switch v.(type) {
		case int64, float64, nil:
		default:
			r.Numbers[i] = false
		}
	}
	r.Rows = append(r.Rows, line)
}

// cellOf writes a value for people.
func cellOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case time.Time:
		return v.UTC().Format(textLayout)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case db.Blob:
		if len(v) > 16 {
			return fmt.Sprintf("x'%x…' (%d bytes)", []byte(v[:16]), len(v))
		}
		return fmt.Sprintf("x'%x'", []byte(v))
	}
	return fmt.Sprint(v)
}
