package luabind

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/codec"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/client"
)

const httpResponseType = "rws.HttpResponse"

// httpModule is rws.http.
func httpModule() bind.Module {
	m := bind.Module{Name: "rws.http", Types: []bind.Type{httpResponseOfType()}, Funcs: []bind.Func{
		bind.RawWait("request(method, url, options?)", func(L *lua.LState) int {
			method := strings.ToUpper(bind.Arg[string](L, "rws.http.request", 1))
			if !validHeaderName(method) {
				bind.ArgError(L, "rws.http.request", 1, "%q is no method; write \"GET\", \"POST\" or the like", method)
			}
			return httpCall(L, "rws.http.request", method, 2)
		}),
	}}
	for _, verb := range []string{"get", "head", "post", "put", "patch", "delete"} {
		m.Funcs = append(m.Funcs, bind.RawWait(verb+"(url, options?)", func(L *lua.LState) int {
			return httpCall(L, "rws.http."+verb, strings.ToUpper(verb), 1)
		}))
	}
	return m
}

// httpOptions are the options of a call.
type httpOptions struct {
	Headers     map[string]string `json:"headers"`
	Query       *lua.LTable       `json:"query"`
	JSON        lua.LValue        `json:"json"`
	Form        *lua.LTable       `json:"form"`
	Body        *string           `json:"body"`
	Timeout     *time.Duration    `json:"timeout"`
	Retries     int               `json:"retries"`
	Redirects   *int              `json:"redirects"`
	MaxBody     *bind.Size        `json:"max_body"`
	Stream      bool              `json:"stream"`
	DenyPrivate bool              `json:"deny_private"`
}

// Limits of options.
const (
	maxRetries   = 10
	maxRedirects = 50
)

// httpCall makes the call whose URL is argument n.
func httpCall(L *lua.LState, name, method string, n int) int {
	if method != http.MethodGet && method != http.MethodHead {
		vm.Writes(L)
	}
	address := bind.Arg[string](L, name, n)
	r, err := bind.Options[httpOptions](L, name, n+1).request(L, method, address)
	if err != nil {
		fault.Raise(L, &fault.Error{Code: "option", Message: name + ": " + err.Error(), Cause: err})
	}
	c := stateOf(L).program.client
	var res *client.Response
	err = vm.Wait(L, func(ctx context.Context) (err error) {
		res, err = c.Do(ctx, r)
		return err
	})
	if err != nil {
		bind.Raise(L, name, httpError(err))
	}
	L.Push(bind.New(L, httpResponseType, &HTTPResponse{method: method, res: res}))
	return 1
}

// httpError gives the code of the client's error to scripts. A deadline of the caller stays
// what it is.
func httpError(err error) error {
	if e, ok := errors.AsType[*client.Error](err); ok && !errors.Is(err, vm.ErrDeadline) && !errors.Is(err, vm.ErrStopped) {
		return bind.Errorf(string(e.Code), "%w", e)
	}
	return err
}

// request returns what the client takes.
func (o httpOptions) request(L *lua.LState, method, address string) (client.Request, error) {
	r := client.Request{Method: method, URL: address, Header: make(http.Header), Stream: o.Stream, DenyPrivate: o.DenyPrivate}
	for name, value := range o.Headers {
		name = headerName(name)
		if !validHeaderName(name) {
			return r, fmt.Errorf("option \"headers\": %q is not a header name", name)
		}
		if err := checkHeaderValue(value); err != nil {
			return r, fmt.Errorf("option \"headers\": %s: %w", name, err)
		}
		r.Header.Set(name, value)
	}
	if err := o.limits(&r); err != nil {
		return r, err
	}
	if err := o.addQuery(&r); err != nil {
		return r, err
	}
	return r, o.addBody(L, &r)
}

// limits reads the numbers.
func (o httpOptions) limits(r *client.Request) error {
	if o.Timeout != nil {
		if *o.Timeout <= 0 {
			return errors.New("option \"timeout\": longer than nothing expected")
		}
		r.Timeout = *o.Timeout
	}
	if o.MaxBody != nil {
		if *o.MaxBody <= 0 {
			return errors.New("option \"max_body\": larger than nothing expected")
		}
		if o.Stream {
			return errors.New("option \"max_body\": a stream has no limit; count what you read")
		}
		r.MaxBody = int64(*o.MaxBody)
	}
	if o.Retries < 0 || o.Retries > maxRetries {
		return fmt.Errorf("option \"retries\": a number from 0 to %d expected, got %d", maxRetries, o.Retries)
	}
	r.Retry = client.Retry{Tries: 1 + o.Retries, AnyMethod: true}
	if o.Redirects != nil {
		if *o.Redirects < 0 || *o.Redirects > maxRedirects {
			return fmt.Errorf("option \"redirects\": a number from 0 to %d expected, got %d", maxRedirects, *o.Redirects)
		}
		r.MaxRedirects = *o.Redirects
		if r.MaxRedirects == 0 {
			r.MaxRedirects = client.NoRedirects
		}
	}
	return nil
}

// addQuery adds the option "query" to what the URL has.
func (o httpOptions) addQuery(r *client.Request) error {
	if o.Query == nil {
		return nil
	}
	values, err := queryValues(o.Query)
	if err != nil {
		return fmt.Errorf("option \"query\": %w", err)
	}
	u, err := url.Parse(r.URL)
	if err != nil || len(values) == 0 {
		return nil // the client says better what is wrong
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += values.Encode()
	r.URL = u.String()
	return nil
}

// addBody reads the one of json, form and body that is there.
func (o httpOptions) addBody(L *lua.LState, r *client.Request) error {
	given := 0
	contentType := ""
	if o.JSON != nil {
		given++
		contentType = "application/json"
		b, err := codec.Append(nil, L, o.JSON, codec.Options{})
		if err != nil {
			return fmt.Errorf("option \"json\": %w", err)
		}
		r.Body = b
	}
	if o.Form != nil {
		given++
		contentType = "application/x-www-form-urlencoded"
		values, err := queryValues(o.Form)
		if err != nil {
			return fmt.Errorf("option \"form\": %w", err)
		}
		r.Body = []byte(values.Encode())
	}
	if o.Body != nil {
		given++
		r.Body = []byte(*o.Body)
	}
	if given > 1 {
		return errors.New("a request has one of json, form and body")
	}
	if contentType != "" && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", contentType)
	}
	return nil
}

// An HTTPResponse is the answer to a call.
type HTTPResponse struct {
	method  string
	res     *client.Response
	headers *lua.LTable // made when it is first read

	mu     sync.Mutex // of the stream, which two functions may read at a time
	closed bool
}

// httpResponseOfType describes an HTTPResponse.
func httpResponseOfType() bind.Type {
	field := func(get func(r *HTTPResponse) lua.LValue) func(*lua.LState, any) lua.LValue {
		return func(_ *lua.LState, self any) lua.LValue { return get(self.(*HTTPResponse)) }
	}
	return bind.Type{
		Name: httpResponseType, As: "response",
		Fields: map[string]func(*lua.LState, any) lua.LValue{
			"status": field(func(r *HTTPResponse) lua.LValue { return lua.LNumber(r.res.Status) }),
			"url":    field(func(r *HTTPResponse) lua.LValue { return lua.LString(r.res.URL) }),
			"body": field(func(r *HTTPResponse) lua.LValue {
				if r.res.Stream != nil {
					return lua.LNil
				}
				return lua.LString(r.res.Body)
			}),
			"headers": func(L *lua.LState, self any) lua.LValue {
				r := self.(*HTTPResponse)
				if r.headers == nil {
					r.headers = headerTable(L, r.res.Header)
				}
				return r.headers
			},
		},
		Methods: []bind.Func{
			bind.RawMethod("ok()", httpOK),
			bind.RawMethod("json()", httpJSON),
			bind.Method1("header_values(name)", func(r *HTTPResponse, name string) ([]string, error) {
				return r.res.Header.Values(headerName(name)), nil
			}),
			bind.RawWaitMethod("read(n?)", httpRead),
			bind.RawWaitMethod("chunks()", httpChunks),
			bind.RawWaitMethod("close()", httpClose),
		},
		String: func(self any) string {
			r := self.(*HTTPResponse)
			return fmt.Sprintf("%d %s", r.res.Status, r.res.URL)
		},
	}
}

// headerTable holds headers under their lower-case names, several of one name joined by a
// comma; looking one up takes any case and "_" for "-". Names with a "_" of their own are left
// out: X_User must not pass for the X-User that a proxy has checked. What is not UTF-8 is read
// as Latin-1, as HTTP once had it.
func headerTable(L *lua.LState, h http.Header) *lua.LTable {
	t := fresh(L, L.CreateTable(0, len(h)))
	for name, values := range h {
		if !strings.Contains(name, "_") {
			t.RawSetString(strings.ToLower(name), lua.LString(headerText(strings.Join(values, ", "))))
		}
	}
	mt := L.NewTable()
	mt.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		L.Push(headerField(t, L.Get(2).String()))
		return 1
	}))
	t.Metatable = mt
	return t
}

// headerField looks a header up in a table of headerTable.
func headerField(t *lua.LTable, name string) lua.LValue {
	return t.RawGetString(strings.ToLower(headerName(name)))
}

// headerText is the value of a header as UTF-8.
func headerText(value string) string {
	if utf8.ValidString(value) {
		return value
	}
	text := make([]rune, len(value))
	for i := range len(value) {
		text[i] = rune(value[i])
	}
	return string(text)
}

// httpOK returns the response if its status is one of success, and raises otherwise.
func httpOK(L *lua.LState, r *HTTPResponse) int {
	if s := r.res.Status; s >= 200 && s <= 299 {
		L.Push(L.Get(1))
		return 1
	}
	text := fmt.Sprintf("response:ok: %s %s answered %d %s", r.method, withoutQuery(r.res.URL), r.res.Status, http.StatusText(r.res.Status))
	if body := excerpt(r.res.Body); body != "" {
		text += ": " + body
	}
	fault.Raise(L, &fault.Error{Code: "status", Message: text})
	return 0
}

// withoutQuery leaves out what may hold a token.
func withoutQuery(address string) string {
	if before, _, ok := strings.Cut(address, "?"); ok {
		return before + "?…"
	}
	return address
}

// maxExcerpt is how much of a body an error shows, in bytes.
const maxExcerpt = 200

// excerpt returns the beginning of a text on one line, nothing for other content.
func excerpt(body []byte) string {
	if len(body) > maxExcerpt+utf8.UTFMax {
		body = body[:maxExcerpt+utf8.UTFMax]
	}
	for len(body) > maxExcerpt {
		_, size := utf8.DecodeLastRune(body)
		body = body[:len(body)-size]
	}
	if !utf8.Valid(body) {
		return ""
	}
	return strings.Join(strings.Fields(string(body)), " ")
}

func httpJSON(L *lua.LState, r *HTTPResponse) int {
	if r.res.Stream != nil {
		fault.Raisef(L, "stream", "response:json: the body of this response is a stream; leave out stream = true")
	}
	v, err := codec.Decode(L, r.res.Body, codec.Limits{})
	if err != nil {
		text := fmt.Sprintf("response:json: the answer of %s (status %d, %s): %s", withoutQuery(r.res.URL), r.res.Status,
			orUnknown(r.res.Header.Get("Content-Type")), err)
		fault.Raise(L, &fault.Error{Code: "json", Message: text, Cause: err})
	}
	L.Push(v)
	return 1
}

func orUnknown(contentType string) string {
	if contentType == "" {
		return "no type"
	}
	return contentType
}
