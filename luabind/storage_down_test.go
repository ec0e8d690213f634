package luabind_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
	"rws/spec_test/peers"
)

// logged loads a script with the variables of a bucket, and returns what is written to its log.
func logged(t *testing.T, source string, flags map[string]string) (*luabind.Program, *bytes.Buffer) {
	t.Helper()
	dir, out := t.TempDir(), new(bytes.Buffer)
	write(t, dir, "app.lua", source)
	write(t, dir, ".env", "AWS_ACCESS_KEY_ID=k\nAWS_SECRET_ACCESS_KEY=s\n")
	p, err := luabind.Load(luabind.Options{File: filepath.Join(dir, "app.lua"), Flags: flags,
		Logger: func(*luabind.Config) *slog.Logger { return slog.New(slog.NewTextHandler(out, nil)) }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close(t.Context())) })
	return p, out
}

func TestABucketThatIsDownIsUnavailableAlsoAtTheDeadline(t *testing.T) {
	p, log := logged(t, fmt.Sprintf(`
		local files = app:storage("s3://bucket-1?endpoint=http://%s")
		app:get("/get", { timeout = "100ms" }, function(c) return files:get("a/b") end)
		app:get("/send", { timeout = "100ms" }, function(c) return files:send(c, "a/b") end)
		app:put("/put", { timeout = "100ms" }, function(c) files:put("a/b", "x") end)`, peers.FreeAddress(t)), nil)
	for _, request := range []string{"GET /get", "GET /send", "PUT /put"} {
		log.Reset()
		a := do(t, p, request)
		assert.Equal(t, 503, a.Status, "%s: %s", request, a.Body)
		for _, want := range []string{"refused", "a/b", "s3://bucket-1"} {
			assert.Contains(t, log.String(), want, request)
		}
	}
}
