package middleware

import (
	"fmt"
	"net/http"

	"rws/server/exchange"
)

// MaxBody answers 413 when Content-Length says that a request body is larger than limit bytes, before
// any of it is read and so before "100 Continue" is sent. A body of unknown length ends with an
// [http.MaxBytesError] beyond the limit. It can only lower what the server allows, and
// bounds the plain form of a compressed body too, wherever [Decompress] stands.
func MaxBody(limit int64) (Func, error) {
	if limit < 0 {
		return nil, fmt.Errorf("max body %d: must not be negative", limit)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if e := exchange.From(r.Context()); e != nil {
				e.LimitBody(limit) // also for what a later Decompress makes of it
			}
			switch {
			case r.ContentLength > limit:
				refuse(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("The request body is larger than %d bytes.", limit), nil)
				return
			case r.ContentLength < 0 && r.Body != nil:
				r = r.WithContext(r.Context())
				r.Body = http.MaxBytesReader(bottom(w), r.Body, limit) // which closes the connection, if it knows the writer
			}
			next.ServeHTTP(w, r)
		})
	}, nil
}
