package static_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rws/server/static"
)

// site writes files (name to content; a name with a final slash is a folder)
// into a folder of its own, beside a file with a secret in it.
func site(t testing.TB, files map[string]string) string {
	t.Helper()
	base := t.TempDir()
	put(t, filepath.Join(base, "secret.txt"), "top secret")
	root := filepath.Join(base, "public")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		put(t, filepath.Join(root, filepath.FromSlash(name)), content)
	}
	return root
}

func put(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func handler(t testing.TB, dir string, o static.Options) http.Handler {
	t.Helper()
	h, err := static.New(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// ask sends "GET /path" with headers given as "Name: value".
func ask(h http.Handler, request string, headers ...string) *httptest.ResponseRecorder {
	method, target, _ := strings.Cut(request, " ")
	r := httptest.NewRequest(method, target, nil)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func want(t *testing.T, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	if w.Code != status || w.Body.String() != body {
		t.Errorf("got %d %q, want %d %q", w.Code, w.Body, status, body)
	}
}

func wantHeader(t *testing.T, w *httptest.ResponseRecorder, name, value string) {
	t.Helper()
	if got := strings.Join(w.Header().Values(name), ", "); got != value {
		t.Errorf("header %s: got %q, want %q", name, got, value)
	}
}

func TestFilesAndFolders(t *testing.T) {
	h := handler(t, site(t, map[string]string{
		"index.html":                "home",
		"a b.txt":                   "spaced",
		"docs/index.html":           "docs",
		"empty/x.css":               "css",
		"snow/☃.txt":                "snowman",
		".well-known/security.txt":  "contact",
		".well-known/.hidden":       "hidden",
		".env":                      "key",
		".git/config":               "git",
		"docs/.htpasswd":            "hash",
		"evil.example/a/index.html": "evil",
	}), static.Options{})
	for _, c := range []struct {
		request  string
		status   int
		body     string
		location string
	}{
		{"GET /", 200, "home", ""},
		{"HEAD /", 200, "", ""},
		{"GET /index.html", 200, "home", ""},
		{"GET /index.html/", 404, "Not Found\n", ""},
		{"GET /a%20b.txt", 200, "spaced", ""},
		{"GET /snow/%E2%98%83.txt", 200, "snowman", ""},
		{"GET /docs/", 200, "docs", ""},
		{"GET /docs", 301, "", "./docs/"},
		{"GET /docs?a=1&b=//x", 301, "", "./docs/?a=1&b=//x"},
		{"GET /evil.example/a", 301, "", "./a/"},
		{"GET //evil.example/a", 404, "Not Found\n", ""},
		{"GET /%2fevil.example/a", 404, "Not Found\n", ""},
		{"GET /evil.example%2fa", 301, "", "./evil.example%2fa/"},
		{"GET /empty", 404, "Not Found\n", ""},
		{"GET /empty/", 404, "Not Found\n", ""},
		{"GET /nothing", 404, "Not Found\n", ""},
		{"GET /index.html/x", 404, "Not Found\n", ""},
		{"GET /.well-known/security.txt", 200, "contact", ""},
		{"GET /.well-known/.hidden", 404, "Not Found\n", ""},
		{"GET /.env", 404, "Not Found\n", ""},
		{"GET /.git/config", 404, "Not Found\n", ""},
		{"GET /docs/.htpasswd", 404, "Not Found\n", ""},
		{"GET /" + strings.Repeat("x", 5000), 404, "Not Found\n", ""},
		{"GET /" + strings.Repeat("x/", 5000), 404, "Not Found\n", ""},
		{"POST /", 405, "Method Not Allowed\n", ""},
		{"DELETE /index.html", 405, "Method Not Allowed\n", ""},
	} {
		t.Run(c.request[:min(len(c.request), 40)], func(t *testing.T) {
			w := ask(h, c.request)
			want(t, w, c.status, c.body)
			wantHeader(t, w, "Location", c.location)
			if c.status == 405 {
				wantHeader(t, w, "Allow", "GET, HEAD")
			}
		})
	}
}

func TestHeadersOfAFile(t *testing.T) {
	dir := site(t, map[string]string{"a.js": "let a", "b.bin": "x", "old.txt": "epoch"})
	stamp := time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)
	if err := os.Chtimes(filepath.Join(dir, "a.js"), stamp, stamp); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(dir, "old.txt"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	w := ask(handler(t, dir, static.Options{}), "GET /a.js")
	wantHeader(t, w, "Content-Type", "text/javascript; charset=utf-8")
	wantHeader(t, w, "Content-Length", "5")
	wantHeader(t, w, "X-Content-Type-Options", "nosniff")
	wantHeader(t, w, "Cache-Control", "no-cache")
	wantHeader(t, w, "Accept-Ranges", "bytes")
	wantHeader(t, w, "Last-Modified", "Wed, 04 Mar 2026 05:06:07 GMT")
	tag := w.Header().Get("ETag")
	if !strings.HasPrefix(tag, `"`) || len(tag) < 8 {
		t.Errorf("want a strong ETag, got %q", tag)
	}
	w = ask(handler(t, dir, static.Options{}), "GET /old.txt")
	wantHeader(t, w, "ETag", "")
	wantHeader(t, w, "Last-Modified", "")

	for _, c := range []struct {
		o    static.Options
		path string
		want string
	}{
		{static.Options{Cache: time.Hour}, "/a.js", "public, max-age=3600"},
		{static.Options{Cache: time.Millisecond}, "/a.js", "no-cache"},
		{static.Options{Cache: time.Hour, Immutable: true}, "/a.js", "public, max-age=3600, immutable"},
		{static.Options{Immutable: true}, "/a.js", "public, max-age=31536000, immutable"},
		{static.Options{Immutable: true, Cache: time.Minute, Index: []string{"a.js"}}, "/", "public, max-age=60"},
		{static.Options{SPA: true, Cache: time.Minute, Index: []string{"a.js"}}, "/", "no-cache"},
	} {
		wantHeader(t, ask(handler(t, dir, c.o), "GET "+c.path), "Cache-Control", c.want)
	}
}

func TestConditionalAndRangeRequests(t *testing.T) {
	dir := site(t, map[string]string{"a.txt": "0123456789"})
	h := handler(t, dir, static.Options{})
	first := ask(h, "GET /a.txt")
	tag, modified := first.Header().Get("ETag"), first.Header().Get("Last-Modified")
	for _, c := range []struct {
		name    string
		headers []string
		status  int
		body    string
	}{
		{"same tag", []string{"If-None-Match: " + tag}, 304, ""},
		{"any tag", []string{"If-None-Match: *"}, 304, ""},
		{"weak form of the tag", []string{"If-None-Match: W/" + tag}, 304, ""},
		{"other tag", []string{`If-None-Match: "x"`}, 200, "0123456789"},
		{"other tag beats same date", []string{`If-None-Match: "x"`, "If-Modified-Since: " + modified}, 200, "0123456789"},
		{"same date", []string{"If-Modified-Since: " + modified}, 304, ""},
		{"if-match holds", []string{"If-Match: " + tag}, 200, "0123456789"},
		{"if-match fails", []string{`If-Match: "x"`}, 412, "Precondition Failed\n"},
		{"one range", []string{"Range: bytes=2-4"}, 206, "234"},
		{"suffix range", []string{"Range: bytes=-3"}, 206, "789"},
		{"open range", []string{"Range: bytes=8-"}, 206, "89"},
		{"range beyond the end", []string{"Range: bytes=20-"}, 416, "Requested Range Not Satisfiable\n"},
		{"another unit", []string{"Range: lines=1-2"}, 200, "0123456789"},
		{"a range that ends before it begins", []string{"Range: bytes=5-2"}, 200, "0123456789"},
		{"a range of letters", []string{"Range: bytes=a-b"}, 200, "0123456789"},
		{"a range without a dash", []string{"Range: bytes=1"}, 200, "0123456789"},
		{"one bad range of two", []string{"Range: bytes=0-1,x"}, 200, "0123456789"},
		{"signs", []string{"Range: bytes=+1-3"}, 200, "0123456789"},
		{"two headers", []string{"Range: bytes=0-1", "Range: bytes=2-3"}, 200, "0123456789"},
		{"the unit in capitals", []string{"Range: Bytes=2-4"}, 206, "234"},
		{"if-range holds", []string{"Range: bytes=2-4", "If-Range: " + tag}, 206, "234"},
		{"if-range fails", []string{"Range: bytes=2-4", `If-Range: "x"`}, 200, "0123456789"},
		{"greedy ranges", []string{"Range: bytes=0-,0-,0-"}, 200, "0123456789"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want(t, ask(h, "GET /a.txt", c.headers...), c.status, c.body)
		})
	}
	w := ask(h, "HEAD /a.txt", "Range: bytes=2-4")
	want(t, w, 200, "")
	wantHeader(t, w, "Content-Length", "10")
	w = ask(h, "GET /a.txt", "Range: bytes=20-")
	wantHeader(t, w, "Content-Range", "bytes */10")
	wantHeader(t, w, "ETag", "")
	w = ask(h, "GET /a.txt", "Range: bytes=0-1,8-9")
	if w.Code != 206 || !strings.Contains(w.Body.String(), "Content-Range: bytes 8-9/10") ||
		!strings.HasPrefix(w.Header().Get("Content-Type"), "multipart/byteranges") {
		t.Errorf("two ranges: got %d %v %q", w.Code, w.Header(), w.Body)
	}
	put(t, filepath.Join(dir, "a.txt"), "changed")
	want(t, ask(h, "GET /a.txt", "If-None-Match: "+tag), 200, "changed")
}

func TestPrecompressed(t *testing.T) {
	dir := site(t, map[string]string{
		"a.js": "plain", "a.js.br": "brotli!", "a.js.zst": "zstandard", "a.js.gz": "gzipped.",
		"b.css": "plain", "b.css.gz": "gzipped.",
		"c.txt": "plain", "c.txt.gz/x": "a folder",
		"d.txt.gz": "alone",
	})
	h := handler(t, dir, static.Options{Precompressed: true})
	for _, c := range []struct {
		path, accept, encoding, body string
	}{
		{"/a.js", "", "", "plain"},
		{"/a.js", "gzip, deflate, br, zstd", "br", "brotli!"},
		{"/a.js", "gzip, zstd", "zstd", "zstandard"},
		{"/a.js", "GZIP", "gzip", "gzipped."},
		{"/a.js", "gzip;q=1.0, br;q=0.5", "gzip", "gzipped."},
		{"/a.js", "br;q=0, gzip;q=0", "", "plain"},
		{"/a.js", "*", "br", "brotli!"},
		{"/a.js", "*, br;q=0", "zstd", "zstandard"},
		{"/a.js", "*;q=0", "", "plain"},
		{"/a.js", "identity, gzip;q=0.5", "", "plain"},
		{"/a.js", "identity;q=0.1, gzip;q=0.5", "gzip", "gzipped."},
		{"/a.js", "br;q=nan, gzip;q=9, zstd;q=x", "", "plain"},
		{"/b.css", "br, gzip", "gzip", "gzipped."},
		{"/b.css", "br", "", "plain"},
		{"/c.txt", "gzip", "", "plain"},
	} {
		t.Run(c.path+" "+c.accept, func(t *testing.T) {
			var headers []string
			if c.accept != "" {
				headers = append(headers, "Accept-Encoding: "+c.accept)
			}
			w := ask(h, "GET "+c.path, headers...)
			want(t, w, 200, c.body)
			wantHeader(t, w, "Content-Encoding", c.encoding)
			wantHeader(t, w, "Vary", "Accept-Encoding")
			if got := ask(h, "HEAD "+c.path, headers...).Header().Get("Content-Length"); got != w.Header().Get("Content-Length") || got == "" {
				t.Errorf("HEAD says Content-Length %q, GET %q", got, w.Header().Get("Content-Length"))
			}
		})
	}
	want(t, ask(h, "GET /d.txt", "Accept-Encoding: gzip"), 404, "Not Found\n")
	w := ask(h, "GET /a.js", "Accept-Encoding: br")
	wantHeader(t, w, "Content-Type", "text/javascript; charset=utf-8")
	wantHeader(t, w, "Content-Length", "7")

	plain, br := ask(h, "GET /a.js").Header().Get("ETag"), w.Header().Get("ETag")
	if plain == br {
		t.Errorf("both forms have ETag %s", br)
	}
	want(t, ask(h, "GET /a.js", "Accept-Encoding: br", "If-None-Match: "+br), 304, "")
	want(t, ask(h, "GET /a.js", "Accept-Encoding: br", "If-None-Match: "+plain), 200, "brotli!")
	want(t, ask(h, "GET /a.js", "Accept-Encoding: br", "Range: bytes=1-3"), 206, "rot")
	w = ask(h, "GET /a.js", "Accept-Encoding: br", `If-Match: "x"`)
	want(t, w, 412, "Precondition Failed\n")
	wantHeader(t, w, "Content-Encoding", "")
	w = ask(h, "GET /a.js", "Accept-Encoding: br", "Range: bytes=0-0,2-2")
	wantHeader(t, w, "Content-Encoding", "")

	w = ask(handler(t, dir, static.Options{}), "GET /a.js", "Accept-Encoding: br")
	want(t, w, 200, "plain")
	wantHeader(t, w, "Vary", "")
}

func TestSPA(t *testing.T) {
	h := handler(t, site(t, map[string]string{
		"index.html": "app", "assets/a.js": "js", "docs/index.html": "docs",
	}), static.Options{SPA: true, Cache: time.Hour})
	const html = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"
	for _, c := range []struct {
		request, accept string
		status          int
		body            string
	}{
		{"GET /", html, 200, "app"},
		{"GET /users/7", html, 200, "app"},
		{"HEAD /users/7", html, 200, ""},
		{"GET /users/", html, 200, "app"},
		{"GET /assets", html, 200, "app"},
		{"GET /docs/", html, 200, "docs"},
		{"GET /assets/a.js", html, 200, "js"},
		{"GET /assets/gone.js", html, 404, "Not Found\n"},
		{"GET /users/7", "Accept: */*", 404, "Not Found\n"},
		{"GET /users/7", "Accept: application/json", 404, "Not Found\n"},
		{"GET /users/7", "Accept: text/html;q=0", 404, "Not Found\n"},
		{"GET /.git/config", html, 404, "Not Found\n"},
		{"GET /../x", html, 404, "Not Found\n"},
		{"POST /users/7", html, 405, "Method Not Allowed\n"},
	} {
		t.Run(c.request+" "+c.accept, func(t *testing.T) {
			w := ask(h, c.request, c.accept)
			want(t, w, c.status, c.body)
			if c.body == "app" {
				wantHeader(t, w, "Cache-Control", "no-cache")
			}
		})
	}
	wantHeader(t, ask(h, "GET /users/7", html), "Vary", "Accept")
	wantHeader(t, ask(h, "GET /assets/a.js", html), "Cache-Control", "public, max-age=3600")
}

func TestListing(t *testing.T) {
	dir := site(t, map[string]string{
		"pub/<b>&.txt": "1234", "pub/zeta/x": "", "pub/Alpha.txt": "", "pub/.hidden": "",
		"pub/javascript:alert(1)": "", "home/index.html": "home",
	})
	if err := os.Symlink("../../secret.txt", filepath.Join(dir, "pub", "out.txt")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	h := handler(t, dir, static.Options{List: true})
	w := ask(h, "GET /pub/")
	body := w.Body.String()
	wantHeader(t, w, "Content-Type", "text/html; charset=utf-8")
	wantHeader(t, w, "Cache-Control", "no-cache")
	wantHeader(t, w, "Vary", "Accept")
	last := -1
	for _, part := range []string{
		`href="../"`, `href="./zeta/"`, `href="./%3Cb%3E&amp;.txt">&lt;b&gt;&amp;.txt<`, `href="./Alpha.txt"`, `href="./javascript:alert%281%29"`,
	} {
		at := strings.Index(body, part)
		if at <= last {
			t.Errorf("%s is missing or out of order in\n%s", part, body)
		}
		last = at
	}
	for _, not := range []string{"hidden", "out.txt", "<b>"} {
		if strings.Contains(body, not) {
			t.Errorf("the listing shows %q", not)
		}
	}
	if strings.Contains(ask(h, "GET /").Body.String(), `"../"`) {
		t.Error("the root links to its parent")
	}

	w = ask(h, "GET /pub/", "Accept: application/json")
	wantHeader(t, w, "Content-Type", "application/json")
	var entries []static.Entry
	if err := json.Unmarshal(w.Body.Bytes(), &entries); err != nil {
		t.Fatal(err)
	}
	if len(entries) != 4 || !entries[0].Dir || entries[1].Name != "<b>&.txt" || entries[1].Size != 4 || entries[1].Modified.IsZero() {
		t.Errorf("got %+v", entries)
	}
	wantHeader(t, ask(h, "GET /pub/", "Accept: text/html, application/json;q=0.9"), "Content-Type", "text/html; charset=utf-8")
	want(t, ask(h, "HEAD /pub/"), 200, "")
	want(t, ask(h, "GET /home/"), 200, "home")
	want(t, ask(h, "GET /pub"), 301, "")
	want(t, ask(handler(t, dir, static.Options{}), "GET /pub/"), 404, "Not Found\n")
	w = ask(handler(t, dir, static.Options{List: true, Index: []string{}}), "GET /home/")
	if !strings.Contains(w.Body.String(), "index.html") {
		t.Errorf("without an index, the folder is listed; got %q", w.Body)
	}
}

func TestNameAndErrorOptions(t *testing.T) {
	h := handler(t, site(t, map[string]string{"a.txt": "a", "sub/index.html": "sub", "index.html": "home"}), static.Options{
		Name: func(r *http.Request) string { return strings.TrimPrefix(r.URL.Path, "/files") },
		Error: func(w http.ResponseWriter, _ *http.Request, status int) {
			w.WriteHeader(status)
			w.Write([]byte("mine"))
		},
	})
	want(t, ask(h, "GET /files/a.txt"), 200, "a")
	want(t, ask(h, "GET /files/b.txt"), 404, "mine")
	w := ask(h, "GET /files/sub")
	want(t, w, 301, "")
	wantHeader(t, w, "Location", "./sub/")
	want(t, ask(h, "GET /files/"), 200, "home")
}

func TestNewRefuses(t *testing.T) {
	dir := site(t, map[string]string{"file": ""})
	for _, c := range []struct {
		dir, want string
		o         static.Options
	}{
		{filepath.Join(dir, "missing"), "create the folder", static.Options{}},
		{filepath.Join(dir, "file"), "not a directory", static.Options{}},
		{dir, "plain file name", static.Options{Index: []string{"../x"}}},
		{dir, "spa needs an index", static.Options{SPA: true, Index: []string{}}},
		{dir, "must not be negative", static.Options{Cache: -1}},
	} {
		if _, err := static.New(c.dir, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New(%q, %+v): got %v, want %q", c.dir, c.o, err, c.want)
		}
	}
}

func TestReplacedFolderIsServed(t *testing.T) {
	dir := site(t, map[string]string{"a.txt": "one"})
	h := handler(t, dir, static.Options{})
	want(t, ask(h, "GET /a.txt"), 200, "one")
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Skip("an open folder cannot be moved here:", err)
	}
	want(t, ask(h, "GET /a.txt"), 404, "Not Found\n")
	put(t, filepath.Join(dir, "a.txt"), "two")
	want(t, ask(h, "GET /a.txt"), 200, "two")
}

func TestServeFile(t *testing.T) {
	dir := site(t, map[string]string{"reports/a.pdf": "%PDF", ".env": "key"})
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(context.Background(), "POST", "/x", nil)
	if err := static.ServeFile(w, r, root, "reports/a.pdf", static.Options{Cache: time.Minute}); err != nil {
		t.Fatal(err)
	}
	want(t, w, 200, "%PDF")
	wantHeader(t, w, "Content-Type", "application/pdf")
	wantHeader(t, w, "Cache-Control", "public, max-age=60")
	for _, name := range []string{"", ".", "missing", "reports", "reports/", "/etc/passwd", "../secret.txt", ".env", "reports//a.pdf", "a\x00b"} {
		w := httptest.NewRecorder()
		err := static.ServeFile(w, r, root, name, static.Options{})
		if !errors.Is(err, fs.ErrNotExist) || static.Status(err) != 404 || !strings.Contains(err.Error(), "static: ") {
			t.Errorf("ServeFile(%q): got %v, want not found", name, err)
		}
		if len(w.Header()) != 0 || w.Body.Len() != 0 {
			t.Errorf("ServeFile(%q) wrote %v %q", name, w.Header(), w.Body)
		}
	}
	if got := static.Status(fs.ErrPermission); got != 403 {
		t.Errorf("permission denied is %d", got)
	}
	if got := static.Status(os.ErrClosed); got != 500 {
		t.Errorf("a closed root is %d", got)
	}
}

func TestHiddenFilesAreNotFound(t *testing.T) {
	dir := site(t, map[string]string{"app.lua": "x", "a.txt": "a", "data/app.db": "x", "data/b.txt": "b"})
	h := handler(t, dir, static.Options{List: true, DotFiles: true, Hide: func(name string) bool { return strings.HasSuffix(name, ".lua") || name == "data" }})
	for _, path := range []string{"/app.lua", "/data/", "/data/app.db", "/data/b.txt"} {
		if w := ask(h, "GET "+path); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	want(t, ask(h, "GET /a.txt"), 200, "a")
	if list := ask(h, "GET /").Body.String(); strings.Contains(list, "app.lua") || strings.Contains(list, "data") || !strings.Contains(list, "a.txt") {
		t.Errorf("the list is %s", list)
	}
}
