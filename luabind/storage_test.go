package luabind_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
	"rws/luabind/vm"
	"rws/server/db"
	"rws/spec_test/peers"
)

// storageURLs are those of an empty store of each kind.
func storageURLs(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"dir": "dir:./files", "memory": "memory:", "s3": peers.S3(t)}
}

const storageApp = `
	local files = app:storage(%q)
	app:put("/f/*", { max_body = "40mb" }, function(c) files:put(c.params["*"], c.body_stream) return 201 end)
	app:get("/f/*", function(c) return files:send(c, c.params["*"]) end)
	app:get("/send", function(c) return files:send(c, c.query.key) end)
	app:put("/put", function(c) files:put(c.query.key, "x") return 201 end)
	app:get("/download", function(c) return files:send(c, "a.txt", { download = "Ä.txt", cache = "1h", type = "text/csv" }) end)
	app:get("/own", function(c) c.res.headers.content_security_policy = "default-src 'self'" return files:send(c, "a.html") end)
	app:delete("/f/*", function(c) files:delete(c.params["*"]) end)
	app:get("/get", function(c) local text, info = files:get(c.query.key) return { text = text, info = info } end)
	app:get("/list", function(c)
		local keys = rws.array {}
		for f in files:list(c.query.prefix) do keys[#keys + 1] = f.key .. "=" .. f.size end
		return keys
	end)
	app:post("/form", function(c) files:put("form", c.files.f) return files:stat("form").type end)
	app:post("/text", function(c) files:put("text.json", c.body, { metadata = { by = "ann" } }) return files:stat("text.json") end)
	app:post("/fetch", function(c)
		files:put("fetched", rws.http.get(c.query.url, { stream = true }))
		files:put("fetched2", rws.http.get(c.query.url))
		return files:get("fetched") .. files:get("fetched2")
	end)
	app:post("/copy", function(c)
		files:put("opened", files:open("text.json"))
		files:copy("opened", "copied")
		return { files:get("copied"), files:exists("copied"), files:exists("none"), files:open("none") == nil, files:stat("none") == nil }
	end)
	app:post("/file", function(c)
		local f = rws.fs.open("hello.txt")
		files:put("file", f)
		f:close()
		return files:get("file")
	end)
	app:get("/chunks", function(c)
		local n, count = 0, 0
		local r = files:open(c.query.key)
		for chunk in r:chunks() do n, count = n + #chunk, count + 1 end
		return { n, count > 1, r.size, r:read() == nil }
	end)
`

func TestFilesOfEachStore(t *testing.T) {
	for name, url := range storageURLs(t) {
		t.Run(name, func(t *testing.T) {
			p := newApp(t, fmt.Sprintf(storageApp, url), map[string]string{"hello.txt": "hello"})
			address := "http://" + serve(t, p)
			t.Run("bodies", func(t *testing.T) { bodiesAreStored(t, p, address) })
			t.Run("send", func(t *testing.T) { filesAreSent(t, address) })
			t.Run("list", func(t *testing.T) { filesAreListed(t, p) })
			t.Run("wrong", func(t *testing.T) { wrongKeysAreTheirs(t, p) })
			t.Run("large", func(t *testing.T) { largeFilesStream(t, p, address) })
			t.Run("broken off", func(t *testing.T) { aBodyThatBreaksOffLeavesNothing(t, p, address) })
		})
	}
}

func bodiesAreStored(t *testing.T, p *luabind.Program, address string) {
	assert.Equal(t, "201", summary(do(t, p, "PUT /f/a.txt", luabind.Call{Body: "hello"})))
	assert.Contains(t, string(do(t, p, "GET /get?key=a.txt").Body), `"text":"hello"`)
	assert.Equal(t, "{}", string(do(t, p, "GET /get?key=none").Body))
	a := do(t, p, "POST /text", luabind.Call{Body: "{}"})
	for _, want := range []string{`"key":"text.json"`, `"type":"application/json"`, `"metadata":{"by":"ann"}`, `"size":2`, `"etag":"\"`, `"modified":"20`} {
		assert.Contains(t, string(a.Body), want)
	}
	assert.Equal(t, `["{}",true,false,true,true]`, string(do(t, p, "POST /copy").Body))
	assert.Equal(t, "hello", string(do(t, p, "POST /file").Body))
	form := "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.html\"\r\n\r\nGIF89a\r\n--b--\r\n"
	a = do(t, p, "POST /form", luabind.Call{Body: form, Header: map[string]string{"Content-Type": "multipart/form-data; boundary=b"}})
	assert.Equal(t, "image/gif", string(a.Body), "what it looks like")
	there := backend(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "there") })
	assert.Equal(t, "therethere", string(do(t, p, "POST /fetch?url="+there).Body))
	_ = address
}

// request makes a request and returns the answer, with its body read.
func request(t *testing.T, method, url string, header map[string]string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}

func filesAreSent(t *testing.T, address string) {
	url := address + "/f/a.txt"
	res, body := request(t, "GET", url, nil)
	assert.Equal(t, 200, res.StatusCode)
	assert.Equal(t, "hello", body)
	assert.Equal(t, "text/plain; charset=utf-8", res.Header.Get("Content-Type"))
	assert.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
	assert.Equal(t, int64(5), res.ContentLength)
	assert.Empty(t, res.Header.Get("Content-Security-Policy"))
	etag, modified := res.Header.Get("ETag"), res.Header.Get("Last-Modified")
	require.NotEmpty(t, etag)
	require.NotEmpty(t, modified)

	for _, c := range []struct {
		method, name, value string
		status              int
		body                string
	}{
		{"HEAD", "X-None", "", 200, ""},
		{"GET", "If-None-Match", etag, 304, ""},
		{"GET", "If-None-Match", `"other"`, 200, "hello"},
		{"GET", "If-Modified-Since", modified, 304, ""},
		{"GET", "Range", "bytes=1-3", 206, "ell"},
		{"GET", "Range", "bytes=-2", 206, "lo"},
		{"GET", "Range", "bytes=9-", 416, "*"},
		{"GET", "If-Match", `"other"`, 412, "*"},
		{"GET", "If-Match", etag, 200, "hello"},
	} {
		res, body := request(t, c.method, url, map[string]string{c.name: c.value})
		assert.Equal(t, c.status, res.StatusCode, c)
		if c.body != "*" {
			assert.Equal(t, c.body, body, c)
		}
		if c.method == "HEAD" {
			assert.Equal(t, int64(5), res.ContentLength)
		}
	}
	res, body = request(t, "GET", url, map[string]string{"Range": "bytes=0-0,4-4"})
	assert.Equal(t, 206, res.StatusCode)
	assert.Contains(t, body, "\r\n\r\nh\r\n")
	assert.Contains(t, body, "\r\n\r\no\r\n")

	res, _ = request(t, "GET", address+"/download", nil)
	assert.Equal(t, "attachment; filename*=utf-8''%C3%84.txt", res.Header.Get("Content-Disposition"))
	assert.Equal(t, "public, max-age=3600", res.Header.Get("Cache-Control"))
	assert.Equal(t, "text/csv", res.Header.Get("Content-Type"))

	for _, key := range []string{"a.html", "a.svg", "a.xml"} {
		put, err := http.NewRequestWithContext(t.Context(), "PUT", address+"/f/"+key, strings.NewReader("<script>"))
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(put)
		require.NoError(t, err)
		res.Body.Close()
		res, _ = request(t, "GET", address+"/f/"+key, nil)
		assert.Contains(t, res.Header.Get("Content-Security-Policy"), "sandbox;", key)
	}
	res, _ = request(t, "GET", address+"/own", nil)
	assert.Equal(t, []string{"default-src 'self'"}, res.Header.Values("Content-Security-Policy"))
}

func filesAreListed(t *testing.T, p *luabind.Program) {
	do(t, p, "PUT /f/l/b", luabind.Call{Body: "12"})
	do(t, p, "PUT /f/l/a", luabind.Call{Body: "1"})
	assert.Equal(t, `["l/a=1","l/b=2"]`, string(do(t, p, "GET /list?prefix=l/").Body))
	assert.Equal(t, "204", summary(do(t, p, "DELETE /f/l/a")))
	assert.Equal(t, "204", summary(do(t, p, "DELETE /f/l/a")), "again")
	assert.Equal(t, `["l/b=2"]`, string(do(t, p, "GET /list?prefix=l/").Body))
	assert.Equal(t, `[]`, string(do(t, p, "GET /list?prefix=none").Body))
}

func wrongKeysAreTheirs(t *testing.T, p *luabind.Program) {
	for request, status := range map[string]int{
		"GET /f/none": 404, "GET /f/..%2f..%2fapp.lua": 400, "GET /send?key=../app.lua": 404, "GET /send?key=a//b": 404, "GET /send?key=": 404,
		"PUT /put?key=../app.lua": 400, "PUT /put?key=a%00b": 400, "PUT /put?key=/etc/x": 400, "PUT /put?key=a/": 400, "GET /get?key=../app.lua": 400, "GET /list?prefix=../": 400, "GET /send?key=.rws-storage/tmp": 404,
	} {
		a := do(t, p, request)
		assert.Equal(t, status, a.Status, "%s: %s", request, a.Body)
	}
}

func largeFilesStream(t *testing.T, p *luabind.Program, address string) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 20<<20/16)
	for _, known := range []bool{true, false} {
		var body io.Reader = bytes.NewReader(content)
		if !known {
			body = io.MultiReader(body) // chunked
		}
		r, err := http.NewRequestWithContext(t.Context(), "PUT", address+"/f/large", body)
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		require.Equal(t, 201, res.StatusCode, "%s", text)
		_, got := request(t, "GET", address+"/f/large", nil)
		assert.True(t, got == string(content), "%d bytes came back", len(got))
	}
	_, part := request(t, "GET", address+"/f/large", map[string]string{"Range": "bytes=10485760-10485775"})
	assert.Equal(t, "0123456789abcdef", part)
	assert.Equal(t, `[20971520,true,20971520,true]`, string(do(t, p, "GET /chunks?key=large").Body))
	a := do(t, p, "GET /get?key=large")
	assert.Equal(t, 200, a.Status)
	do(t, p, "DELETE /f/large")
}

func aBodyThatBreaksOffLeavesNothing(t *testing.T, p *luabind.Program, address string) {
	host := strings.TrimPrefix(address, "http://")
	for _, size := range []int{100, 20 << 20} {
		conn, err := net.Dial("tcp", host)
		require.NoError(t, err)
		_, err = fmt.Fprintf(conn, "PUT /f/broken HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size+1)
		require.NoError(t, err)
		_, err = conn.Write(make([]byte, size))
		require.NoError(t, err)
		require.NoError(t, conn.(*net.TCPConn).CloseWrite())
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil {
			assert.Contains(t, []int{400, 499}, res.StatusCode)
			res.Body.Close()
		}
		conn.Close()
	}
	res, err := http.DefaultClient.Do(must(http.NewRequestWithContext(t.Context(), "PUT", address+"/f/broken", io.LimitReader(zeros{}, 41<<20))))
	if err == nil {
		assert.Equal(t, 413, res.StatusCode)
		res.Body.Close()
	}
	assert.Equal(t, 404, do(t, p, "GET /f/broken").Status)
}

func must(r *http.Request, err error) *http.Request {
	if err != nil {
		panic(err)
	}
	return r
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestABackupGoesIntoEachStore(t *testing.T) {
	for name, url := range storageURLs(t) {
		t.Run(name, func(t *testing.T) {
			p := newApp(t, fmt.Sprintf(`
				local db, files = app:db("sqlite:app.db"), app:storage(%q)
				db:exec("create table if not exists t (text text)")
				for i = 1, 200 do db:insert("t", { text = ("x"):rep(1000) }) end
				app:post("/backup", function() db:backup(files, "backups/app.db") return files:stat("backups/app.db").type end)
				app:get("/backup", function(c) return files:send(c, "backups/app.db") end)
				app:get("/list", function() local n = 0 for _ in files:list() do n = n + 1 end return { n } end)
				app:post("/wrong", function() db:backup(files, "../app.db") end)
				app:post("/late", { timeout = "1ms" }, function() db:backup(files, "late.db") end)`, url), nil, "isolates=1")
			require.Equal(t, "application/vnd.sqlite3", string(do(t, p, "POST /backup").Body))
			require.Equal(t, "application/vnd.sqlite3", string(do(t, p, "POST /backup").Body), "it is replaced")
			copied := filepath.Join(t.TempDir(), "copy.db")
			_, content := get(t, "http://"+serve(t, p)+"/backup")
			require.NoError(t, os.WriteFile(copied, []byte(content), 0o600))
			d, err := db.Open("sqlite:"+copied, db.Options{})
			require.NoError(t, err)
			defer d.Close()
			require.NoError(t, d.Check(t.Context()))
			n, _, err := db.Value(t.Context(), d, "select count(*) from t")
			require.NoError(t, err)
			assert.Equal(t, int64(200), n)
			assert.Equal(t, 400, do(t, p, "POST /wrong").Status)
			assert.Equal(t, 504, do(t, p, "POST /late").Status)
			assert.Equal(t, "[1]", string(do(t, p, "GET /list").Body))
		})
	}
}

func TestABackupDoesNotReplaceALiveDatabase(t *testing.T) {
	p := newApp(t, `
		local files, db = app:storage("dir:data"), app:db("sqlite:data/app.db")
		app:post("/", function() db:backup(files, "app.db") end)`, nil)
	a := do(t, p, "POST /")
	assert.Equal(t, 500, a.Status)
	assert.Contains(t, string(a.Body), "is a database of this script")
}

func TestAStorageIsDeclaredRightOrExplained(t *testing.T) {
	for source, want := range map[string]string{
		`app:storage("s4://bucket")`:                                                    `the scheme "s4" is none of dir, memory, s3`,
		`app:storage("dir:.")`:                                                          "a folder of their own",
		`app:storage("dir:..")`:                                                         "a folder of their own",
		`app:storage("dir:/")`:                                                          "a folder of their own",
		`app:storage("dir:.rws/files")`:                                                 "keeps its secret",
		`app:storage("s3://k:hunter2@bucket?regions=x")`:                                `did you mean "region"`,
		`app:storage(nil)`:                                                              "string expected",
		`app:storage("memory:", { tests = "memory:" })`:                                 `did you mean "test"`,
		`app:storage("memory:"):put("a", {})`:                                           "c.body_stream",
		`app:storage("memory:"):put("a", "x", { type = "a/b" })`:                        `unknown option "type"`,
		`app:storage("memory:"):put("../a", "x")`:                                       "leads elsewhere",
		`app:storage("memory:"):get("a", { max = "65mb" })`:                             "files:open",
		`app:storage("memory:"):url("a")`:                                               "declare a route",
		`app:storage("memory:"):send("a")`:                                              "files:send(c, key)",
		`app:storage("memory:?size=1kb"):put("a", ("x"):rep(2000))`:                     "memory:?size=",
		`app:storage("memory:", { test = "s4://x" })`:                                   `option "test"`,
		`app:storage("memory:"):list("/")`:                                              `"" lists all`,
		`app:storage("memory:"):list(5)`:                                                "got the number 5",
		`app:storage("memory:"):put("a", "x", { content_type = "image/*" })`:            "content type",
		`app:storage("memory:"):put("a", "x", { content_type = "html" })`:               "content type",
		`app:db("sqlite::memory:"):backup({}, "k")`:                                     "or a store and a key",
		`app:db("sqlite::memory:"):backup("x.db", "k")`:                                 "or a store and a key",
		`app:storage("memory:").put("a", "x")`:                                          "with a colon",
		`local f = app:storage("memory:") f:put("a", "xyz") f:get("a", { max = "2b" })`: "3 bytes",
	} {
		_, err := load(t, "\n"+source, nil)
		if assert.Error(t, err, source) {
			assert.Contains(t, err.Error(), want, source)
			assert.Contains(t, err.Error(), "app.lua:2", source)
			assert.NotContains(t, err.Error(), "hunter2")
		}
	}
}

func TestABucketIsNotAskedBeforeItIsUsed(t *testing.T) {
	p := newApp(t, `
		local files = app:storage("s3://bucket-1?endpoint=http://`+peers.FreeAddress(t)+`")
		app:get("/", function() return files:get("a") end)
		app:get("/url", function() return files:url("a", { expires = "8d" }) end)`, map[string]string{".env": "AWS_ACCESS_KEY_ID=k\nAWS_SECRET_ACCESS_KEY=s\n"})
	a := do(t, p, "GET /")
	assert.Equal(t, 503, a.Status, "%s", a.Body)
	assert.Contains(t, string(do(t, p, "GET /url").Body), "7 days")
}

func TestABodyIsReadOnceInOneWay(t *testing.T) {
	p := newApp(t, `
		app:post("/body", function(c) return c.body .. c.body_stream:read() end)
		app:post("/stream", function(c) local a = c.body_stream:read(2) return a .. "|" .. c.body_stream:read() end)
		app:post("/both", function(c) local s = c.body_stream return c.body end)
		app:post("/form", function(c) local s = c.body_stream return c.form.a end)
		app:post("/closed", function(c) c.body_stream:close() c.body_stream:close() return c.body_stream:read() end)
		app:post("/size", function(c) return { c.body_stream.size, c.body_stream.type } end)
		local kept
		app:post("/keep", function(c) kept = c.body_stream end)
		app:post("/kept", function() return kept:read() end)`, nil, "isolates=1")
	text := luabind.Call{Body: "hello", Header: map[string]string{"Content-Type": "text/plain"}}
	for call, want := range map[string]string{
		"POST /body": "hellohello", "POST /stream": "he|llo", "POST /both": "c.body_stream", "POST /form": "c.body_stream", "POST /closed": "closed",
		"POST /size": `[5,"text/plain"]`,
	} {
		assert.Contains(t, string(do(t, p, call, text).Body), want, call)
	}
	do(t, p, "POST /keep", text)
	assert.Contains(t, string(do(t, p, "POST /kept", text).Body), "this request is over")
}

func TestAnUploadThatTricklesEndsAtTheDeadline(t *testing.T) {
	p := newApp(t, `
		local files = app:storage "memory:"
		app:put("/", { timeout = "300ms" }, function(c) files:put("a", c.body_stream) end)
		app:get("/", function() return { files:exists("a") } end)`, nil)
	conn, err := net.Dial("tcp", serve(t, p))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer res.Body.Close()
	assert.Equal(t, 408, res.StatusCode)
	assert.Equal(t, "[false]", string(do(t, p, "GET /").Body))
}

func TestAStoreThatDoesNotAnswerEndsAtTheDeadline(t *testing.T) {
	server := peers.S3Server(t)
	p := newApp(t, fmt.Sprintf(`
		local files = app:storage(%q)
		app:get("/", { timeout = "200ms" }, function(c) return files:get("a") end)
		app:put("/", { timeout = "200ms" }, function(c) files:put("a", c.body_stream) end)
		app:get("/send", { timeout = "200ms" }, function(c) return files:send(c, "a") end)`, server.URL()), nil)
	server.Pause(t)
	defer server.Resume(t)
	for _, request := range []string{"GET /", "PUT /", "GET /send"} {
		start := time.Now()
		a := do(t, p, request)
		assert.Equal(t, 504, a.Status, "%s: %s", request, a.Body)
		assert.Less(t, time.Since(start), 10*time.Second, request)
	}
}

func TestAReadOnlyConsoleStoresNothing(t *testing.T) {
	p := newApp(t, `files = nil; local files = app:storage("memory:"); app.state.files = files; app:get("/", function() end)`, nil)
	for source, wrong := range map[string]bool{
		`return app.state.files:exists("a")`: false, `local n = 0 for _ in app.state.files:list() do n = n + 1 end return n`: false,
		`app.state.files:put("a", "x")`: true, `app.state.files:delete("a")`: true, `app.state.files:copy("a", "b")`: true,
	} {
		_, err := inLua(t, p, &vm.Run{ReadOnly: true}, source)
		assert.Equal(t, wrong, err != nil, "%s: %v", source, err)
	}
}

func TestTestsTouchNoBucket(t *testing.T) {
	dir := t.TempDir()
	source := `
		local files = app:storage("s3://bucket-1?endpoint=http://` + peers.FreeAddress(t) + `")
		local other = app:storage("s3://bucket-2", { test = "dir:of-tests" })
		local plain = app:storage("dir:plain")
		app:test("first", function(t) files:put("a", "x") other:put("b", "y") plain:put("c", "z") t.eq(files:get("a"), "x") end)
		app:test("second", function(t) t.eq(files:exists("a"), false) t.eq(plain:get("c"), "z") end)`
	write(t, dir, "app.lua", source)
	n := 0
	require.NoError(t, luabind.RunTests(context.Background(), luabind.Options{File: filepath.Join(dir, "app.lua")}, "", func(r luabind.TestResult) {
		n++
		assert.NoError(t, r.Err)
	}))
	assert.Equal(t, 2, n)
	assert.FileExists(t, filepath.Join(dir, "of-tests", "b"))
}

func TestFilesInMemoryOutliveAReload(t *testing.T) {
	dir, shared := t.TempDir(), luabind.NewShared()
	write(t, dir, "app.lua", `local files = app:storage("memory:")
		app:put("/", function() files:put("a", "x") end) app:get("/", function() return files:get("a") end)`)
	o := luabind.Options{File: filepath.Join(dir, "app.lua"), Shared: shared}
	first, err := luabind.Load(o)
	require.NoError(t, err)
	do(t, first, "PUT /")
	second, err := luabind.Load(o)
	require.NoError(t, err)
	require.NoError(t, first.Close(context.Background()))
	assert.Equal(t, "x", string(do(t, second, "GET /").Body))
	require.NoError(t, second.Close(context.Background()))
}
