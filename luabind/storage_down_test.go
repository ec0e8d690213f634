package luabind_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
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

func TestVisitorsSeeNothingOfTheStore(t *testing.T) {
	p, log := logged(t, `
		local files = app:storage("s3://bucket-1/inside?endpoint=http://s3.internal")
		local memory = app:storage("memory:?size=1kb")
		app:put("/bad", function(c) files:put("../a", "x") end)
		app:put("/long", function(c) files:put(("a/"):rep(510) .. "a", "x") end)
		app:put("/large", function(c) memory:put("a", ("x"):rep(2000)) end)
		app:get("/send", function(c) return files:send(c, "../a") end)
		app:post("/copy", function(c) memory:copy("none", "b") end)`, map[string]string{"env": "production"})
	for request, want := range map[string]struct {
		status       int
		public, kept string
	}{
		"PUT /bad":   {400, `leads elsewhere`, "s3.internal"},
		"PUT /long":  {400, `it is too long`, "inside"},
		"PUT /large": {413, `larger than there is room for`, "memory:?size="},
		"GET /send":  {404, `leads elsewhere`, "s3.internal"},
		"POST /copy": {404, ``, "memory:"},
	} {
		log.Reset()
		a := do(t, p, request)
		assert.Equal(t, want.status, a.Status, "%s: %s", request, a.Body)
		assert.Contains(t, string(a.Body), want.public, request)
		for _, inside := range []string{"bucket-1", "s3.internal", "inside", "memory:"} {
			assert.NotContains(t, string(a.Body), inside, request)
		}
		assert.Contains(t, log.String(), want.kept, "%s: the log has it all", request)
	}
}

func TestAStreamThatHasBeenReadIsNotStoredAsAnEmptyFile(t *testing.T) {
	p := newApp(t, `
		local files = app:storage "memory:"
		app:put("/", function(c)
			local body, read = c.body_stream, {}
			files:put("a", body)
			read[1] = select(2, pcall(files.put, files, "a", body)).message
			local r = files:open "a"
			r:read(5)
			read[2] = select(2, pcall(files.put, files, "b", r)).message
			local f = rws.fs.open "hello.txt"
			files:put("c", f)
			read[3] = select(2, pcall(files.put, files, "c", f)).message
			r = files:open "a"
			r:read(2)
			files:put("rest", r)
			return { files:get "a", files:exists "b", files:get "c", files:get "rest", read }
		end)
		app:put("/empty", function(c) files:put("empty", c.body_stream) return { files:get "empty" } end)`, map[string]string{"hello.txt": "there"})
	a := string(do(t, p, "PUT /", luabind.Call{Body: "hello"}).Body)
	assert.Contains(t, a, `["hello",false,"there","llo",[`)
	assert.Equal(t, 3, strings.Count(a, "has been read already"), a)
	assert.Contains(t, string(do(t, p, "PUT /empty").Body), `"size":0`)
}

func TestTheTypeOfAnUploadIsThatOfItsKeyWhereItLooksLikeMany(t *testing.T) {
	p := newApp(t, `
		local files = app:storage "memory:"
		app:post("/*", function(c) files:put(c.params["*"], c.files.f) return files:stat(c.params["*"]).type end)`, nil)
	for _, c := range [][3]string{
		{"a.csv", "a,b\n", "text/csv; charset=utf-8"}, {"a.txt", "a", "text/plain; charset=utf-8"}, {"a", "a", "text/plain; charset=utf-8"},
		{"a.docx", "PK\x03\x04", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"}, {"a.zip", "PK\x03\x04", "application/zip"},
		{"a.svg", "<?xml version='1.0'?><svg/>", "image/svg+xml"}, {"a.png", "GIF89a", "image/gif"}, {"a.txt", "<html>", "text/html; charset=utf-8"},
		{"a.wasm", "\x00\x01\x02", "application/wasm"},
	} {
		form := "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n" + c[1] + "\r\n--b--\r\n"
		a := do(t, p, "POST /"+c[0], luabind.Call{Body: form, Header: map[string]string{"Content-Type": "multipart/form-data; boundary=b"}})
		assert.Equal(t, c[2], string(a.Body), c[0])
	}
}

func TestFilesOfPeopleAreNotForSharedCaches(t *testing.T) {
	p := newApp(t, `
		local files = app:storage "memory:"
		files:put("a", "x")
		app:get("/plain", function(c) return files:send(c, "a", { cache = "1h" }) end)
		app:get("/cookie", function(c) c.res.headers.set_cookie = "a=b" return files:send(c, "a", { cache = "1h" }) end)
		app:get("/user", function(c) c.user = { name = "ann" } return c:file("hello.txt", { cache = "1h" }) end)
		app:get("/file", function(c) return c:file("hello.txt", { cache = "1h" }) end)`, map[string]string{"hello.txt": "there"})
	authorized := luabind.Call{Header: map[string]string{"Authorization": "Bearer x"}}
	for request, want := range map[string]string{"GET /plain": "public", "GET /cookie": "private", "GET /user": "private", "GET /file": "public"} {
		a := do(t, p, request)
		assert.Equal(t, want+", max-age=3600", a.Header.Get("Cache-Control"), "%s: %d", request, a.Status)
		assert.Equal(t, "private, max-age=3600", do(t, p, request, authorized).Header.Get("Cache-Control"), request)
	}
}

func TestMorePagesThanHTMLAreSandboxed(t *testing.T) {
	p := newApp(t, `
		local files = app:storage "memory:"
		files:put("a", "x")
		app:get("/", function(c) return files:send(c, "a", { type = c.query.type }) end)`, nil)
	for _, mime := range []string{"text/xsl", "multipart/x-mixed-replace", "text/*", "*/*", "html"} {
		assert.NotEmpty(t, do(t, p, "GET /?type="+mime).Header.Get("Content-Security-Policy"), mime)
	}
	assert.Empty(t, do(t, p, "GET /?type=image/png").Header.Get("Content-Security-Policy"))
}

func TestAnEmptyFileHasNoRanges(t *testing.T) {
	p := newApp(t, `
		local files = app:storage "memory:"
		files:put("a", "")
		app:get("/send", function(c) return files:send(c, "a") end)
		app:get("/file", function(c) return c:file("empty.txt") end)`, map[string]string{"empty.txt": ""})
	for _, request := range []string{"GET /send", "GET /file"} {
		a := do(t, p, request, luabind.Call{Header: map[string]string{"Range": "bytes=-3"}})
		assert.Equal(t, 200, a.Status, request)
		assert.Empty(t, a.Header.Get("Content-Range"), request)
	}
}

func TestStoragesAreNamedWithoutSecrets(t *testing.T) {
	p := newApp(t, `app:storage("s3://KEY:hunter2@bucket-1/a") app:storage "dir:./files" app:storage "dir:./files"`, nil)
	assert.Equal(t, []string{"dir:./files", "s3://bucket-1/a"}, p.Storages())
}
