// Package problem writes the answer for a request that failed: "application/problem+json"
// (RFC 9457) for programs, a small page for people.
package problem

import "net/http"

// Details says what went wrong, in words that the client may read.
type Details struct {
	Status int     // 400 to 599; anything else becomes 500
	Title  string  // "" means the text of the status, as in "Not Found"
	Detail string  // a sentence about this occurrence; "" for none
	ID     string  // of the request, to be found in the log; "" for none
	Fields []Field // what is wrong with which part of the input

	// Extra headers of the answer, such as Allow or Retry-After.
	Extra http.Header
}

// Field is one thing that is wrong with the input.
type Field struct {
	Path    string `json:"path"`    // where, as in "items[2].name"
	Code    string `json:"code"`    // for programs, as in "too_long"
	Message string `json:"message"` // for people
}
