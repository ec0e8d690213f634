package db

import "strconv"

// postgresText writes a number or truth as text, which the server reads as the type that the
// parameter has. The driver would write it in the form of that type by itself, and for that cut
// fractions off, let large numbers wrap, and refuse text: the server says what does not fit.
func postgresText(v any) any {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return floatText(v)
	}
	return v
}
