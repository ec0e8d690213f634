package fastcgi

import (
	"cmp"
	"fmt"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"rws/server/exchange"
)

// script is what a path names.
type script struct {
	name string // below the root, as in "/a.php"
	info string // behind it, as in "/more"; often ""
}

// script finds the script that a path names: the first part of it that ends with the extension, letter
// by letter. Folding cases of Unicode here once made others run files that are no scripts
// (CVE-2026-27590). A path that ends with "/" is the index of its folder, with a front one that is
// there on this machine.
func (t *Transport) script(path string) (script, bool) {
	if !strings.HasPrefix(path, "/") || strings.ContainsRune(path, 0) || dotted(path) {
		return script{}, false
	}
	for from := 0; ; {
		i := strings.Index(path[from:], t.o.Extension)
		if i < 0 {
			break
		}
		end := from + i + len(t.o.Extension)
		if (end == len(path) || path[end] == '/') && path[end-len(t.o.Extension)-1] != '/' {
			return script{path[:end], path[end:]}, true
		}
		from = end
	}
	if index := path + t.o.Index; strings.HasSuffix(path, "/") && (t.o.Front == "" || !hidden(index) && t.has(index)) {
		return script{index, ""}, true
	}
	if path == "/" {
		path = "" // or PHP_SELF would be that of another page, "/index.php/"
	}
	return script{t.o.Front, path}, t.o.Front != ""
}

// dotted reports whether a path leads out of a folder or stays in it by a detour, on any system.
func dotted(path string) bool {
	for part := range parts(path) {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

// parts are the names in a path, as any system takes it apart.
func parts(path string) iter.Seq[string] {
	return strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' })
}

// params are the variables of a request.
func (t *Transport) params(r *http.Request, s script, size int64) map[string]string {
	p := make(map[string]string, 24+len(r.Header))
	for name, values := range r.Header {
		if name := variable(name); name != "" {
			p[name] = strings.Join(values, separator(name))
		}
	}
	p["GATEWAY_INTERFACE"], p["SERVER_SOFTWARE"], p["SERVER_PROTOCOL"] = "CGI/1.1", "rws", cmp.Or(r.Proto, "HTTP/1.1")
	p["HTTP_HOST"] = r.Host
	p["REQUEST_METHOD"], p["REQUEST_URI"], p["QUERY_STRING"] = r.Method, target(r), r.URL.RawQuery
	p["DOCUMENT_ROOT"], p["DOCUMENT_URI"] = t.o.Root, s.name+s.info
	p["SCRIPT_NAME"], p["SCRIPT_FILENAME"] = s.name, t.o.Root+s.name
	if s.info != "" {
		p["PATH_INFO"], p["PATH_TRANSLATED"] = s.info, t.o.Root+s.info
	}
	p["CONTENT_TYPE"], p["CONTENT_LENGTH"] = r.Header.Get("Content-Type"), ""
	if size > 0 {
		p["CONTENT_LENGTH"] = strconv.FormatInt(size, 10)
	}
	p["REDIRECT_STATUS"] = "200" // PHP runs nothing without it (cgi.force_redirect)
	t.client(p, r)
	for name, value := range t.o.Env {
		p[name] = value
	}
	return p
}

// target is the path and the query that the client has asked for, before a proxy made others of them.
// In absolute form (RFC 9112 §3.2.2) there is a host before it.
func target(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	if u, err := url.ParseRequestURI(r.RequestURI); err == nil && u.Host != "" {
		return u.RequestURI()
	}
	return r.URL.RequestURI()
}

// client says who asks, as the exchange knows it, and whom over which scheme.
func (t *Transport) client(p map[string]string, r *http.Request) {
	address, port, _ := net.SplitHostPort(r.RemoteAddr)
	secure := r.TLS != nil
	if e := exchange.From(r.Context()); e != nil {
		if ip := e.ClientIP(); ip.IsValid() {
			if ip.String() != address {
				port = "0" // a proxy's
			}
			address = ip.String()
		}
		secure = secure || e.Secure
		if name := e.UserName(); name != "" {
			p["REMOTE_USER"] = name
		}
	}
	p["REMOTE_ADDR"], p["REMOTE_PORT"] = address, port
	p["REQUEST_SCHEME"] = "http"
	if secure {
		p["REQUEST_SCHEME"], p["HTTPS"] = "https", "on"
	}
	p["SERVER_NAME"], p["SERVER_PORT"] = hostPort(r.Host, secure)
}

// variable is the name under which a header field is handed on; "" for none. "Proxy" would become
// HTTP_PROXY, which programs take for their own setting (https://httpoxy.org), and a name with "_"
// or "." would become that of another field.
func variable(header string) string {
	if header == "Proxy" || header == "Content-Type" || header == "Content-Length" || header == "Host" || strings.ContainsAny(header, "_.") {
		return ""
	}
	return "HTTP_" + strings.ReplaceAll(strings.ToUpper(header), "-", "_")
}

// separator joins the values of fields that came more than once (RFC 6265 §5.4 for cookies).
func separator(variable string) string {
	if variable == "HTTP_COOKIE" {
		return "; "
	}
	return ", "
}

// hostPort takes a Host apart. One without a port has that of its scheme.
func hostPort(host string, secure bool) (name, port string) {
	if name, port, err := net.SplitHostPort(host); err == nil {
		return name, port
	}
	port = "80"
	if secure {
		port = "443"
	}
	return strings.Trim(host, "[]"), port
}

// An Error says why there is no answer.
type Error struct {
	Phase  string // dial, write, header, body
	Client bool   // reading the body of the request failed: not the application's fault
	Err    error
}

func (e *Error) Error() string { return fmt.Sprintf("fastcgi: %s: %s", e.Phase, e.Err) }

func (e *Error) Unwrap() error { return e.Err }
