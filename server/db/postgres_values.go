package db

import (
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// postgresText writes a number or truth as text, which the server reads as the type that the
// parameter has. The driver would write it in the form of that type by itself, and for that cut
// fractions off, let large numbers wrap, and refuse text: the server says what does not fit. A text is one,
// but for bytea: see [stringFor].
func postgresText(v any) any {
	switch v := v.(type) {
	case string:
		return stringFor(v)
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return floatText(v)
	case time.Time:
		return postgresMoment{v}
	}
	return v
}

// A postgresMoment is a time for the driver, which in a column of text would store what Go prints. As text it is
// in the form of RFC 3339.
type postgresMoment struct{ time.Time }

// String implements [fmt.Stringer], by which the driver makes texts.
func (m postgresMoment) String() string { return m.Format(time.RFC3339Nano) }

// TimestamptzValue implements [pgtype.TimestamptzValuer].
func (m postgresMoment) TimestamptzValue() (pgtype.Timestamptz, error) {
	return pgtype.Timestamptz{Time: m.Time, Valid: true}, nil
}

// TimestampValue implements [pgtype.TimestampValuer].
func (m postgresMoment) TimestampValue() (pgtype.Timestamp, error) {
	return pgtype.Timestamp{Time: m.Time, Valid: true}, nil
}

// DateValue implements [pgtype.DateValuer].
func (m postgresMoment) DateValue() (pgtype.Date, error) {
	return pgtype.Date{Time: m.Time, Valid: true}, nil
}

// TimeValue implements [pgtype.TimeValuer].
func (m postgresMoment) TimeValue() (pgtype.Time, error) {
	midnight := time.Date(m.Year(), m.Month(), m.Day(), 0, 0, 0, 0, m.Location())
	return pgtype.Time{Microseconds: m.Sub(midnight).Microseconds(), Valid: true}, nil
}
