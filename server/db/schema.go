package db

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// TableInfo describes a table or view.
type TableInfo struct {
	Schema string // "" for the one that names without a schema are looked for in first
	Name   string
	View   bool
}

// ColumnInfo describes a column.
type ColumnInfo struct {
	Name     string
	Type     string // as the engine writes it, in lower case
	Nullable bool
	Default  string // the expression; "" without one
	Key      int    // its place in the primary key, from 1; 0 outside
}

var tableQueries = map[Engine]string{
	SQLite: `select '', name, type = 'view' from sqlite_schema
		where type in ('table', 'view') and name not like 'sqlite\_%' escape '\' order by name`,
	Postgres: `select case when table_schema = current_schema() then '' else table_schema end, table_name, table_type = 'VIEW'
		from information_schema.tables where table_schema not in ('pg_catalog', 'information_schema')
		order by table_schema <> current_schema(), table_schema, table_name`,
	MySQL: `select '', table_name, table_type like '%VIEW' from information_schema.tables where table_schema = database() order by table_name`,
}

// Tables lists tables and views, those of the system left out.
func Tables(ctx context.Context, q Querier) ([]TableInfo, error) {
	set, err := All(ctx, q, tableQueries[q.Engine()])
	if err != nil {
		return nil, err
	}
	out := make([]TableInfo, 0, len(set.Rows))
	for _, r := range set.Rows {
		out = append(out, TableInfo{Schema: text(r[0]), Name: text(r[1]), View: truth(r[2])})
	}
	return out, nil
}

var columnQueries = map[Engine]string{
	SQLite: `select name, lower(type), "notnull" = 0 and pk = 0, coalesce(dflt_value, ''), pk from pragma_table_xinfo(:table)
		where hidden <> 1 order by cid`,
	Postgres: `select a.attname, format_type(a.atttypid, a.atttypmod), not a.attnotnull,
			coalesce(pg_get_expr(d.adbin, d.adrelid), ''), coalesce(array_position(i.indkey::int2[], a.attnum) + 1, 0)
		from pg_attribute a
		left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
		left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
		where a.attrelid = to_regclass(:table) and a.attnum > 0 and not a.attisdropped order by a.attnum`,
	MySQL: `select c.column_name, c.column_type, c.is_nullable = 'YES', coalesce(c.column_default, ''), coalesce(k.ordinal_position, 0)
		from information_schema.columns c
		left join information_schema.key_column_usage k on k.table_schema = c.table_schema and k.table_name = c.table_name
			and k.column_name = c.column_name and k.constraint_name = 'PRIMARY'
		where c.table_schema = coalesce(nullif(:schema, ''), database()) and c.table_name = :table order by c.ordinal_position`,
}

// Columns lists the columns of a table in order; there are none when the table is not there.
func Columns(ctx context.Context, q Querier, table string) ([]ColumnInfo, error) {
	args, err := columnArguments(q.Engine(), table)
	if err != nil {
		return nil, err
	}
	set, err := All(ctx, q, columnQueries[q.Engine()], args)
	if err != nil {
		return nil, err
	}
	out := make([]ColumnInfo, 0, len(set.Rows))
	for _, r := range set.Rows {
		key, _ := r[4].(int64)
		if q.Engine() == MySQL && text(r[3]) == "NULL" {
			r[3] = nil // what MariaDB says of a column without a default
		}
		out = append(out, ColumnInfo{
			Name: text(r[0]), Type: strings.ToLower(text(r[1])), Nullable: truth(r[2]), Default: text(r[3]), Key: int(key),
		})
	}
	return out, nil
}

// columnArguments: Postgres finds a table by its quoted name, the others by its parts.
func columnArguments(engine Engine, table string) (Named, error) {
	quoted, err := Quote(engine, table)
	if err != nil {
		return nil, err
	}
	schema, name, ok := strings.Cut(table, ".")
	if !ok {
		schema, name = "", table
	}
	switch engine {
	case Postgres:
		return Named{"table": quoted}, nil
	case MySQL:
		return Named{"table": name, "schema": schema}, nil
	}
	return Named{"table": name}, nil
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case Blob:
		return string(v)
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}

// truth reads the booleans of engines that have none.
func truth(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case int64:
		return v != 0
	}
	return false
}

// keyCache remembers primary keys of tables.
type keyCache struct {
	mu      sync.Mutex
	byTable map[string][]string
	unique  map[string]bool // tables with columns that a unique index of MySQL is over
}

func (c *keyCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byTable, c.unique = nil, nil
}

// PrimaryKey returns the columns of the primary key of a table, none without one.
func PrimaryKey(ctx context.Context, q Querier, table string) ([]string, error) {
	c := &q.database().keys
	c.mu.Lock()
	key, ok := c.byTable[table]
	c.mu.Unlock()
	if ok {
		return key, nil
	}
	columns, err := Columns(ctx, q, table)
	if err != nil {
		return nil, err
	}
	key = keyOf(columns)
	if len(columns) == 0 {
		return nil, nil // it may be made later, by someone else
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byTable == nil || len(c.byTable) > 1000 {
		c.byTable = make(map[string][]string)
	}
	c.byTable[table] = key
	return key, nil
}

func keyOf(columns []ColumnInfo) []string {
	var key []string
	for place := 1; ; place++ {
		before := len(key)
		for _, c := range columns {
			if c.Key == place {
				key = append(key, c.Name)
			}
		}
		if len(key) == before {
			return key
		}
	}
}
