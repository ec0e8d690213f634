package db

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

func notUnique(table string, columns []string) error {
	list := strings.Join(columns, ", ")
	return fmt.Errorf("upsert into %s on %s: no unique index is over just these columns, so nothing tells whether the row exists; make one: create unique index … on %s (%s)", table, list, table, list)
}

// noUniqueIndex is how SQLite and Postgres say so.
func (e *Error) noUniqueIndex() bool {
	return e.State == "42P10" || strings.HasPrefix(e.Err.Error(), "ON CONFLICT clause does not match")
}

// mustBeUnique is for MySQL, which would add the row again and again.
func mustBeUnique(ctx context.Context, q Querier, table string, columns []string) error {
	c := &q.database().keys
	want := slices.Sorted(slices.Values(columns))
	for i := range want {
		want[i] = strings.ToLower(want[i])
	}
	key := table + " " + strings.Join(want, ",")
	c.mu.Lock()
	known := c.unique[key]
	c.mu.Unlock()
	if known {
		return nil
	}
	indexes, err := uniqueIndexes(ctx, q, table)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(indexes, func(have []string) bool { return slices.Equal(have, want) }) {
		return &Error{Code: CodeRefused, Err: notUnique(table, columns)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unique == nil || len(c.unique) > 1000 {
		c.unique = make(map[string]bool)
	}
	c.unique[key] = true
	return nil
}

// uniqueIndexes are the columns of each, sorted, in lower case.
func uniqueIndexes(ctx context.Context, q Querier, table string) ([][]string, error) {
	args, err := columnArguments(MySQL, table)
	if err != nil {
		return nil, err
	}
	set, err := All(ctx, q, `select index_name, lower(column_name) from information_schema.statistics
		where table_schema = coalesce(nullif(:schema, ''), database()) and table_name = :table and non_unique = 0
		order by index_name, lower(column_name)`, args)
	if err != nil {
		return nil, err
	}
	var out [][]string
	last := ""
	for i, r := range set.Rows {
		if name := text(r[0]); i == 0 || name != last {
			out, last = append(out, nil), name
		}
		out[len(out)-1] = append(out[len(out)-1], text(r[1]))
	}
	return out, nil
}
