package httpcache

import (
	"bufio"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"

	"rws/server/problem"
)

func (t *fill) Header() http.Header { return t.header }

func (t *fill) Unwrap() http.ResponseWriter { return t.w }

func (t *fill) Started() bool { return t.status != 0 || problem.Started(t.w) }

func (t *fill) WriteHeader(status int) {
	switch {
	case t.status != 0:
		return
	case status < 200 && status != http.StatusSwitchingProtocols:
		t.inform(status)
		return
	}
	t.status = status
	if t.replaced(status) {
		t.mode = dropping
		return
	}
	head := t.q.r.Method == http.MethodHead
	if !head && !t.q.wants.NoStore && status != http.StatusSwitchingProtocols {
		t.plan = t.cache.plan(t.q.r, t.q.place.spelling, answer{status, t.header, t.asked, t.cache.o.Now()})
	}
	if t.plan != nil && (t.void.Load() || t.length()+t.plan.size() > t.cache.o.MaxEntry) {
		t.plan = nil
	}
	if t.plan == nil {
		t.free(status < 500 && t.q.r.Method == http.MethodGet && len(t.q.r.Header["Range"]) == 0)
	}
	t.send(status)
}

func (t *fill) inform(status int) {
	h := t.w.Header()
	before := maps.Clone(h)
	apply(h, t.header)
	t.w.WriteHeader(status)
	clear(h)
	maps.Copy(h, before)
}

func (t *fill) replaced(status int) bool {
	return t.old != nil && (status == http.StatusNotModified && t.old.validators() || status >= 500 && t.rescues())
}

func (t *fill) length() int64 {
	n, _ := strconv.ParseInt(t.header.Get("Content-Length"), 10, 64)
	return n
}

func (t *fill) free(remember bool) {
	t.plan, t.body = nil, nil
	if t.flight == nil {
		return
	}
	if remember {
		t.cache.pass(t.key)
	}
	t.cache.land(t.flight, false, false)
}

func (t *fill) send(status int) {
	h := t.w.Header()
	apply(h, t.header)
	for _, name := range tagHeaders {
		delete(h, name)
	}
	what := "fwd=" + t.q.reason
	if t.old != nil {
		what += "; fwd-status=" + strconv.Itoa(status)
	}
	if t.plan != nil {
		what += "; stored"
		t.cache.nameVary(h)
	}
	t.cache.tell(h, what)
	if status == http.StatusOK && len(t.q.r.Header["Range"]) == 0 && holds(t.q.r, t.header) {
		t.mode = copying
		for _, name := range []string{"Content-Length", "Content-Type", "Content-Encoding"} {
			delete(h, name)
		}
		status = http.StatusNotModified
	}
	t.w.WriteHeader(status)
}

func (t *fill) Write(p []byte) (int, error) {
	if t.status == 0 {
		t.WriteHeader(http.StatusOK)
	}
	if t.plan != nil {
		if int64(len(t.body)+len(p))+t.plan.size() > t.cache.o.MaxEntry {
			t.free(true)
		} else {
			t.body = append(t.body, p...)
		}
	}
	if t.mode == passing {
		return t.forward(p)
	}
	if t.plan == nil {
		if t.dropped += int64(len(p)); t.dropped > t.cache.o.MaxEntry {
			return 0, errUnwanted
		}
	}
	return len(p), nil
}

func (t *fill) forward(p []byte) (int, error) {
	n, err := t.w.Write(p)
	if err != nil && t.plan != nil {
		t.mode = copying
		return len(p), nil
	}
	return n, err
}

func (t *fill) ReadFrom(src io.Reader) (int64, error) {
	if t.status == 0 {
		t.WriteHeader(http.StatusOK)
	}
	if to, ok := t.w.(io.ReaderFrom); ok && t.plan == nil && t.mode == passing {
		return to.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{t}, src)
}

func (t *fill) Flush() { _ = t.FlushError() }

func (t *fill) FlushError() error {
	if t.status == 0 {
		t.WriteHeader(http.StatusOK)
	}
	if t.flight != nil {
		t.cache.land(t.flight, false, false)
	}
	if t.mode != passing {
		return nil
	}
	return http.NewResponseController(t.w).Flush()
}

func (t *fill) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(t.w).Hijack()
	if err == nil {
		if t.status == 0 {
			t.status = http.StatusSwitchingProtocols
		}
		t.free(true)
	}
	return conn, rw, err
}
