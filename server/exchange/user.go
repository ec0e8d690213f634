package exchange

import (
	"fmt"
	"strconv"
)

// UserName names the User for limits and logs, "" for nobody and for one without a name: a text or
// a number itself, else the first of "sub", "id", "uid", "name" and "email" that is one.
func (e *Exchange) UserName() string {
	fields, ok := e.User.(map[string]any)
	if !ok {
		return plainName(e.User)
	}
	for _, key := range []string{"sub", "id", "uid", "name", "email"} {
		if name := plainName(fields[key]); name != "" {
			return name
		}
	}
	return ""
}

func plainName(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return fmt.Sprint(v)
	}
	return ""
}
