package db

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A form says how a value of a column leaves this package.
type form uint8

const (
	formAsIs    form = iota
	formText         // text, which some drivers hand over as bytes
	formBlob         //
	formJSON         //
	formBool         // SQLite: 0 and 1
	formTime         //
	formDate         // text, as in 2026-01-31
	formBits         // MySQL: BIT, a number
	formNumber       // MySQL: integers, which are bytes or unsigned when large
	formFloat32      //
	formFloat        // MySQL: text when it has no type of its own
	formDateSQL      // SQLite: whatever looks like a date
	formTimeSQL      // SQLite: whatever looks like a time
	formArray        // Postgres, and here the kinds of elements follow
	formArrayInt
	formArrayFloat
	formArrayBool
	formArrayBlob
	formArrayTime
	formArrayJSON
)

func formOf(engine Engine, typeName string) form {
	switch engine {
	case SQLite:
		return formSQLite(typeName)
	case Postgres:
		return formPostgres(typeName)
	}
	return formMySQL(typeName)
}

// formSQLite: a declared type is no more than a hint in SQLite, and an expression has none.
func formSQLite(typeName string) form {
	if typeName == "" || typeName == "TEXT" || typeName == "INTEGER" {
		return formBlob // bytes become a Blob, all else stays
	}
	base, _, _ := strings.Cut(typeName, "(")
	base = strings.TrimSpace(base)
	switch {
	case base == "BOOLEAN" || base == "BOOL":
		return formBool
	case base == "DATE":
		return formDateSQL
	case strings.HasPrefix(base, "DATETIME"), strings.HasPrefix(base, "TIMESTAMP"):
		return formTimeSQL
	case base == "JSON" || base == "JSONB":
		return formJSON
	}
	return formBlob
}

func formPostgres(typeName string) form {
	switch typeName {
	case "BYTEA":
		return formBlob
	case "JSON", "JSONB":
		return formJSON
	case "DATE":
		return formDate
	case "TIMESTAMP", "TIMESTAMPTZ":
		return formTime
	case "BOOL", "INT2", "INT4", "INT8", "FLOAT4", "FLOAT8", "OID", "XID", "CID":
		return formAsIs
	case "_INT2", "_INT4", "_INT8", "_OID":
		return formArrayInt
	case "_FLOAT4", "_FLOAT8":
		return formArrayFloat
	case "_BOOL":
		return formArrayBool
	case "_BYTEA":
		return formArrayBlob
	case "_TIMESTAMP", "_TIMESTAMPTZ":
		return formArrayTime
	case "_JSON", "_JSONB":
		return formArrayJSON
	}
	if strings.HasPrefix(typeName, "_") {
		return formArray
	}
	return formText
}

func formMySQL(typeName string) form {
	switch typeName {
	case "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "BINARY", "VARBINARY", "GEOMETRY", "VECTOR":
		return formBlob
	case "JSON":
		return formJSON
	case "DATE":
		return formDate
	case "DATETIME", "TIMESTAMP":
		return formTime
	case "BIT":
		return formBits
	case "FLOAT":
		return formFloat32
	case "DOUBLE":
		return formFloat
	}
	if strings.HasSuffix(typeName, "INT") || typeName == "YEAR" {
		return formNumber
	}
	return formText
}

// decode turns what the driver returned into a value of this package. What does not look as
// its type says stays as it is: SQLite keeps anything in any column.
func (f form) decode(v any) (any, error) {
	switch f {
	case formText:
		return textOf(v), nil
	case formBlob:
		return blobOf(v), nil
	case formJSON:
		return jsonOf(v), nil
	case formBool:
		if n, ok := v.(int64); ok && (n == 0 || n == 1) {
			return n == 1, nil
		}
		return blobOf(v), nil
	case formTime, formTimeSQL:
		return timeOf(v, f), nil
	case formDate, formDateSQL:
		return dateOf(v, f), nil
	case formBits, formNumber:
		return integerOf(v, f)
	case formFloat32, formFloat:
		return floatOf(v)
	}
	if f >= formArray {
		return arrayOf(v, f)
	}
	return v, nil
}

func textOf(v any) any {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case time.Time:
		return v.UTC()
	}
	return v
}

func blobOf(v any) any {
	if b, ok := v.([]byte); ok {
		return Blob(bytes.Clone(b))
	}
	return v
}

// jsonOf: JSON is text; SQLite may hold its own binary form or a bare number.
func jsonOf(v any) any {
	switch v := v.(type) {
	case []byte:
		return JSON(v)
	case string:
		return JSON(v)
	}
	return v
}

func timeOf(v any, f form) any {
	switch v := v.(type) {
	case time.Time:
		if v.IsZero() && f == formTime { // what MySQL's driver makes of it
			return "0000-00-00 00:00:00"
		}
		return v.UTC()
	case string:
		if f == formTimeSQL {
			return parseMoment(v)
		}
	case []byte:
		return string(v)
	}
	return v
}

// moments are how SQLite's own functions write times, and what programs add.
var moments = []string{
	"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02",
}

func parseMoment(text string) any {
	for _, layout := range moments {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return text
}

func dateOf(v any, f form) any {
	t, ok := v.(time.Time)
	if !ok {
		return textOf(v)
	}
	if t.IsZero() && f == formDate {
		return "0000-00-00"
	}
	if f == formDateSQL && (t.Hour() != 0 || t.Minute() != 0 || t.Second() != 0 || t.Nanosecond() != 0) {
		return t.UTC()
	}
	return t.Format(time.DateOnly)
}

// integerOf keeps integers exact: what an int64 cannot hold is text.
func integerOf(v any, f form) (any, error) {
	switch v := v.(type) {
	case uint64:
		if v > math.MaxInt64 {
			return strconv.FormatUint(v, 10), nil
		}
		return int64(v), nil
	case []byte:
		if f == formBits {
			return bits(v), nil
		}
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return n, nil
		}
		return string(v), nil
	}
	return v, nil
}

func bits(b []byte) any {
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	if n > math.MaxInt64 {
		return strconv.FormatUint(n, 10)
	}
	return int64(n)
}

// floatOf gives a float32 the digits that it was written with.
func floatOf(v any) (any, error) {
	switch v := v.(type) {
	case float32:
		return strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
	case []byte:
		return strconv.ParseFloat(string(v), 64)
	}
	return v, nil
}

func arrayOf(v any, f form) (any, error) {
	text, ok := textOf(v).(string)
	if !ok {
		return nil, fmt.Errorf("an array came as %T", v)
	}
	return readArray(text, f.element)
}

func (f form) element(text string) (any, error) {
	switch f {
	case formArrayInt:
		return strconv.ParseInt(text, 10, 64)
	case formArrayFloat:
		return strconv.ParseFloat(text, 64)
	case formArrayBool:
		return text == "t", nil
	case formArrayBlob:
		b, err := hex.DecodeString(strings.TrimPrefix(text, `\x`))
		return Blob(b), err
	case formArrayTime:
		return parseZoned(text), nil
	case formArrayJSON:
		return JSON(text), nil
	}
	return text, nil
}

// parseZoned reads the text of a timestamp of Postgres, whose zone may be as short as +02.
func parseZoned(text string) any {
	for _, layout := range []string{"2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return text
}
