package bearer

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"rws/server/cookie"
)

// Source is a place in a request where a token may be. Made by [Authorization], [Header],
// [Cookie] and [Query].
type Source struct{ kind, name string }

// Authorization is the header of that name with the scheme Bearer, in any case. Another scheme
// is no token.
func Authorization() Source { return Source{"header", "Authorization"} }

// Header is one that holds the token alone; "Authorization" is [Authorization].
func Header(name string) Source { return Source{"header", textproto.CanonicalMIMEHeaderKey(name)} }

// Cookie is a plain cookie.
func Cookie(name string) Source { return Source{"cookie", name} }

// Query is a parameter, such as "access_token". URLs are kept in logs and histories: use it only
// for what cannot send a header, such as a WebSocket of a browser.
func Query(name string) Source { return Source{"query", name} }

func (s Source) check() error {
	switch {
	case s.name == "":
		return errors.New("a place where a token may be has no name")
	case s.kind != "query" && !httpguts.ValidHeaderFieldName(s.name):
		return fmt.Errorf("%q is no name of a %s", s.name, s.kind)
	}
	return nil
}

// token is the token in this place, "" for none.
func (s Source) token(r *http.Request) (string, error) {
	switch s.kind {
	case "cookie":
		if n := cookie.Count(r.Header, s.name); n > 1 {
			return "", fmt.Errorf("there are %d cookies that hold a token", n)
		}
		token, _ := cookie.Get(r.Header, s.name)
		return token, nil
	case "query":
		return s.query(r.URL.RawQuery)
	}
	values := r.Header[s.name]
	switch {
	case len(values) > 1:
		return "", fmt.Errorf("there are %d headers %s", len(values), s.name)
	case len(values) == 0:
		return "", nil
	case s.name == "Authorization":
		return authorization(values[0])
	}
	return strings.TrimSpace(values[0]), nil
}

// authorization reads "Bearer token".
func authorization(value string) (string, error) {
	scheme, token, _ := strings.Cut(strings.TrimSpace(value), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	token = strings.TrimLeft(token, " ")
	if token == "" || strings.IndexByte(token, ' ') >= 0 || strings.IndexByte(token, '\t') >= 0 || strings.IndexByte(token, ',') >= 0 { // much faster than ContainsAny
		return "", errors.New("the Authorization header must be Bearer and one token")
	}
	return token, nil
}

// query looks for the parameter; what cannot be read entirely has no token.
func (s Source) query(raw string) (string, error) {
	if raw == "" {
		return "", nil
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return "", errors.New("the query cannot be read")
	}
	values := query[s.name]
	if len(values) > 1 {
		return "", fmt.Errorf("there are %d parameters that hold a token", len(values))
	}
	if len(values) == 0 {
		return "", nil
	}
	return values[0], nil
}
