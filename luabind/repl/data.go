package repl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rws/server/suggest"
)

// Data are the databases of an app.
type Data interface {
	// Databases returns the names by which Query finds them, with what they are for people.
	Databases() []Database
	// Tables lists the tables of all that answer; the error is of one that does not.
	Tables(ctx context.Context) ([]Table, error)
	// Query runs one statement. readOnly has the database refuse what writes.
	Query(ctx context.Context, database, statement string, readOnly bool) (*Rows, error)
}

// A Database is one of them.
type Database struct{ Name, Label string }

// A Table is a table or view of a database.
type Table struct {
	Database string
	Name     string
	View     bool
	Columns  []Column
}

// A Column is one of a table.
type Column struct {
	Name     string
	Type     string
	Nullable bool
	Key      bool
}

// Rows are what a statement gave: columns with rows, or the number of rows that it changed.
type Rows struct {
	Columns  []string
	Lines    [][]string
	Numbers  []bool // columns that are aligned to the right
	More     bool   // there are other rows
	Affected int64
}

// db lists tables, or runs a statement: ":db", ":db NAME", ":db select …", ":db NAME select …".
func (s *Session) db(ctx context.Context, arg string) (Result, error) {
	data := s.host.Data()
	if data == nil || len(data.Databases()) == 0 {
		return Result{}, errors.New(`the app opens no database: local db = app:db("sqlite:app.db")`)
	}
	list := data.Databases()
	first, rest, _ := strings.Cut(arg, " ")
	if i := slices.IndexFunc(list, func(d Database) bool { return d.Name == first }); i >= 0 {
		list, arg = list[i:i+1], strings.TrimSpace(rest)
	}
	if arg == "" {
		return s.tables(ctx, data, list)
	}
	if !strings.Contains(arg, " ") {
		return s.table(ctx, data, list, arg)
	}
	if len(list) > 1 {
		return Result{}, fmt.Errorf("which database? write :db %s %s", list[0].Name, arg)
	}
	rows, err := data.Query(ctx, list[0].Name, arg, s.options.ReadOnly)
	if err != nil {
		return Result{}, err
	}
	return Result{Text: s.rowsText(rows)}, nil
}

// rowsText prints rows as an aligned table.
func (s *Session) rowsText(r *Rows) string {
	if len(r.Columns) == 0 {
		return s.style.paint(dim, plural(int(r.Affected), "row")+" changed") + "\n"
	}
	if len(r.Lines) == 0 {
		return s.style.paint(dim, "no rows") + "\n"
	}
	count := plural(len(r.Lines), "row")
	if r.More {
		count = "the first " + count
	}
	for _, line := range r.Lines {
		for i, cell := range line {
			line[i] = cutText(strings.Join(strings.Fields(cell), " "), maxCell)
		}
	}
	return s.columns(r.Columns, r.Lines, r.Numbers) + s.style.paint(dim, "("+count+")") + "\n"
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// tables lists what some databases hold.
func (s *Session) tables(ctx context.Context, data Data, list []Database) (Result, error) {
	tables, err := data.Tables(ctx)
	var text strings.Builder
	for _, d := range list {
		text.WriteString(s.style.paint(bold, d.Name) + "  " + s.style.paint(dim, d.Label) + "\n")
		var lines [][]string
		for _, t := range tables {
			if t.Database == d.Name {
				lines = append(lines, []string{t.Name, t.columnNames()})
			}
		}
		if len(lines) > 0 {
			text.WriteString(s.columns([]string{"table", "columns"}, lines, nil))
		}
	}
	return Result{Text: text.String()}, err
}

func (t Table) columnNames() string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return cutText(strings.Join(names, " "), 100)
}

// table lists the columns of one table.
func (s *Session) table(ctx context.Context, data Data, list []Database, name string) (Result, error) {
	tables, err := data.Tables(ctx)
	var names []string
	for _, t := range tables {
		if !slices.ContainsFunc(list, func(d Database) bool { return d.Name == t.Database }) {
			continue
		}
		if t.Name == name {
			return Result{Text: s.columnsText(t)}, nil
		}
		names = append(names, t.Name)
	}
	if err != nil {
		return Result{}, err
	}
	return Result{}, fmt.Errorf("there is no table or database %q%s", name, suggest.DidYouMean(name, names))
}

func (s *Session) columnsText(t Table) string {
	var lines [][]string
	for _, c := range t.Columns {
		var notes []string
		if c.Key {
			notes = append(notes, "key")
		}
		if !c.Nullable {
			notes = append(notes, "not null")
		}
		lines = append(lines, []string{c.Name, c.Type, strings.Join(notes, ", ")})
	}
	return s.columns([]string{"column", "type", "notes"}, lines, nil)
}
