package static_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rws/server/static"
)

// attacks are names that try to leave the root, or to dodge the name rules.
var attacks = []string{
	"/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/%2e%2e%2fsecret.txt", "/.%2e/secret.txt",
	"/%252e%252e%252fsecret.txt", "/..%252fsecret.txt", "/%c0%ae%c0%ae/secret.txt", "/%uff0e%uff0e/secret.txt",
	"/..%5csecret.txt", "/..\\secret.txt", "/a/..\\..\\secret.txt", "/a/../../secret.txt", "/a/%2e%2e/%2e%2e/secret.txt",
	"/./../secret.txt", "/a/./../../secret.txt", "/....//secret.txt", "/..;/secret.txt", "/..%00/secret.txt",
	"//secret.txt", "///../secret.txt", "/%2f..%2fsecret.txt", "/..", "/../", "/%2e%2e", "/.", "/./", "/a/..", "/a/.",
	"//etc/passwd", "/%2fetc%2fpasswd", "//evil.example/..", "/c:/windows/win.ini", "/c:%5cwindows%5cwin.ini", "/C:secret.txt",
	"/%5c%5cserver%5cshare", "/%5c%5c%3f%5cc:%5c", "/CON", "/con.txt", "/a/NUL", "/aux", "/COM1", "/lpt1.html",
	"/a.txt::$DATA", "/a.txt%3a%3a$DATA", "/a.txt.", "/a.txt%20", "/a.txt...", "/a.txt%00", "/a.txt%00.html", "/%00", "/a.txt%0a",
	"/link-out.txt", "/link-dir/secret.txt", "/link-abs.txt", "/link-loop", "/a/link-up/secret.txt", "/gone",
	"/.env", "/%2eenv", "/a/.env", "/.git/HEAD",
}

// plant writes a site with links that leave it, and one that does not.
func plant(t testing.TB) string {
	dir := site(t, map[string]string{"a.txt": "a", "a/b.txt": "b", ".env": "top secret", "a/.env": "top secret", ".git/HEAD": "top secret"})
	for name, target := range map[string]string{
		"link-out.txt": "../secret.txt",
		"link-dir":     "..",
		"link-abs.txt": filepath.Join(filepath.Dir(dir), "secret.txt"),
		"link-loop":    "link-loop",
		"a/link-up":    "../..",
		"gone":         "missing",
		"link-in.txt":  "a/b.txt",
		"a/round.txt":  "../a.txt",
		"folder":       "a",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip("no symbolic links here:", err)
		}
	}
	return dir
}

func TestNothingLeavesTheRoot(t *testing.T) {
	dir := plant(t)
	handlers := map[string]http.Handler{
		"plain": handler(t, dir, static.Options{}),
		"all":   handler(t, dir, static.Options{List: true, Precompressed: true}),
	}
	for kind, h := range handlers {
		for _, attack := range attacks {
			t.Run(kind+" "+attack, func(t *testing.T) {
				for _, r := range requests(attack) {
					w := httptest.NewRecorder()
					h.ServeHTTP(w, r)
					if w.Code != 404 && w.Code != 400 {
						t.Errorf("path %q: got %d %q", r.URL.Path, w.Code, w.Body)
					}
				}
			})
		}
	}
	for path, body := range map[string]string{"/link-in.txt": "b", "/a/round.txt": "a", "/folder/b.txt": "b"} {
		want(t, ask(handlers["plain"], "GET "+path), 200, body)
	}
}

// requests gives the ways in which a target can reach a handler: decoded once,
// and raw, as a router that does not decode would pass it.
func requests(target string) []*http.Request {
	raw := httptest.NewRequest("GET", "/", nil)
	raw.Header.Set("Accept", "text/html")
	raw.Header.Set("Accept-Encoding", "gzip")
	raw.URL = &url.URL{Path: target}
	all := []*http.Request{raw}
	if path, err := url.PathUnescape(target); err == nil {
		decoded := raw.Clone(raw.Context())
		decoded.URL = &url.URL{Path: path, RawPath: target}
		all = append(all, decoded)
	}
	return all
}

func TestWindowsNames(t *testing.T) {
	for _, name := range []string{
		"con", "CON", "nul.txt", "Aux.tar.gz", "com1", "COM¹.txt", "lpt9", "conin$", "con .txt",
		"a.", "a ", "a. .", "a::$DATA", "c:", "c:a", "a*", "a?", "PROGRA~1", "a|b", `a"`,
	} {
		if !static.WindowsRefuses(name) {
			t.Errorf("%q would be served on Windows", name)
		}
	}
	for _, name := range []string{"a.txt", "console", "company", "com", "com10", "lpt", "nullable.js", "a b"} {
		if static.WindowsRefuses(name) {
			t.Errorf("%q would not be served on Windows", name)
		}
	}
}

func FuzzNothingLeavesTheRoot(f *testing.F) {
	h := handler(f, plant(f), static.Options{List: true, Precompressed: true, DotFiles: true})
	for _, attack := range attacks {
		f.Add(attack, "gzip;q=0.5, *")
	}
	f.Fuzz(func(t *testing.T, path, accept string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL = &url.URL{Path: path}
		r.Header.Set("Accept-Encoding", accept)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if strings.Contains(w.Body.String(), "top secret") && !strings.Contains(path, ".env") && !strings.Contains(path, ".git") {
			t.Errorf("%q left the root", path)
		}
		if to := w.Header().Get("Location"); to != "" && !strings.HasPrefix(to, "./") {
			t.Errorf("%q redirects to %q", path, to)
		}
	})
}
