package luabind

import (
	"net/http"
	"strconv"

	"rws/server/static"
)

// effectiveStatus is the status that would be sent now.
func (r *response) effectiveStatus() int {
	switch {
	case r.status != 0:
		return r.status
	case r.kind == bodyNone || r.kind == bodyEmpty:
		return http.StatusNoContent
	}
	return http.StatusOK
}

// send writes the response. No lock is held, but for streams, which take it again.
func (c *Ctx) send(res *response, w http.ResponseWriter) {
	res = c.keepSession(res)
	for b := c.bridge; b != nil; b = b.before {
		b.hush()
	}
	if res.kind == bodyBridge {
		res.bridge.finish(res.headers(), res.status)
		return
	}
	h := w.Header()
	for name, values := range res.header {
		h[name] = values
	}
	if res.mime != nil {
		h["Content-Type"] = res.mime
	}
	switch res.kind {
	case bodyFile:
		c.sendFile(res, w)
	case bodyStored:
		c.sendStored(res, w)
	case bodyStream:
		c.sendStream(res, w)
	default:
		if dev := c.state.program.dev; dev != nil {
			dev.inject(res, h, c.r)
		}
		status := res.effectiveStatus()
		if res.buf == nil {
			w.WriteHeader(status)
			return
		}
		if len(*res.buf) > 2048 { // net/http counts shorter ones itself
			h["Content-Length"] = []string{strconv.Itoa(len(*res.buf))}
		}
		w.WriteHeader(status)
		if status != http.StatusNoContent && status != http.StatusNotModified {
			_, _ = w.Write(*res.buf)
		}
		freeBuffer(res.buf)
		res.buf = nil
	}
}

// isPersonal reports whether an answer may be for one person only: it sets a cookie, or it is to somebody
// who is known, by credentials, by c.user or by a session that has been used.
func (c *Ctx) isPersonal(header http.Header) bool {
	return c.r.Header.Get("Authorization") != "" || c.ex.User != nil || c.session.Load() != nil || len(header["Set-Cookie"]) > 0
}

func (c *Ctx) sendFile(res *response, w http.ResponseWriter) {
	p := c.state.program
	p.refreshed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res.static.Private = c.isPersonal(w.Header())
		if err := p.serveFile(w, r, res.file, res.static); err != nil {
			p.Miss(w, r, static.Status(err), err)
		}
	})).ServeHTTP(w, c.r)
}
