package exchange_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"rws/server/exchange"
)

func TestUserName(t *testing.T) {
	for _, c := range []struct {
		user any
		want string
	}{
		{nil, ""},
		{"ann", "ann"},
		{int64(7), "7"},
		{7.5, "7.5"},
		{true, ""},
		{map[string]any{"name": "Ann", "sub": "a1"}, "a1"},
		{map[string]any{"name": "Ann", "id": int64(7)}, "7"},
		{map[string]any{"email": "ann@example.com", "id": []any{}}, "ann@example.com"},
		{map[string]any{"role": "admin"}, ""},
	} {
		e := exchange.Exchange{User: c.user}
		assert.Equal(t, c.want, e.UserName(), "%v", c.user)
	}
}
