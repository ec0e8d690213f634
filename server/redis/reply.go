package redis

import (
	"fmt"
	"math/big"
)

// convert turns a reply of go-redis into the types that [Client.Do] lists, in place.
func convert(reply any) any {
	switch v := reply.(type) {
	case []any:
		for i := range v {
			v[i] = convert(v[i])
		}
		return v
	case map[any]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			m[keyText(key)] = convert(value)
		}
		return m
	case *big.Int:
		return v.String()
	case error:
		return serverError("", v)
	}
	return reply
}

func keyText(key any) string {
	if s, ok := key.(string); ok {
		return s
	}
	return fmt.Sprint(key)
}
