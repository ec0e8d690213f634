package db

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgtype"
)

// onlyArray says that a list is given as an array, whatever Postgres has.
func (e Either) onlyArray() bool { return e.JSON == "" && e.Err == nil }

// appendText writes what a list is where Postgres has no array.
func (e Either) appendText(b []byte) ([]byte, error) {
	if e.onlyArray() {
		return appendArray(b, e.List, elementPlain)
	}
	return append(b, e.JSON...), e.err()
}

// appendGuess writes what a list is when nobody knows what Postgres has.
func (e Either) appendGuess(b []byte) ([]byte, error) {
	if e.Array {
		return appendArray(b, e.List, elementPlain)
	}
	return e.appendText(b)
}

func (e Either) err() error {
	if e.Err == nil {
		return nil
	}
	return unfit{e.Err}
}

// unfit says why a value cannot be written, without the value, which the driver puts in front.
type unfit struct{ error }

// A listPlan writes lists.
type listPlan func(list Either, b []byte) ([]byte, error)

// Encode implements [pgtype.EncodePlan].
func (p listPlan) Encode(value any, b []byte) ([]byte, error) {
	list, ok := value.(Either)
	if !ok {
		return nil, fmt.Errorf("a %T is no list", value)
	}
	return p(list, b)
}

func arrayPlan(of element) listPlan {
	return func(list Either, b []byte) ([]byte, error) {
		b, err := appendArray(b, list.List, of)
		if err != nil {
			return nil, unfit{err}
		}
		return b, nil
	}
}

// A listCodec writes the lists of a type in its own way, and leaves the rest to the driver.
type listCodec struct {
	pgtype.Codec
	plan listPlan
}

// PreferredFormat implements [pgtype.Codec].
func (listCodec) PreferredFormat() int16 { return pgtype.TextFormatCode }

// PlanEncode implements [pgtype.Codec]. A list that cannot be written is tried in the binary form, too, where
// the driver would make something of its own of it.
func (c listCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	switch value.(type) {
	case Either:
		return c.plan
	case postgresString: // of which the codecs of JSON and XML would make theirs
		return stringAsIs{}
	}
	return c.Codec.PlanEncode(m, oid, format, value)
}

// wrapList makes the driver write lists as text where the codec of a type has no way for them.
func wrapList(value any) (pgtype.WrappedEncodePlanNextSetter, any, bool) {
	if _, ok := value.(Either); !ok {
		return nil, nil, false
	}
	return &textPlan{}, pgtype.Text{}, true
}

type textPlan struct{ next pgtype.EncodePlan }

// SetNext implements [pgtype.WrappedEncodePlanNextSetter].
func (p *textPlan) SetNext(next pgtype.EncodePlan) { p.next = next }

// Encode implements [pgtype.EncodePlan].
func (p *textPlan) Encode(value any, b []byte) ([]byte, error) {
	text, err := value.(Either).appendText(nil)
	if err != nil {
		return nil, err
	}
	return p.next.Encode(pgtype.Text{String: string(text), Valid: true}, b)
}
