package http1

import (
	"fmt"
	"net/http"
)

// A RequestError is what is wrong with what a client has sent. The engine answers it by itself
// when it is in the head; reading a body returns it. The connection is closed after the answer.
type RequestError struct {
	Status int    // 400, 408, 417, 431, 501 or 505
	Reason string // for the client, a few words
}

// Error is the reason.
func (e *RequestError) Error() string { return e.Reason }

func bad(reason string) *RequestError { return &RequestError{http.StatusBadRequest, reason} }

// answer is the whole response. It has no Date, as nobody is to keep it.
func (e *RequestError) answer() []byte {
	status := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	body := status + ": " + e.Reason + "\n"
	return fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, len(body), body)
}
