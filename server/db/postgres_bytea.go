package db

import (
	"encoding/hex"

	"github.com/jackc/pgx/v5/pgtype"
)

// A postgresString is a text of which the server would make other bytes than its own, if it is for bytea: there
// a backslash begins an escape, and what is not ASCII depends on the encoding of the database. For all else
// it is a text as any other.
type postgresString struct{ text string }

// stringFor gives the driver a text as it is where that is the same for bytea.
func stringFor(text string) any {
	for i := range len(text) {
		if c := text[i]; c == '\\' || c == 0 || c >= 0x80 {
			return postgresString{text}
		}
	}
	return text
}

// A byteaCodec takes a text for its bytes.
type byteaCodec struct{ pgtype.ByteaCodec }

// PlanEncode implements [pgtype.Codec].
func (c byteaCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(postgresString); !ok {
		return c.ByteaCodec.PlanEncode(m, oid, format, value)
	}
	if format == pgtype.TextFormatCode {
		return bytesPlan(appendHex)
	}
	return bytesPlan(func(b []byte, text string) []byte { return append(b, text...) })
}

type bytesPlan func(b []byte, text string) []byte

// Encode implements [pgtype.EncodePlan].
func (p bytesPlan) Encode(value any, b []byte) ([]byte, error) {
	return p(b, value.(postgresString).text), nil
}

// appendHex writes bytes as the text of a bytea.
func appendHex(b []byte, text string) []byte {
	return hex.AppendEncode(append(b, `\x`...), []byte(text))
}

// stringAsIs writes a text as one.
type stringAsIs struct{}

// Encode implements [pgtype.EncodePlan].
func (stringAsIs) Encode(value any, b []byte) ([]byte, error) {
	return append(b, value.(postgresString).text...), nil
}

// wrapString makes the driver write a text as one where the codec of a type does not know it.
func wrapString(value any) (pgtype.WrappedEncodePlanNextSetter, any, bool) {
	s, ok := value.(postgresString)
	if !ok {
		return nil, nil, false
	}
	return &stringPlan{}, plainText(s), true
}

type stringPlan struct{ next pgtype.EncodePlan }

// SetNext implements [pgtype.WrappedEncodePlanNextSetter].
func (p *stringPlan) SetNext(next pgtype.EncodePlan) { p.next = next }

// Encode implements [pgtype.EncodePlan].
func (p *stringPlan) Encode(value any, b []byte) ([]byte, error) {
	return p.next.Encode(plainText(value.(postgresString)), b)
}

// plainText is a text and nothing else, so that no codec makes a binary value of it.
type plainText struct{ text string }

// TextValue implements [pgtype.TextValuer].
func (t plainText) TextValue() (pgtype.Text, error) {
	return pgtype.Text{String: t.text, Valid: true}, nil
}
