// Package status has the words for HTTP status codes, those beyond the registry included.
package status

import "net/http"

// ClientClosedRequest is 499, which nginx has made the custom: the client left before it had its
// answer. It is for logs; only a client that closed no more than its half of the connection sees it.
const ClientClosedRequest = 499

// Text is the reason phrase of a status code, as [http.StatusText] has it, "" for an unknown one.
func Text(code int) string {
	if code == ClientClosedRequest {
		return "Client Closed Request"
	}
	return http.StatusText(code)
}
