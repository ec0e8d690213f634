package apikey

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"rws/server/exchange"
	"rws/server/problem"
)

// DefaultHeader is where a key is looked for.
const DefaultHeader = "X-Api-Key"

// Lookup finds the record with an id, nil if there is none. Its error means that it cannot say,
// and then nobody enters.
type Lookup func(ctx context.Context, id string) (*Record, error)

// List is a lookup in a fixed list. It fails for records that can be of no key, and for ids that
// occur twice.
func List(records ...Record) (Lookup, error) {
	byID := make(map[string]*Record, len(records))
	for _, r := range records {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("api keys: %w", err)
		}
		if byID[r.ID] != nil {
			return nil, fmt.Errorf("api keys: the id %s is there twice", r.ID)
		}
		r.Scopes = slices.Clone(r.Scopes)
		byID[r.ID] = &r
	}
	if len(byID) == 0 {
		return nil, errors.New("api keys: the list is empty, so nobody could enter")
	}
	return func(_ context.Context, id string) (*Record, error) { return byID[id], nil }, nil
}

// Options of a guard. Lookup must be set.
type Options struct {
	Lookup Lookup
	// Header that has the key; default DefaultHeader. "Authorization" wants the scheme Bearer or
	// ApiKey before it.
	Header string
	// Query is a parameter that may have the key in place of the header; default none. URLs are
	// kept in logs and histories.
	Query string
	// Scopes that a key must have, all of them.
	Scopes []string
}

type guard struct {
	Options
	challenge string
}

// New returns the middleware, or an error for options that guard nothing. The User of the
// exchange is {"id": …, "name": …, "scopes": […]}. When the time of the request is over before the
// lookup, nothing is written and the Fault of the exchange says so.
func New(o Options) (func(http.Handler) http.Handler, error) {
	if o.Header == "" {
		o.Header = DefaultHeader
	}
	o.Header = textproto.CanonicalMIMEHeaderKey(o.Header)
	switch {
	case o.Lookup == nil:
		return nil, errors.New("api key guard: it has nothing to look keys up with")
	case !httpguts.ValidHeaderFieldName(o.Header):
		return nil, fmt.Errorf("api key guard: %q is no name of a header", o.Header)
	case slices.Contains(o.Scopes, ""):
		return nil, errors.New("api key guard: a scope is empty")
	}
	g := &guard{Options: o, challenge: `ApiKey header="` + o.Header + `"`}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, next) })
	}, nil
}

// errNone means that there is no key.
var errNone = errors.New("an API key is needed")

// refused means that a key does not hold; the client is not told why.
var errRefused = errors.New("the API key is not valid")

func (g *guard) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	e, r := exchange.Of(r)
	record, err := g.record(r)
	switch {
	case errors.Is(err, errNone), errors.Is(err, errRefused):
		if errors.Is(err, errRefused) {
			e.Fault = err
		}
		problem.Write(w, r, problem.Details{Status: http.StatusUnauthorized, ID: e.ID(),
			Detail: "A valid API key is needed.", Extra: http.Header{"Www-Authenticate": {g.challenge}}})
	case errors.Is(err, context.DeadlineExceeded), r.Context().Err() != nil: // who set the time answers
		e.Fault = errors.Join(err, context.Cause(r.Context()))
	case err != nil:
		e.Fault = err
		problem.Write(w, r, problem.Details{Status: http.StatusServiceUnavailable, ID: e.ID(), Detail: "API keys cannot be checked at the moment."})
	case g.lacking(record) != "":
		problem.Write(w, r, problem.Details{Status: http.StatusForbidden, ID: e.ID(), Detail: "The API key lacks the scope " + g.lacking(record) + "."})
	default:
		e.User = record.user()
		next.ServeHTTP(w, r)
	}
}

// user is what a handler learns.
func (r *Record) user() map[string]any {
	scopes := make([]any, len(r.Scopes))
	for i, s := range r.Scopes {
		scopes[i] = s
	}
	return map[string]any{"id": r.ID, "name": r.Name, "scopes": scopes}
}

// lacking is the first scope that a key does not have.
func (g *guard) lacking(r *Record) string {
	for _, scope := range g.Scopes {
		if !slices.Contains(r.Scopes, scope) {
			return scope
		}
	}
	return ""
}

// record is that of the key in the request. The error is errNone, errRefused or that of the
// lookup.
func (g *guard) record(r *http.Request) (*Record, error) {
	key, err := g.key(r)
	if err != nil {
		return nil, err
	}
	id, err := ParseID(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRefused, err)
	}
	record, err := g.Lookup(r.Context(), id)
	switch {
	case err != nil:
		return nil, fmt.Errorf("looking up the API key %s: %w", id, err)
	case record == nil:
		return nil, fmt.Errorf("%w: there is none with the id %s", errRefused, id)
	case record.ID != id || !record.Matches(key):
		return nil, fmt.Errorf("%w: it is not the one with the id %s", errRefused, id)
	case record.Expired():
		return nil, fmt.Errorf("%w: the one with the id %s has expired", errRefused, id)
	}
	return record, nil
}

// key is the one in the request; two are refused, since others might take the other one.
func (g *guard) key(r *http.Request) (string, error) {
	found := slices.Clone(r.Header[g.Header])
	if g.Query != "" && r.URL.RawQuery != "" {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return "", fmt.Errorf("%w: the query cannot be read", errRefused)
		}
		found = append(found, query[g.Query]...)
	}
	switch {
	case len(found) == 0 || len(found) == 1 && found[0] == "":
		return "", errNone
	case len(found) > 1:
		return "", fmt.Errorf("%w: there are %d", errRefused, len(found))
	case g.Header == "Authorization" && len(r.Header[g.Header]) == 1:
		return bare(found[0])
	}
	return strings.TrimSpace(found[0]), nil
}

// bare takes the scheme off; another scheme is for somebody else.
func bare(value string) (string, error) {
	scheme, key, _ := strings.Cut(strings.TrimSpace(value), " ")
	if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "ApiKey") {
		return "", errNone
	}
	return strings.TrimSpace(key), nil
}
