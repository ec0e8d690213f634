package http1

import (
	"net/http"
	"strings"

	"rws/server/http1/wire"
)

// A head is a request line and the fields, read and found to be unambiguous.
type head struct {
	method  string
	target  string // as it was sent
	minor   int    // of HTTP/1
	header  http.Header
	hosts   int
	host    string
	framing wire.Framing
}

// parseHead reads a head that [wire.ScanHead] has found. The strings share the memory of one copy.
func parseHead(raw []byte) (head, *RequestError) {
	text := string(raw[:len(raw)-2]) // without the empty line
	line, fields, _ := strings.Cut(text, "\r\n")
	var h head
	if fault := h.parseRequestLine(line); fault != nil {
		return h, fault
	}
	return h, h.parseFields(fields)
}

func (h *head) parseRequestLine(line string) *RequestError {
	method, rest, ok := strings.Cut(line, " ")
	if !ok || !wire.IsToken(method) {
		return bad("the request line does not begin with a method")
	}
	target, version, ok := strings.Cut(rest, " ")
	if !ok || target == "" {
		return bad("the request line has no target")
	}
	h.method, h.target = method, target
	return h.parseVersion(version)
}

func (h *head) parseVersion(version string) *RequestError {
	switch version {
	case "HTTP/1.1":
		h.minor = 1
		return nil
	case "HTTP/1.0":
		return nil
	}
	if digits, ok := strings.CutPrefix(version, "HTTP/"); ok && len(digits) >= 1 && strings.Trim(digits, "0123456789.") == "" {
		return &RequestError{http.StatusHTTPVersionNotSupported, "this server speaks HTTP/1.0 and HTTP/1.1 here"}
	}
	return bad("the request line does not end with a version")
}

// parseFields fills the header. As in net/http, the Host is not in it.
func (h *head) parseFields(text string) *RequestError {
	var f wire.Fields
	if err := f.Parse(strings.TrimSuffix(text, "\r\n"), h.minor); err != nil {
		return asRequestError(err)
	}
	h.header, h.framing = f.Header, f.Framing
	if hosts, ok := h.header["Host"]; ok {
		h.hosts, h.host = len(hosts), hosts[0]
		delete(h.header, "Host")
	}
	return nil
}

// contentLength is that of [http.Request].
func (h *head) contentLength() int64 {
	if h.framing.Chunked {
		return -1
	}
	return h.framing.Size
}

// refusal turns what is improper about a request into a *[RequestError].
func refusal(err error) error {
	if fault, ok := err.(wire.Fault); ok {
		return asRequestError(fault)
	}
	return err
}

func asRequestError(err error) *RequestError {
	if err == wire.ErrCoding {
		return &RequestError{http.StatusNotImplemented, err.Error()}
	}
	return bad(err.Error())
}
