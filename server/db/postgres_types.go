package db

import (
	"context"
	"errors"
	"math"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// firstOwnOID is where types begin that are not built in.
	firstOwnOID = 16384
	// unknownName is the type that the driver takes for values of this package when it does not know
	// that of the parameter.
	unknownName = "rws.unknown"
	unknownOID  = math.MaxUint32
)

// moreArrays are built-in types that the driver does not know.
var moreArrays = map[string]uint32{
	"_macaddr8": 775, "_money": 791, "_pg_lsn": 3221, "_regclass": 2210, "_regtype": 2211, "_timetz": timetzArrayOID, "_tsquery": 3645,
}

// builtInTypes are those that each connection knows in another way than the driver does by itself.
var builtInTypes = sync.OnceValue(func() []*pgtype.Type {
	timetz := &pgtype.Type{Name: "timetz", OID: pgtype.TimetzOID, Codec: timetzCodec{}}
	types := []*pgtype.Type{timetz, {Name: "bytea", OID: pgtype.ByteaOID, Codec: byteaCodec{}}}
	for name, oid := range moreArrays {
		of := &pgtype.Type{Name: name[1:], Codec: pgtype.TextCodec{}}
		if oid == timetzArrayOID {
			of = timetz
		}
		types = append(types, &pgtype.Type{Name: name, OID: oid, Codec: arrayCodec(of)})
	}
	m := pgtype.NewMap()
	for oid := range uint32(firstOwnOID) {
		if t, ok := m.TypeForOID(oid); ok {
			if codec, ok := listsOf(t.Codec); ok {
				types = append(types, &pgtype.Type{Name: t.Name, OID: oid, Codec: codec})
			}
		}
	}
	return types
})

// listsOf is a codec of the driver that writes lists, too.
func listsOf(c pgtype.Codec) (pgtype.Codec, bool) {
	switch c := c.(type) {
	case *pgtype.ArrayCodec:
		return listCodec{c, arrayPlan(elementOf(c.ElementType.Codec))}, true
	case *pgtype.JSONCodec, *pgtype.JSONBCodec:
		return jsonCodec{listCodec{c, Either.appendText}}, true
	case *pgtype.XMLCodec: // which would make XML of the list
		return listCodec{c, Either.appendText}, true
	}
	return nil, false
}

// A jsonCodec is that of json and jsonb.
type jsonCodec struct{ listCodec }

func arrayCodec(of *pgtype.Type) pgtype.Codec {
	return listCodec{&pgtype.ArrayCodec{ElementType: of}, arrayPlan(elementOf(of.Codec))}
}

func elementOf(c pgtype.Codec) element {
	switch c.(type) {
	case *pgtype.TimestampCodec, *pgtype.TimestamptzCodec:
		return elementMoment
	case pgtype.DateCodec:
		return elementDate
	case pgtype.TimeCodec:
		return elementTime
	case timetzCodec:
		return elementTimetz
	case byteaCodec, pgtype.ByteaCodec, *pgtype.ByteaCodec:
		return elementBytea
	case jsonCodec, *pgtype.JSONCodec, *pgtype.JSONBCodec:
		return elementJSON
	}
	return elementPlain
}

// knowTypes makes a new connection write the values of this package as each type wants them.
func knowTypes(_ context.Context, c *pgx.Conn) error {
	m := c.TypeMap()
	m.RegisterTypes(builtInTypes())
	m.TryWrapEncodePlanFuncs = append([]pgtype.TryWrapEncodePlanFunc{wrapList, wrapString}, m.TryWrapEncodePlanFuncs...)
	mode := c.Config().DefaultQueryExecMode
	asked := mode != pgx.QueryExecModeExec && mode != pgx.QueryExecModeSimpleProtocol
	m.RegisterType(&pgtype.Type{Name: unknownName, OID: unknownOID, Codec: unknownCodec{asked: asked}})
	m.RegisterDefaultPgType(Either{}, unknownName)
	m.RegisterDefaultPgType(postgresMoment{}, unknownName)
	m.RegisterDefaultPgType(postgresString{}, unknownName)
	return nil
}

// errUnknownType says that the server is to be asked about a type: see [conn.learn].
var errUnknownType = errors.New("the type is not known")

// An unknownCodec is of types that the driver does not know, such as domains, and of all types when the
// server is not asked which type a parameter has.
type unknownCodec struct {
	pgtype.TextCodec
	asked bool
}

// PlanEncode implements [pgtype.Codec]. In both formats: the driver tries the other one after a failure,
// and a text can be a binary value by chance.
func (c unknownCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	switch value.(type) {
	case Either, postgresMoment, postgresString:
		return unknownPlan(c)
	}
	return c.TextCodec.PlanEncode(m, oid, format, value)
}

type unknownPlan unknownCodec

// Encode implements [pgtype.EncodePlan].
func (p unknownPlan) Encode(value any, b []byte) ([]byte, error) {
	if p.asked {
		return nil, errUnknownType
	}
	switch v := value.(type) {
	case Either:
		return v.appendGuess(b)
	case postgresString:
		return append(b, v.text...), nil
	}
	return append(b, value.(postgresMoment).String()...), nil
}

// learn asks the server about the types of a statement's parameters, after the driver could not write one
// of them: nothing was sent. It reports that running the statement again makes sense.
func (c *conn) learn(ctx context.Context, query string, err error) bool {
	inner, ok := c.driverConn.(*stdlib.Conn)
	if !ok || !errors.Is(err, errUnknownType) {
		return false
	}
	st, err := inner.Conn().Prepare(ctx, "", query)
	if err != nil {
		return false
	}
	for _, oid := range st.ParamOIDs {
		if _, err := typeOf(ctx, inner.Conn(), oid); err != nil {
			return false
		}
	}
	return true
}

// typeOf looks a type up. A domain is what it is made of, an array one of its elements, and all else text.
// Its name is what the driver calls a type that it does not know: columns of it are read as before.
func typeOf(ctx context.Context, c *pgx.Conn, oid uint32) (*pgtype.Type, error) {
	m := c.TypeMap()
	if t, ok := m.TypeForOID(oid); ok {
		return t, nil
	}
	var kind, category string
	var base, of uint32
	row := c.QueryRow(ctx, "select typtype::text, typcategory::text, typbasetype, typelem from pg_catalog.pg_type where oid = $1", oid)
	if err := row.Scan(&kind, &category, &base, &of); err != nil {
		return nil, err
	}
	t := &pgtype.Type{Name: strconv.FormatUint(uint64(oid), 10), OID: oid, Codec: pgtype.TextCodec{}}
	switch {
	case kind == "d":
		inner, err := typeOf(ctx, c, base)
		if err != nil {
			return nil, err
		}
		t.Codec = inner.Codec
	case category == "A" && of != 0:
		inner, err := typeOf(ctx, c, of)
		if err != nil {
			return nil, err
		}
		t.Codec = arrayCodec(inner)
	}
	m.RegisterType(t)
	return t, nil
}
