package middleware

import (
	"fmt"
	"net/http"
	"net/textproto"

	"golang.org/x/net/http/httpguts"

	"rws/server/fieldname"
)

// RequestIDOptions say which header has the id of a request, and whose to keep.
type RequestIDOptions struct {
	// Header defaults to "X-Request-Id".
	Header string
	// Trusted are the peers whose ids are kept, as in [ClientIPOptions]. nil keeps everybody's, an
	// empty list nobody's. It goes by the address of the client, so behind [ClientIP] it is the
	// client that has to be trusted.
	Trusted []string
}

// RequestID gives the answer, and the request for whoever it is passed on to, the id under which the
// request is logged: the one the client sent, if it is 1 to 64 of A-Z a-z 0-9 . _ - and the client is
// trusted, else one of our own.
func RequestID(o RequestIDOptions) (Func, error) {
	header := textproto.CanonicalMIMEHeaderKey(o.Header)
	if header == "" {
		header = "X-Request-Id"
	}
	if !httpguts.ValidHeaderFieldName(header) {
		return nil, fmt.Errorf("request id: %q is no name of a header", o.Header)
	}
	trusted, err := parseAddresses(o.Trusted)
	if err != nil {
		return nil, fmt.Errorf("request id: trusted: %w", err)
	}
	everybody := o.Trusted == nil
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			e, r := exchanged(r)
			sent := ""
			if values := r.Header[header]; len(values) == 1 && (everybody || trusted.has(e.ClientIP())) {
				sent = values[0]
			}
			if !e.SetID(sent) {
				e.SetID(e.ID()) // so that it is not spelled again for the log
			}
			id := []string{e.ID()}
			fieldname.Drop(r.Header, []string{header})
			r.Header[header] = id
			w.Header()[header] = id[:1:1]
			next.ServeHTTP(w, r)
		})
	}, nil
}
