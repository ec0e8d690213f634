package server

import (
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"rws/server/http1"
)

// checkFrames says what is wrong with a request of HTTP/2 or HTTP/3, "" for nothing: their libraries let
// pass what the parser of HTTP/1 refuses, and a guard, a route or a backend that gets the request as
// HTTP/1 would read something else in it. It trims the values of fields, as HTTP/1 does. RFC 9113 §8.2.1
// and §8.3.1 have such requests for malformed.
func checkFrames(r *http.Request) string {
	if r.ProtoMajor < 2 {
		return ""
	}
	trimFields(r.Header)
	switch {
	case otherHost(r):
		return "The request names two hosts."
	case ofConnection(r.Header):
		return "The request has header fields that are about a connection of HTTP/1."
	case r.Host == "":
		return "The request names no host."
	case !http1.ValidHost(r.Host):
		return "The host of the request has an improper character or port."
	case !httpguts.ValidHeaderFieldName(r.Method):
		return "The method of the request has an improper character."
	case r.Method != http.MethodConnect && !validPath(r):
		return "The path of the request has a character that must be encoded, or does not begin with a slash."
	case !validLength(r):
		return "The request has a length that is not that of its body."
	}
	return ""
}

// metExpectation reports whether nothing is expected but 100-continue (RFC 9110 §10.1.1). HTTP/1 has been
// checked by its parser.
func metExpectation(r *http.Request) bool {
	expect, ok := r.Header["Expect"]
	return !ok || r.ProtoMajor < 2 || len(expect) == 1 && strings.EqualFold(expect[0], "100-continue")
}

// trimFields takes the blanks off the ends of values.
func trimFields(header http.Header) {
	for _, values := range header {
		for i, value := range values {
			values[i] = strings.Trim(value, " \t")
		}
	}
}

// validPath reports whether :path is what a request line of HTTP/1 could have.
func validPath(r *http.Request) bool {
	path := r.RequestURI
	if path == "" || path[0] != '/' && (path != "*" || r.Method != http.MethodOptions) {
		return false
	}
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return true
}

// validLength reports whether the Content-Length is one number, the one that has been understood.
func validLength(r *http.Request) bool {
	values, ok := r.Header["Content-Length"]
	if !ok {
		return true
	}
	if len(values) != 1 {
		return false
	}
	n, err := strconv.ParseUint(values[0], 10, 63)
	return err == nil && int64(n) == r.ContentLength
}
