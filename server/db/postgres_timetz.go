package db

import (
	"github.com/jackc/pgx/v5/pgtype"
)

const (
	timetzLayout   = "15:04:05.999999Z07:00"
	timetzArrayOID = 1270
)

// A timetzCodec writes times of a day with a zone. The driver does not know the type, and the server
// takes no date in the form of RFC 3339 for it.
type timetzCodec struct{ pgtype.TextCodec }

// PlanEncode implements [pgtype.Codec].
func (c timetzCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(postgresMoment); ok && format == pgtype.TextFormatCode {
		return timetzPlan{}
	}
	return c.TextCodec.PlanEncode(m, oid, format, value)
}

type timetzPlan struct{}

// Encode implements [pgtype.EncodePlan].
func (timetzPlan) Encode(value any, buf []byte) ([]byte, error) {
	return value.(postgresMoment).AppendFormat(buf, timetzLayout), nil
}
