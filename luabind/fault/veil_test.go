package fault

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPasswordsOfURLsAreNotShown(t *testing.T) {
	for line, want := range map[string]string{
		`local f = app:storage("s3://AKIDX:SEC/RET+X@my-bucket", "a@b")`: `local f = app:storage("s3://AKIDX:*********@my-bucket", "a@b")`,
		`local pg = app:db("postgres://ann:hunter2@h/app")`:              `local pg = app:db("postgres://ann:*******@h/app")`,
		`app:redis("redis://:x@h")`:                                      `app:redis("redis://:*@h")`,
		`get("http://h:80/a@b")`:                                         `get("http://h:80/a@b")`,
		`plain`:                                                          `plain`,
	} {
		assert.Equal(t, want, veil(line))
	}
}
