package fieldname_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"rws/server/fieldname"
)

func TestNamesThatACarelessReaderConfuses(t *testing.T) {
	for _, name := range []string{"X-User-Id", "x-user-id", "X_USER_ID", "X.User_Id"} {
		assert.Equal(t, "x-user-id", fieldname.Fold(name), name)
		assert.True(t, fieldname.Same(name, "X-User-ID"), name)
		assert.True(t, fieldname.In([]string{"Host", "X-User-Id"}, name), name)
	}
	for _, name := range []string{"", "X-User-I", "X-User-Ids", "X-User+Id", "XUserId"} {
		assert.False(t, fieldname.Same(name, "X-User-Id"), name)
		assert.False(t, fieldname.In([]string{"Host", "X-User-Id"}, name), name)
	}
}

func TestOnlyDashesAreUnambiguous(t *testing.T) {
	assert.True(t, fieldname.Ambiguous("X_User"))
	assert.True(t, fieldname.Ambiguous("X.User"))
	assert.False(t, fieldname.Ambiguous("X-User"))
	assert.False(t, fieldname.Ambiguous(""))
}

func TestDropTakesWhatIsMistakenForTheNamesToo(t *testing.T) {
	h := http.Header{"X-User": {"a"}, "X_user": {"b"}, "x.USER": {"c"}, "X-Users": {"d"}, "Host": nil}
	fieldname.Drop(h, []string{"X-User", "HOST"})
	assert.Equal(t, http.Header{"X-Users": {"d"}}, h)
}

func TestComparingAllocatesNothing(t *testing.T) {
	names := []string{"Host", "X-User-Id"}
	assert.Zero(t, testing.AllocsPerRun(100, func() { fieldname.In(names, "X_user_id") }))
	assert.Zero(t, testing.AllocsPerRun(100, func() { fieldname.Fold("x-user-id") }))
}

// Two names are the same exactly when they fold to the same, and nothing is folded twice.
func FuzzFold(f *testing.F) {
	f.Add("X-User", "x_user")
	f.Add("é.İ", "É-i")
	f.Fuzz(func(t *testing.T, a, b string) {
		folded := fieldname.Fold(a)
		assert.Equal(t, folded, fieldname.Fold(folded))
		assert.Equal(t, fieldname.Fold(a) == fieldname.Fold(b), fieldname.Same(a, b))
		assert.True(t, fieldname.Same(a, folded))
		assert.False(t, strings.ContainsAny(folded, "_.") || fieldname.Ambiguous(folded))
	})
}
