package static

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRanges is how many ranges one request may ask for; each costs a header of its own. More
// get the whole file (RFC 9110 §14.2 allows it).
const maxRanges = 16

const bytesUnit = "bytes="

// Heeded returns r without a Range that must be ignored (RFC 9110 §14.2): one of a method other
// than GET, of another unit, that does not parse, or with too many parts. What is left
// [http.ServeContent] understands, which knows the unit in lower case only, and no "-0", the last
// nothing, which cannot be satisfied.
func Heeded(r *http.Request) *http.Request {
	text := r.Header.Get("Range")
	if text == "" {
		return r
	}
	good := r.Method == http.MethodGet && len(r.Header["Range"]) == 1 && isRange(text)
	if good && strings.HasPrefix(text, bytesUnit) && !strings.Contains(text, "-0") {
		return r
	}
	own := *r
	own.Header = r.Header.Clone()
	own.Header.Del("Range")
	if good {
		own.Header.Set("Range", bytesUnit+satisfiable(text[len(bytesUnit):]))
	}
	return &own
}

// beyond is a span that no file reaches.
const beyond = "9223372036854775807-"

// satisfiable puts what cannot be satisfied in the place of "-0".
func satisfiable(set string) string {
	parts := strings.Split(set, ",")
	for i, part := range parts {
		if last, ok := strings.CutPrefix(strings.Trim(part, " \t"), "-"); ok && strings.Trim(last, "0") == "" {
			parts[i] = beyond
		}
	}
	return strings.Join(parts, ",")
}

// isRange reports whether text is a set of byte ranges as RFC 9110 §14.1.2 writes them.
func isRange(text string) bool {
	unit, set, ok := strings.Cut(text, "=")
	if !ok || !strings.EqualFold(unit+"=", bytesUnit) || strings.Count(set, ",") >= maxRanges {
		return false
	}
	given := 0
	for part := range strings.SplitSeq(set, ",") {
		if part = strings.Trim(part, " \t"); part == "" {
			continue // a list may have empty members
		}
		if !isSpan(part) {
			return false
		}
		given++
	}
	return given > 0
}

func isSpan(text string) bool {
	first, last, ok := strings.Cut(text, "-")
	if !ok || first == "" && last == "" || !areDigits(first) || !areDigits(last) {
		return false
	}
	from, err := strconv.ParseInt(cmp.Or(first, "0"), 10, 64)
	to, err2 := strconv.ParseInt(cmp.Or(last, first), 10, 64)
	return err == nil && err2 == nil && (first == "" || from <= to)
}

func areDigits(text string) bool { return strings.Trim(text, "0123456789") == "" }

// A refusal is the status of a request whose condition or range does not hold.
type refusal int

func (s refusal) Error() string { return fmt.Sprintf("static: %s", http.StatusText(int(s))) }

// content sends an open file, or returns a refusal.
func content(w http.ResponseWriter, r *http.Request, modified time.Time, f io.ReadSeeker) error {
	if r.Header.Get("Range") == "" && r.Header.Get("If-Match") == "" && r.Header.Get("If-Unmodified-Since") == "" {
		http.ServeContent(w, r, "", modified, f)
		return nil
	}
	if size, err := f.Seek(0, io.SeekEnd); err == nil && size == 0 && r.Header.Get("Range") != "" {
		whole := *r // an empty file has no ranges: net/http would answer bytes 0--1/0
		whole.Header = r.Header.Clone()
		whole.Header.Del("Range")
		r = &whole
	}
	c := &catcher{ResponseWriter: w}
	http.ServeContent(c, r, "", modified, f)
	if c.refused == 0 {
		return nil
	}
	for _, name := range []string{"Content-Type", "Content-Encoding", "Content-Length", "Cache-Control", "Etag", "Last-Modified", "Accept-Ranges"} {
		w.Header().Del(name)
	}
	return c.refused
}

// A catcher keeps back the answers of http.ServeContent that are refusals.
type catcher struct {
	http.ResponseWriter
	refused refusal
}

func (c *catcher) WriteHeader(status int) {
	if status == http.StatusPreconditionFailed || status == http.StatusRequestedRangeNotSatisfiable {
		c.refused = refusal(status)
		return
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *catcher) Write(p []byte) (int, error) {
	if c.refused != 0 {
		return len(p), nil
	}
	return c.ResponseWriter.Write(p)
}

// ReadFrom keeps the way by which files are sent without being copied.
func (c *catcher) ReadFrom(src io.Reader) (int64, error) {
	if to, ok := c.ResponseWriter.(io.ReaderFrom); ok && c.refused == 0 {
		return to.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{c}, src)
}

// Unwrap is for [http.ResponseController].
func (c *catcher) Unwrap() http.ResponseWriter { return c.ResponseWriter }
