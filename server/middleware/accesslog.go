package middleware

import (
	"net/http"
	"time"

	"rws/server/logs"
)

// AccessLog writes a line for each request that its handler has answered, for a log of a part of an
// app; the server itself has one of all. It belongs behind [ClientIP] and [RequestID]. A handler that
// panics is logged as 500, or by the status it has begun to answer with.
func AccessLog(log *logs.AccessLogger) Func {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			e, r := exchanged(r)
			lw := &countingWriter{through: through{ResponseWriter: w}}
			failed := true
			defer func() {
				if lw.status == 0 && (failed || e.Fault != nil) {
					lw.status = http.StatusInternalServerError
				}
				log.Log(logs.Access{
					Time: e.Start, ID: e.ID(), Method: r.Method, Path: r.URL.Path, Route: e.Route, Status: orInt(lw.status, http.StatusOK),
					Bytes: lw.bytes, Duration: time.Since(e.Start), IP: e.ClientIP(), UserAgent: r.UserAgent(), Proto: r.Proto, Request: r,
				})
			}()
			next.ServeHTTP(lw, r)
			failed = false
		})
	}
}
