package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"

	"golang.org/x/net/http/httpguts"
)

// interim passes informational answers on (RFC 9110 §15.2), as 103 Early Hints. 100 Continue is not among
// them: the server sends one when the body of the client is first read, which is when the backend, or the
// transport for it, wants it.
type interim struct {
	mu    sync.Mutex
	c     *call // nil when the final answer has begun
	count int
	trace httptrace.ClientTrace
}

// maxInterim is how many a backend may send.
const maxInterim = 5

func (i *interim) begin(c *call) {
	i.c = c
	i.trace.Got1xxResponse = i.got
}

// within is ctx with the trace that transports look for.
func (i *interim) within(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &i.trace)
}

// close lets no more through. The transport may still hold the trace.
func (i *interim) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.c = nil
}

// sent reports whether the client has got one: it has then seen something of this backend.
func (i *interim) sent() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.count > 0
}

func (i *interim) got(code int, header textproto.MIMEHeader) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.c == nil || code == http.StatusContinue || code == http.StatusSwitchingProtocols || i.c.in.ProtoMajor == 1 && i.c.in.ProtoMinor == 0 {
		return nil
	}
	if i.count++; i.count > maxInterim {
		return errors.New("it sent too many informational answers")
	}
	i.c.inform(code, http.Header(header))
	return nil
}

// inform writes an informational answer, and leaves the header for the final one as it was.
func (c *call) inform(code int, header http.Header) {
	to := c.w.Header()
	before := make(http.Header, len(to))
	for name, values := range to {
		before[name] = values
	}
	for name, values := range header {
		if !isHop(name) && name != "Content-Length" && httpguts.ValidHeaderFieldName(name) {
			to[name] = values
		}
	}
	unnominate(to, header, &c.h.answers)
	c.h.response.apply(to)
	c.w.WriteHeader(code)
	clear(to)
	for name, values := range before {
		to[name] = values
	}
}
