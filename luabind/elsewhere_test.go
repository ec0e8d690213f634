package luabind_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNamesOfOtherFrameworksAreUnderstood(t *testing.T) {
	for word, want := range map[string]string{
		"any": `app has no field "any" (it is app:all here)`, "del": "(it is app:delete here)", "listen": "(it is app:config here)",
		"router": "(it is app:group here)", "pust": `did you mean "post"`,
	} {
		_, err := loadScript(t, "app:"+word+"('/', function() end)", nil)
		assert.ErrorContains(t, err, want)
	}
}
