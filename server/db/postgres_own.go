package db

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
)

// ownTypes are the domains, and the arrays of types, that a database has beside the built-in ones. Arrays of
// the rows of tables are left out: there is one for each table.
const ownTypes = `select t.oid, t.typtype = 'd', case t.typtype when 'd' then t.typbasetype else t.typelem end
from pg_catalog.pg_type t left join pg_catalog.pg_type e on e.oid = t.typelem left join pg_catalog.pg_class c on c.oid = e.typrelid
where t.oid >= 16384 and (t.typtype = 'd' or t.typcategory = 'A' and e.typdelim = ',' and (c.relkind is null or c.relkind = 'c'))`

// lookUp finds the arrays whose types the driver does not know, such as those of an enum: their values are
// lists, too. A server that has no such tables is not asked again.
func (c *conn) lookUp(ctx context.Context) {
	if c.changes == nil || c.arrays != nil {
		return
	}
	inner, ok := c.driverConn.(*stdlib.Conn)
	if !ok || !takes(inner) {
		return
	}
	found, err := arraysOf(ctx, inner.Conn())
	if err != nil && ctx.Err() == nil {
		found, c.strange = map[uint32]form{}, true
	}
	c.arrays = found
}

// arraysOf are forms by the number of their type.
func arraysOf(ctx context.Context, c *pgx.Conn) (map[uint32]form, error) {
	rows, err := c.Query(ctx, ownTypes)
	if err != nil {
		return nil, err
	}
	bases, elements := map[uint32]uint32{}, map[uint32]uint32{}
	var oid, of uint32
	var domain bool
	_, err = pgx.ForEachRow(rows, []any{&oid, &domain, &of}, func() error {
		if domain {
			bases[oid] = of
		} else {
			elements[oid] = of
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make(map[uint32]form, len(elements))
	for oid, of := range elements {
		for bases[of] != 0 {
			of = bases[of]
		}
		out[oid] = formArrayOf(c.TypeMap(), of)
	}
	return out, nil
}

func formArrayOf(m *pgtype.Map, element uint32) form {
	if t, ok := m.TypeForOID(element); ok && element < firstOwnOID {
		return formPostgres("_" + strings.ToUpper(t.Name))
	}
	return formArray
}

// formOf is that of a column, of whose type the driver gives the number when it does not know it.
func (c *conn) formOf(typeName string) form {
	if oid, err := strconv.ParseUint(typeName, 10, 32); err == nil && c.engine == Postgres {
		if f, ok := c.arrays[uint32(oid)]; ok {
			return f
		}
	}
	return formOf(c.engine, typeName)
}
