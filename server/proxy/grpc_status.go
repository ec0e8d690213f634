package proxy

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"rws/server/proxy/upstream"
)

// A grpcFault is a status of gRPC that is a failure of the backend, with the status of HTTP that it stands for.
// All others, as NOT_FOUND and UNIMPLEMENTED, are answers as good as any.
type grpcFault struct {
	name string
	code int
}

var grpcFaults = map[string]grpcFault{
	"2":  {"UNKNOWN", http.StatusInternalServerError},
	"4":  {"DEADLINE_EXCEEDED", http.StatusGatewayTimeout},
	"13": {"INTERNAL", http.StatusInternalServerError},
	"14": {"UNAVAILABLE", http.StatusServiceUnavailable},
	"15": {"DATA_LOSS", http.StatusInternalServerError},
}

// outcome is what an answer says of its backend. h is its header, or the trailer in which gRPC has its status.
func (c *call) outcome(t *try, h http.Header) upstream.Outcome {
	o := upstream.Outcome{Kind: kindOf(t.res.StatusCode), Status: t.res.StatusCode, Took: t.took}
	if !c.grpc || o.Kind != upstream.Success || len(h["Grpc-Status"]) != 1 {
		return o
	}
	fault, ok := grpcFaults[h["Grpc-Status"][0]]
	switch {
	case !ok:
	case fault.code == http.StatusGatewayTimeout && !c.due.IsZero() && !time.Now().Before(c.due):
		o.Kind = upstream.Neutral // the client gave no more time
	default:
		o.Kind, o.Status = upstream.Failure, fault.code
		o.Err = fmt.Errorf("it answered with the gRPC status %s (%s)", h["Grpc-Status"][0], fault.name)
	}
	return o
}

// answered tells early that a backend works: a stream or a tunnel may go on for hours. The head of an answer of gRPC
// does not say so, but the first message does.
func (c *call) answered(t *try) {
	if c.grpc {
		t.res.Body = &firstMessage{ReadCloser: t.res.Body, came: func() {
			t.lease.Answered(upstream.Outcome{Kind: upstream.Success, Status: t.res.StatusCode, Took: t.took})
		}}
		return
	}
	if o := c.outcome(t, t.res.Header); o.Kind == upstream.Success {
		t.lease.Answered(o)
	}
}

// firstMessage tells when the first bytes of a body have come.
type firstMessage struct {
	io.ReadCloser
	came func() // nil afterwards
}

func (b *firstMessage) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 && b.came != nil {
		b.came()
		b.came = nil
	}
	return n, err
}
