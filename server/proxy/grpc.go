package proxy

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rws/server/status"
)

// isGRPC reports a request of gRPC over HTTP/2; gRPC-Web is plain HTTP.
func isGRPC(h http.Header) bool {
	kind := h["Content-Type"]
	if len(kind) != 1 {
		return false
	}
	rest, ok := strings.CutPrefix(kind[0], "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// Codes of gRPC.
const (
	grpcCancelled         = 1
	grpcInvalid           = 3
	grpcDeadlineExceeded  = 4
	grpcResourceExhausted = 8
	grpcUnimplemented     = 12
	grpcInternal          = 13
	grpcUnavailable       = 14
)

// grpcCode is what a client of gRPC understands of a status of ours.
func grpcCode(code int) int {
	switch code {
	case status.ClientClosedRequest:
		return grpcCancelled
	case http.StatusBadRequest, http.StatusMisdirectedRequest:
		return grpcInvalid
	case http.StatusRequestEntityTooLarge:
		return grpcResourceExhausted
	case http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return grpcDeadlineExceeded
	case http.StatusNotImplemented:
		return grpcUnimplemented
	case http.StatusInternalServerError, http.StatusLoopDetected:
		return grpcInternal
	}
	return grpcUnavailable
}

// failGRPC answers as gRPC has it: 200, and the failure in the header, without a body ("trailers-only").
func (c *call) failGRPC(e *Error) {
	h := c.w.Header()
	h["Content-Type"] = []string{"application/grpc"}
	h["Grpc-Status"] = []string{strconv.Itoa(grpcCode(e.Status))}
	h["Grpc-Message"] = []string{grpcMessage(e)}
	c.w.WriteHeader(http.StatusOK)
}

// grpcMessage says what the client may know: not the address of a backend.
func grpcMessage(e *Error) string {
	if e.detail != "" {
		return escapeGRPC(e.detail)
	}
	return escapeGRPC(status.Text(e.Status))
}

// escapeGRPC encodes what is not printable ASCII.
func escapeGRPC(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '%' {
			b.WriteByte('%')
			b.WriteByte("0123456789ABCDEF"[c>>4])
			b.WriteByte("0123456789ABCDEF"[c&15])
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// limitGRPC takes over the deadline of the client.
func (c *call) limitGRPC() *Error {
	values := c.in.Header["Grpc-Timeout"]
	if len(values) == 0 {
		return nil
	}
	d, ok := parseGRPCTimeout(values[0])
	if !ok || len(values) > 1 {
		return refusal(http.StatusBadRequest, "The field grpc-timeout is malformed.")
	}
	c.due = time.Now().Add(d - d/20) // the clock of the backend may be a little ahead
	c.limit(max(d, 1))
	return nil
}

var grpcUnits = map[byte]time.Duration{
	'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
}

// parseGRPCTimeout reads at most 8 digits and a unit. What is longer than a duration can be is the longest.
func parseGRPCTimeout(text string) (time.Duration, bool) {
	if len(text) < 2 || len(text) > 9 {
		return 0, false
	}
	unit, ok := grpcUnits[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	if !ok || err != nil {
		return 0, false
	}
	if n > uint64(math.MaxInt64/unit) {
		return math.MaxInt64, true
	}
	return time.Duration(n) * unit, true
}
