package repl

import (
	"context"
	"strings"
)

// takesSQL are the methods of databases, transactions and queries whose texts are SQL, or
// names of tables and columns.
var takesSQL = map[string]bool{
	"one": true, "all": true, "value": true, "each": true, "exec": true, "page": true, "insert": true, "update": true, "delete": true,
	"upsert": true, "from": true, "columns": true, "select": true, "select_sql": true, "where": true, "or_where": true, "join": true,
	"left_join": true, "group": true, "having": true, "order": true, "order_sql": true,
}

// tablesFor returns the tables when the text ends where their names may stand. It is asked
// before the isolate is entered: a database may take its time.
func (s *Session) tablesFor(ctx context.Context, text string) []Table {
	data := s.host.Data()
	if data == nil || len(data.Databases()) == 0 {
		return nil
	}
	if !strings.HasPrefix(text, ":db ") {
		c := &completer{text: text, tokens: scan(text)}
		n := len(c.tokens) - 1
		if n < 0 || c.tokens[n].kind != tokenString || !c.tokens[n].open || !c.inSQL(n) {
			return nil
		}
	}
	tables, _ := data.Tables(ctx)
	return tables
}

// inSQL reports whether token n, a string, is given to a method that takes SQL.
func (c *completer) inSQL(n int) bool {
	before := c.back(n)
	if w := c.word(before); w == "(" || w == "," || w == "{" {
		open := before
		for open >= 0 && c.word(open) != "(" {
			if open, _ = c.opening(open); open < 0 {
				return false
			}
		}
		before = c.back(open)
	}
	return takesSQL[c.word(before)] && c.word(c.back(before)) == ":"
}

// sqlNames completes the last word of SQL with names of tables and columns.
func (c *completer) sqlNames(from int) (int, []Candidate) {
	text := c.text[from:]
	start := len(text)
	for start > 0 && isNameByte(text[start-1]) {
		start--
	}
	table, prefix := "", text[start:]
	if start > 0 && text[start-1] == '.' {
		end := start - 1
		at := end
		for at > 0 && isNameByte(text[at-1]) {
			at--
		}
		table = text[at:end]
	}
	var list []Candidate
	add := func(name, detail string) {
		if strings.HasPrefix(strings.ToLower(name), strings.ToLower(prefix)) {
			list = append(list, Candidate{name, detail})
		}
	}
	for _, t := range c.tables {
		if table == "" {
			add(t.Name, "table of "+t.Database)
		}
		if table != "" && !strings.EqualFold(table, t.Name) {
			continue
		}
		for _, col := range t.Columns {
			add(col.Name, col.Type+"  "+t.Name)
		}
	}
	return from + start, list
}

func isNameByte(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= 0x80
}
