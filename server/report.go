package server

import (
	"net/http"
	"time"

	"rws/server/logs"
)

// report counts and logs the request.
func (t *transaction) report(abort bool) {
	took, status := time.Since(t.Start), t.writer.status
	if status == 0 && !abort {
		status = http.StatusOK // net/http sends that when a handler writes nothing
	}
	switch {
	case t.route != nil:
		t.route.count(took, status >= 500 || abort)
	case t.Route == "": // else a cache before the routing has answered
		t.handler.missed.Add(1)
	}
	if m := t.handler.app.Metrics; m != nil {
		t.counted()
		m.Request(t.pattern(), t.request.Method, orFailed(status), took)
	}
	if t.Fault != nil {
		t.logFault(status)
	}
	if t.handler.around.access == nil {
		return
	}
	r := t.request
	t.handler.around.access.Log(logs.Access{
		Time: t.Start.Add(took), ID: t.ID(), Method: r.Method, Path: r.URL.Path, Route: t.Route, Status: status,
		Bytes: t.writer.bytes, Duration: took, IP: t.ClientIP(), User: t.UserName(), UserAgent: r.UserAgent(), Proto: r.Proto, Request: r,
	})
}

// pattern is that of the route, or of the one that a cache before the routing answers for; requests of
// any path may have none.
func (t *transaction) pattern() string {
	if t.route == nil {
		return t.Route
	}
	return t.route.Pattern
}

// orFailed is the status that counts for an answer that was broken off before it had one.
func orFailed(status int) int {
	if status == 0 {
		return http.StatusInternalServerError
	}
	return status
}
