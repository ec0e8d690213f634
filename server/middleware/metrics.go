package middleware

import (
	"net/http"
	"time"

	"rws/server/metrics"
)

// Metrics counts requests by the pattern of their route, method and class of status.
func Metrics(m *metrics.Registry) Func {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer m.Begin()()
			e, r := exchanged(r)
			cw := &countingWriter{through: through{ResponseWriter: w}}
			failed := true
			defer func() {
				if cw.status == 0 && (failed || e.Fault != nil) {
					cw.status = http.StatusInternalServerError
				}
				m.Request(e.Route, r.Method, orInt(cw.status, http.StatusOK), time.Since(e.Start))
			}()
			next.ServeHTTP(cw, r)
			failed = false
		})
	}
}
