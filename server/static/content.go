package static

import (
	"cmp"
	"io"
	"net/http"
	"time"
)

// Content describes what is sent and is no file of a folder.
type Content struct {
	Type     string    // Content-Type, unless the options have one
	ETag     string    // in quotes; "" for none
	Modified time.Time // zero for none
}

// ServeContent answers r with a body, its ranges (RFC 9110 §14), or the answer to its conditions (§13), with
// the same headers as files have. Of the options Type, Cache and Immutable apply. The body is not read
// for HEAD and where the client has it already.
//
// It writes nothing and returns an error about a range or a condition that does not hold, see [Status].
// An error of the body ends the answer early, and is not returned.
func ServeContent(w http.ResponseWriter, r *http.Request, body io.ReadSeeker, c Content, o Options) error {
	h := w.Header()
	h.Set("Content-Type", cmp.Or(o.Type, c.Type))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", o.cacheControl())
	if c.ETag != "" {
		h.Set("ETag", c.ETag)
	}
	return content(w, Heeded(r), c.Modified, body)
}
