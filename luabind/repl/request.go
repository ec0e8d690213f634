package repl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/codec"
	"rws/luabind/fault"
	"rws/luabind/vm"
)

var methods = map[string]string{
	"get": http.MethodGet, "post": http.MethodPost, "put": http.MethodPut, "patch": http.MethodPatch,
	"delete": http.MethodDelete, "head": http.MethodHead, "options": http.MethodOptions,
}

// requestOptions are the options of get, post and the others.
type requestOptions struct {
	Headers *lua.LTable `json:"headers"`
	Query   *lua.LTable `json:"query"`
	Cookies *lua.LTable `json:"cookies"`
	Form    *lua.LTable `json:"form"`
	JSON    lua.LValue  `json:"json"`
	Body    *string     `json:"body"`
}

// jarOrigin is where the cookies of a session belong to: https, so that those for secure
// connections come back too.
var jarOrigin = &url.URL{Scheme: "https", Host: "localhost", Path: "/"}

// requestFunctions returns get, post and the others, which act for user when it is not nil.
func (s *Session) requestFunctions(L *lua.LState, user lua.LValue) map[string]*lua.LFunction {
	fns := make(map[string]*lua.LFunction, len(methods))
	for name, method := range methods {
		fns[name] = L.NewFunction(func(L *lua.LState) int { return s.request(L, name, method, user) })
	}
	return fns
}

// as returns a table of get, post and the others that act for its argument.
func (s *Session) as(L *lua.LState) int {
	user := L.CheckAny(1)
	t := L.NewTable()
	for name, fn := range s.requestFunctions(L, user) {
		t.RawSetString(name, fn)
	}
	L.Push(t)
	return 1
}

// request answers get(path, options?) in process.
func (s *Session) request(L *lua.LState, name, method string, user lua.LValue) int {
	if L.GetTop() > 0 && L.Get(1).Type() == lua.LTTable {
		L.Remove(1) // as(user):get("/") and as(user).get("/") both do
	}
	path := bind.Arg[string](L, name, 1)
	if s.options.ReadOnly && method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions {
		fault.Raisef(L, "read_only", "this session is read-only: %s requests are refused", method)
	}
	o := bind.Options[requestOptions](L, name, 2)
	var res *response
	r, body, err := s.newRequest(L, method, path, o)
	if err != nil {
		bind.Raise(L, name, err)
	}
	err = vm.Wait(L, func(ctx context.Context) error {
		if s.options.ReadOnly {
			ctx = vm.ReadOnly(ctx)
		}
		res, err = s.exchange(r.WithContext(ctx), user)
		return err
	})
	if err != nil {
		bind.Raise(L, name, err)
	}
	res.body = body
	if res.status >= 500 && vm.Current(L).Owner == s {
		s.fails = true
		s.scope.Load().set("_err", fault.Value(L, res.fault()))
	}
	L.Push(res.table(L))
	return 1
}

// fault is what _err is after a request that the app failed to answer.
func (r *response) fault() *fault.Error {
	e := &fault.Error{Code: "request", Status: r.status, Message: fmt.Sprintf("%s %s was answered %d", r.request.Method, r.request.URL.Path, r.status)}
	var problem struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(r.content, &problem) == nil && problem.Detail != "" {
		e.Message += ": " + strings.TrimSpace(problem.Detail)
	}
	return e
}

// newRequest builds the request and returns its body once more, for curl.
func (s *Session) newRequest(L *lua.LState, method, path string, o requestOptions) (*http.Request, []byte, error) {
	target, err := s.target(path, o.Query)
	if err != nil {
		return nil, nil, err
	}
	body, contentType, err := requestBody(L, o)
	if err != nil {
		return nil, nil, err
	}
	r, err := http.NewRequest(method, target, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	r.RequestURI = r.URL.RequestURI()
	r.RemoteAddr = "127.0.0.1:0"
	r.Header.Set("User-Agent", "rws-repl")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for _, c := range s.jar.Cookies(jarOrigin) {
		r.AddCookie(c)
	}
	for _, p := range pairs(o.Cookies) {
		r.AddCookie(&http.Cookie{Name: p.name, Value: p.value})
	}
	for _, p := range pairs(o.Headers) {
		r.Header.Set(p.name, p.value)
		if strings.EqualFold(p.name, "Host") {
			r.Host = p.value
		}
	}
	return r, body, nil
}

// target returns the URL for a path such as "/notes?page=2".
func (s *Session) target(path string, query *lua.LTable) (string, error) {
	if !strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("a path such as \"/notes\" expected, got %q: requests of the console stay in this app", path)
	}
	u, err := url.Parse(s.base() + path)
	if err != nil {
		return "", fmt.Errorf("reading the path %q: %w", path, err)
	}
	if query != nil {
		q := u.Query()
		for _, p := range pairs(query) {
			q.Add(p.name, p.value)
		}
		u.RawQuery = q.Encode()
	}
	return u.String(), nil
}

// base is the address of the app without a slash at the end.
func (s *Session) base() string {
	if u := s.host.URL(); u != "" {
		return strings.TrimRight(u, "/")
	}
	return "http://localhost"
}

func requestBody(L *lua.LState, o requestOptions) (body []byte, contentType string, err error) {
	given := 0
	if o.Form != nil {
		given++
		form := url.Values{}
		for _, p := range pairs(o.Form) {
			form.Add(p.name, p.value)
		}
		body, contentType = []byte(form.Encode()), "application/x-www-form-urlencoded"
	}
	if o.JSON != nil && o.JSON != lua.LNil {
		given++
		contentType = "application/json"
		if body, err = codec.Append(nil, L, o.JSON, codec.Options{}); err != nil {
			return nil, "", fmt.Errorf("encoding json: %w", err)
		}
	}
	if o.Body != nil {
		given++
		body = []byte(*o.Body)
	}
	if given > 1 {
		return nil, "", errors.New("a request has one body: use one of form, json and body")
	}
	return body, contentType, nil
}

type pair struct{ name, value string }

// pairs returns the entries of an option table in order; a list gives its name several
// times.
func pairs(t *lua.LTable) []pair {
	if t == nil {
		return nil
	}
	var out []pair
	for _, k := range sortedKeys(t) {
		v := t.RawGet(k)
		list, ok := v.(*lua.LTable)
		if !ok {
			out = append(out, pair{k.String(), plainText(v)})
			continue
		}
		for i := 1; i <= list.Len(); i++ {
			out = append(out, pair{k.String(), plainText(list.RawGetInt(i))})
		}
	}
	return out
}

func plainText(v lua.LValue) string {
	if n, ok := v.(lua.LNumber); ok {
		return number(n)
	}
	return v.String()
}

// exchange has the host answer r. It runs with the isolate's lock released.
func (s *Session) exchange(r *http.Request, user lua.LValue) (*response, error) {
	rec := &recorder{header: make(http.Header)}
	started := time.Now()
	if err := s.serve(rec, r, user); err != nil {
		return nil, err
	}
	if err := context.Cause(r.Context()); err != nil {
		return nil, err
	}
	took := time.Since(started)
	res := &response{request: r, status: rec.code(), header: rec.header, content: rec.buf.Bytes(), took: took}
	s.jar.SetCookies(jarOrigin, (&http.Response{Header: rec.header}).Cookies())
	return res, nil
}

// serve turns a panic of a handler into an error, as net/http would end the connection.
func (s *Session) serve(w http.ResponseWriter, r *http.Request, user lua.LValue) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%s %s was broken off: %v", r.Method, r.URL.Path, v)
		}
	}()
	return s.host.Serve(w, r, user)
}

// maxRecorded bounds the body of an answer that is kept: 16 MB. The rest is dropped.
const maxRecorded = 16 << 20

// A recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	buf    bytes.Buffer
}

// Header returns the headers of the answer.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader sets the status, the first time.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
		r.header = r.header.Clone()
	}
}

// Write keeps the body.
func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	r.buf.Write(p[:min(len(p), maxRecorded-r.buf.Len())])
	return len(p), nil
}

// Flush does nothing; handlers that stream ask for it.
func (r *recorder) Flush() { r.WriteHeader(http.StatusOK) }

func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}

// curl writes the command line for a response, or for the last one.
func (s *Session) curl(L *lua.LState) int {
	t, ok := L.Get(1).(*lua.LTable)
	if !ok {
		bind.ArgError(L, "curl", 1, "a response expected, as in curl(_) after get \"/\", got %s", L.Get(1).Type())
	}
	res, ok := asResponse(L, t)
	if !ok {
		bind.ArgError(L, "curl", 1, "a response expected, as in curl(_) after get \"/\", got a table")
	}
	s.write(L, clean(res.curl())+"\n")
	return 0
}

// curl returns the command line for the request behind r.
func (r *response) curl() string {
	args := []string{"curl", "-i"}
	if method := r.request.Method; method == http.MethodHead {
		args = append(args, "--head")
	} else if method != http.MethodGet {
		args = append(args, "-X", method)
	}
	names := make([]string, 0, len(r.request.Header))
	for name := range r.request.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if name == "User-Agent" {
			continue
		}
		for _, v := range r.request.Header[name] {
			args = append(args, "-H", shellQuote(name+": "+v))
		}
	}
	if len(r.body) > 0 {
		args = append(args, "--data-binary", shellQuote(string(r.body)))
	}
	return strings.Join(append(args, shellQuote(r.request.URL.String())), " ")
}

// shellQuote quotes s for a POSIX shell, and for bash and zsh where it has control
// characters.
func shellQuote(s string) string {
	if !strings.ContainsFunc(s, unicode.IsControl) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c == '\'' || c == '\\':
			b.WriteString(`\` + string(c))
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return "$'" + b.String() + "'"
}
