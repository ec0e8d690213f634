package luabind

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"rws/server"
)

// A Call is a request that a test or the REPL makes without a socket.
type Call struct {
	Method  string
	Target  string // path and query; a full URL sets the host
	Header  map[string]string
	Query   map[string]string
	Form    map[string]string // sent as application/x-www-form-urlencoded
	JSON    []byte            // sent as application/json
	Body    string
	Files   map[string]Upload // sent with Form as multipart/form-data
	Cookies map[string]string
	As      any // c.user
}

// An Upload is a file of a Call.
type Upload struct{ Name, Content, Type string }

// An Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	Took   time.Duration
}

// A Caller makes requests to a program in-process. It keeps cookies, as a browser does.
type Caller struct {
	program *Program
	handler *server.Handler
	jar     http.CookieJar
}

// Caller returns a Caller without cookies.
func (p *Program) Caller() (*Caller, error) {
	h, err := server.Compile(p.App)
	if err != nil {
		return nil, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &Caller{program: p, handler: h, jar: jar}, nil
}

// Do makes one request. It follows no redirect.
func (c *Caller) Do(ctx context.Context, call Call) (*Answer, error) {
	r, err := call.request(ctx)
	if err != nil {
		return nil, err
	}
	origin := *r.URL
	origin.Host = r.Host
	origin.Scheme = "https" // so that cookies for TLS are kept too
	for _, k := range c.jar.Cookies(&origin) {
		r.AddCookie(k)
	}
	w := httptest.NewRecorder()
	start := time.Now()
	c.handler.ServeHTTP(w, r)
	res := w.Result()
	c.jar.SetCookies(&origin, res.Cookies())
	body, err := io.ReadAll(res.Body)
	if call.Method == http.MethodHead {
		body = nil // as net/http does on a socket
	}
	return &Answer{Status: res.StatusCode, Header: res.Header, Body: body, Took: time.Since(start)}, err
}

// settle waits for what the requests have begun behind their answers, and no longer than shadowTime.
func (c *Caller) settle(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, shadowTime)
	defer cancel()
	if err := c.handler.Settle(bounded); err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// request builds the request.
func (c Call) request(ctx context.Context) (*http.Request, error) {
	u, err := url.Parse(c.Target)
	if err != nil {
		return nil, fmt.Errorf("reading the path %q: %w", c.Target, err)
	}
	if u.Host == "" {
		u.Scheme, u.Host = "http", "localhost"
	}
	if !strings.HasPrefix(u.Path, "/") {
		return nil, fmt.Errorf("the path %q does not begin with a slash", c.Target)
	}
	if len(c.Query) > 0 {
		q := u.Query()
		for name, v := range c.Query {
			q.Set(name, v)
		}
		u.RawQuery = q.Encode()
	}
	body, contentType, err := c.body()
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, c.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.RemoteAddr, r.RequestURI = "127.0.0.1:0", u.RequestURI()
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for name, v := range c.Header {
		if name = headerName(name); strings.EqualFold(name, "Host") {
			r.Host = v // where net/http has it
			continue
		}
		r.Header.Set(name, v)
	}
	for name, v := range c.Cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: v})
	}
	if c.As != nil {
		r = r.WithContext(context.WithValue(r.Context(), asKey{}, c.As))
	}
	return r, nil
}

type asKey struct{}

// body returns the body and its type.
func (c Call) body() ([]byte, string, error) {
	switch {
	case c.JSON != nil:
		if !json.Valid(c.JSON) {
			return nil, "", fmt.Errorf("the json body is not valid")
		}
		return c.JSON, "application/json", nil
	case c.Files != nil:
		return c.multipart()
	case c.Form != nil:
		return []byte(query(c.Form)), "application/x-www-form-urlencoded", nil
	}
	return []byte(c.Body), "", nil
}

func (c Call) multipart() ([]byte, string, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, v := range c.Form {
		if err := w.WriteField(name, v); err != nil {
			return nil, "", err
		}
	}
	for name, f := range c.Files {
		h := make(map[string][]string)
		h["Content-Disposition"] = []string{multipart.FileContentDisposition(name, f.Name)}
		if f.Type != "" {
			h["Content-Type"] = []string{f.Type}
		}
		part, err := w.CreatePart(h)
		if err == nil {
			_, err = io.WriteString(part, f.Content)
		}
		if err != nil {
			return nil, "", err
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return b.Bytes(), w.FormDataContentType(), nil
}
