package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"rws/server/fieldname"
)

// HeaderRules change header fields: first Remove, then Set, then Add.
type HeaderRules struct {
	Remove []string // names, or the beginning of names as "X-Internal-*"
	Set    map[string]string
	Add    map[string]string
}

// HeadersOptions of [Headers].
type HeadersOptions struct {
	Request  HeaderRules // on what comes behind
	Response HeaderRules // on what it answers
}

// framing are fields that say how a message is read; net/http writes them.
var framing = []string{"Connection", "Content-Length", "Host", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// Headers changes header fields of requests and answers. A request field that is removed or set is
// removed in every spelling ("X_User", "x.user") that somebody behind could take for it.
func Headers(o HeadersOptions) (Func, error) {
	request, err := o.Request.compile()
	if err != nil {
		return nil, fmt.Errorf("headers: request: %w", err)
	}
	response, err := o.Response.compile()
	if err != nil {
		return nil, fmt.Errorf("headers: response: %w", err)
	}
	if request == nil && response == nil {
		return nil, errors.New("headers: there are no rules")
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if request != nil {
				r = r.WithContext(r.Context())
				r.Header = r.Header.Clone()
				request.apply(r.Header)
			}
			if response == nil {
				next.ServeHTTP(w, r)
				return
			}
			rw := &through{ResponseWriter: w, before: func(int) { response.applyLast(w.Header()) }}
			next.ServeHTTP(rw, r)
			rw.start(http.StatusOK) // for who answers in place of a handler that has written nothing
		})
	}, nil
}

// headerRules are checked rules; names are canonical.
type headerRules struct {
	remove   []string
	prefixes []string // folded
	set, add []field
}

func (h HeaderRules) compile() (*headerRules, error) {
	if len(h.Remove)+len(h.Set)+len(h.Add) == 0 {
		return nil, nil
	}
	c := &headerRules{}
	for _, name := range h.Remove {
		prefix, wild := strings.CutSuffix(name, "*")
		if err := checkHeader(prefix, ""); err != nil {
			return nil, err
		}
		if wild {
			c.prefixes = append(c.prefixes, fieldname.Fold(prefix))
			continue
		}
		c.remove = append(c.remove, textproto.CanonicalMIMEHeaderKey(name))
	}
	var err error
	if c.set, err = fields(h.Set); err != nil {
		return nil, err
	}
	if c.add, err = fields(h.Add); err != nil {
		return nil, err
	}
	for _, f := range c.set {
		c.remove = append(c.remove, f.name)
	}
	return c, nil
}

func fields(m map[string]string) ([]field, error) {
	var list []field
	for name, value := range m {
		if err := checkHeader(name, value); err != nil {
			return nil, err
		}
		list = append(list, field{textproto.CanonicalMIMEHeaderKey(name), []string{value}})
	}
	slices.SortFunc(list, func(a, b field) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

func checkHeader(name, value string) error {
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		return fmt.Errorf("%q is no name of a header", name)
	case !httpguts.ValidHeaderFieldValue(value):
		return fmt.Errorf("%s: the value %q has control characters: a header is one line", name, value)
	case fieldname.In(framing, name):
		return fmt.Errorf("%s belongs to the connection, and is written by the server", name)
	}
	return nil
}

// applyLast is for an answer: a type that was removed is not guessed again below.
func (c *headerRules) applyLast(h http.Header) {
	_, typed := h["Content-Type"]
	c.apply(h)
	if _, left := h["Content-Type"]; typed && !left {
		h["Content-Type"] = nil
	}
}

func (c *headerRules) apply(h http.Header) {
	if len(c.remove) > 0 {
		fieldname.Drop(h, c.remove)
	}
	for name := range h {
		if slices.ContainsFunc(c.prefixes, func(p string) bool { return len(name) >= len(p) && fieldname.Same(name[:len(p)], p) }) &&
			!slices.Contains(framing, name) {
			delete(h, name)
		}
	}
	for _, f := range c.set {
		h[f.name] = f.value[:1:1]
	}
	for _, f := range c.add {
		h[f.name] = append(slices.Clip(h[f.name]), f.value[0])
	}
}
