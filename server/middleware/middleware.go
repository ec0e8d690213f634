// Package middleware has what stands before a handler: guards, limits, and what changes requests
// and answers on their way.
//
// Each file has one middleware: options, and a constructor that refuses options that make no sense.
// What guards fails closed: when it cannot tell, the request does not pass.
//
//	limit, err := middleware.RateLimit(middleware.RateLimitOptions{Store: store, Rate: rate})
//	cors, err := middleware.CORS(middleware.CORSOptions{Origins: []string{"https://app.example.com"}})
//	h = middleware.Chain(h, limit, cors) // limit is asked first
package middleware

import (
	"net/http"
	"slices"

	"rws/server/exchange"
	"rws/server/problem"
)

// Func puts a handler behind something.
type Func = func(next http.Handler) http.Handler

// Chain puts h behind all of them, the first outermost.
func Chain(h http.Handler, all ...Func) http.Handler {
	for _, m := range slices.Backward(all) {
		h = m(h)
	}
	return h
}

// exchanged is the exchange of r. A request that has none, outside of the server, gets one.
func exchanged(r *http.Request) (*exchange.Exchange, *http.Request) {
	if e := exchange.From(r.Context()); e != nil {
		return e, r
	}
	e := exchange.New(r)
	return e, r.WithContext(e)
}

// secure reports whether the client speaks TLS, with us or with a proxy that [ClientIP] trusts.
func secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	e := exchange.From(r.Context())
	return e != nil && e.Secure
}

// refuse answers with a problem.
func refuse(w http.ResponseWriter, r *http.Request, status int, detail string, extra http.Header) {
	d := problem.Details{Status: status, Detail: detail, Extra: extra}
	if e := exchange.From(r.Context()); e != nil {
		d.ID = e.ID()
	}
	problem.Write(w, r, d)
}
