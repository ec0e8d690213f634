// Package forward guards handlers with an authentication service, such as Authelia or oauth2-proxy,
// as Traefik's ForwardAuth, Caddy's forward_auth and the auth_request of nginx do.
//
// For each request the service is asked with a GET that has the headers of the client and
//
//	X-Forwarded-Method, -Proto, -Host, -Uri, -For
//
// If it answers with 2xx the request goes on with the headers of the answer that are nominated; any
// other answer goes to the client as it is. When there is no answer the client gets 502 or, if it
// took too long, 504: nobody enters then.
//
// A nominated header means what the service has said and nothing else: what the client sent under
// its name, or under one that others take for it (Remote_User, remote.user), is removed first.
package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"rws/server/client"
	"rws/server/exchange"
	"rws/server/fieldname"
	"rws/server/problem"
)

const (
	// DefaultTimeout is how long the service may take.
	DefaultTimeout = 2 * time.Second
	// MaxAnswer is the length of an answer in bytes beyond which it is none.
	MaxAnswer = 64 << 10
)

// Options of a guard. URL must be set.
type Options struct {
	// URL of the service, http or https. What it redirects to is not followed: that is for the
	// client.
	URL string
	// Copy nominates the headers of a 2xx answer that the request goes on with.
	Copy []string
	// Cookies also sets the cookies of a 2xx answer at the client; those of others it always gets.
	Cookies bool
	// Headers of the client that the service gets; nil means all. Those of the connection and of
	// the body, conditions and ranges are never sent.
	Headers []string
	// MaxBody is how many bytes of a request body the service gets; a longer one is answered with
	// 413. 0, the default, sends none, and the body is not touched.
	MaxBody int64
	// Timeout of the service.
	Timeout time.Duration
	// Scheme is the one that the client used, where a proxy that is trusted knows it; nil goes by
	// the connection.
	Scheme func(*http.Request) string
	// Client asks; nil means one of its own.
	Client *client.Client
}

// Guard asks the service. Safe for concurrent use; made by [New].
type Guard struct {
	o   Options
	own bool // the client
}

// New returns a guard, or an error for options that cannot work.
func New(o Options) (*Guard, error) {
	o.Copy, o.Headers = canonical(o.Copy), canonical(o.Headers)
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("forward auth: %w", err)
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Scheme == nil {
		o.Scheme = scheme
	}
	g := &Guard{o: o}
	if o.Client == nil {
		g.own, g.o.Client = true, client.New(client.Options{})
	}
	return g, nil
}

func canonical(names []string) []string {
	if names == nil {
		return nil
	}
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = http.CanonicalHeaderKey(name)
	}
	return list
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

func (o Options) check() error {
	u, err := url.Parse(o.URL)
	switch {
	case o.URL == "":
		return errors.New("the address of the service is empty: is its environment variable set?")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("the address of the service: want an absolute URL with http or https")
	case o.Timeout < 0 || o.MaxBody < 0:
		return fmt.Errorf("a timeout of %s and %d bytes of body: must not be negative", o.Timeout, o.MaxBody)
	}
	for _, name := range slices.Concat(o.Copy, o.Headers) {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("%q is no name of a header", name)
		}
	}
	for _, name := range o.Copy {
		if fieldname.In(unsent, name) || name == "Host" || name == "Set-Cookie" {
			return fmt.Errorf("the header %s cannot be copied: it belongs to the connection, the body or the answer", name)
		}
	}
	return nil
}

// Close closes the idle connections to the service.
func (g *Guard) Close() {
	if g.own {
		g.o.Client.Close()
	}
}

// Wrap guards next. The User of the exchange is the copied headers by name, and the first of them
// as "name". The values of one that comes several times are joined with ", " (RFC 9110 §5.3).
func (g *Guard) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, r := exchange.Of(r)
		r = r.WithContext(r.Context()) // a copy, which may be changed
		r.Header = r.Header.Clone()
		answer, err := g.ask(r, e)
		switch {
		case err != nil:
			g.fail(w, r, e, err)
		case answer.Status >= 200 && answer.Status <= 299:
			g.admit(w, r, e, answer)
			next.ServeHTTP(w, r)
		default:
			pass(w, r, answer)
		}
	})
}

// ask calls the service.
func (g *Guard) ask(r *http.Request, e *exchange.Exchange) (*client.Response, error) {
	header := g.header(r, e)
	body, err := g.body(r)
	if err != nil {
		return nil, err
	}
	if len(body) > 0 && r.Header.Get("Content-Type") != "" {
		header.Set("Content-Type", r.Header.Get("Content-Type"))
	}
	answer, err := g.o.Client.Do(r.Context(), client.Request{
		URL: g.o.URL, Header: header, Body: body, Timeout: g.o.Timeout, MaxRedirects: client.NoRedirects, MaxBody: MaxAnswer,
	})
	if err != nil {
		return nil, fmt.Errorf("asking the authentication service: %w", err)
	}
	if answer.Status < 200 {
		return nil, fmt.Errorf("asking the authentication service: it answered with status %d", answer.Status)
	}
	return answer, nil
}

// body reads the body for the service, and gives it back to the request.
func (g *Guard) body(r *http.Request) ([]byte, error) {
	if g.o.MaxBody == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if r.ContentLength > g.o.MaxBody {
		return nil, &http.MaxBytesError{Limit: g.o.MaxBody}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, g.o.MaxBody+1))
	switch {
	case err != nil:
		return nil, &bodyError{err}
	case int64(len(body)) > g.o.MaxBody:
		return nil, &http.MaxBytesError{Limit: g.o.MaxBody}
	}
	r.Body = again{strings.NewReader(string(body)), r.Body}
	return body, nil
}

// bodyError is a body that the client did not send as it should.
type bodyError struct{ error }

func (e *bodyError) Unwrap() error { return e.error }

// again is a body that is read a second time.
type again struct {
	io.Reader
	io.Closer
}

// admit makes the request the one that the service has let in.
func (g *Guard) admit(w http.ResponseWriter, r *http.Request, e *exchange.Exchange, answer *client.Response) {
	fieldname.Drop(r.Header, g.o.Copy)
	keepFromConnection(r.Header, g.o.Copy)
	if len(g.o.Copy) > 0 {
		r.Trailer = nil // which others may take for headers
	}
	user := map[string]any{}
	for _, name := range g.o.Copy {
		values := answer.Header[name]
		if len(values) == 0 {
			continue
		}
		r.Header[name] = slices.Clone(values)
		user[name] = strings.Join(values, ", ")
		if user["name"] == nil {
			user["name"] = user[name]
		}
	}
	e.User = user
	if g.o.Cookies {
		for _, c := range answer.Header["Set-Cookie"] {
			w.Header().Add("Set-Cookie", c)
		}
	}
}

// pass gives the client the answer of the service.
func pass(w http.ResponseWriter, r *http.Request, answer *client.Response) {
	removeHop(answer.Header)
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(answer.Body) // there is nobody left to tell
	}
}

// fail answers when the service has not.
func (g *Guard) fail(w http.ResponseWriter, r *http.Request, e *exchange.Exchange, err error) {
	e.Fault = err
	status, detail := http.StatusBadGateway, "The authentication service cannot be reached."
	call, _ := errors.AsType[*client.Error](err)
	tooLarge, _ := errors.AsType[*http.MaxBytesError](err)
	broken, _ := errors.AsType[*bodyError](err)
	switch {
	case tooLarge != nil:
		status, detail = http.StatusRequestEntityTooLarge, fmt.Sprintf("The request body is larger than %d bytes.", tooLarge.Limit)
	case broken != nil:
		status, detail = http.StatusBadRequest, "The request body could not be read."
	case call != nil && call.Code == client.CodeTimeout, errors.Is(err, context.DeadlineExceeded):
		status, detail = http.StatusGatewayTimeout, "The authentication service took too long."
	case call != nil && call.Code == client.CodeTooLarge:
		e.Fault = fmt.Errorf("its answer has more than %d bytes, so it is none: %w", MaxAnswer, err)
		detail = "The authentication service did not answer properly."
	case call != nil && call.Code == client.CodeProtocol:
		e.Fault = fmt.Errorf("it broke off its answer, or what came is not HTTP: %w", err)
		detail = "The authentication service did not answer properly."
	case call != nil && call.Code == client.CodeCanceled:
		status, detail = http.StatusServiceUnavailable, "The request was broken off."
	}
	problem.Write(w, r, problem.Details{Status: status, Detail: detail, ID: e.ID()})
}
