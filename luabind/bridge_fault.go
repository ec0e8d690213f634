package luabind

import (
	"net/http"

	"rws/server/exchange"
)

// answering has a handler that failed and left the answer to the server, as a proxy without a backend
// does, answered where it stands: functions before it see that answer, and not an empty 200.
func (p *Program) answering(h http.Handler, rl *bridge) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		if e := exchange.From(r.Context()); e != nil && e.Fault != nil && rl.status == 0 {
			p.fail(w, r, e.Fault)
		}
	})
}
