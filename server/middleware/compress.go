package middleware

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// CompressOptions say which answers are compressed. The zero value is a good default.
type CompressOptions struct {
	// Encodings are those to use, in the order in which they are liked among those that a client
	// likes alike; default zstd, br, gzip.
	Encodings []string
	// MinSize is the size below which an answer stays as it is; default 1024 bytes.
	MinSize int
	// Types are media types, or "text/*"; nil means what is worth it: text, JSON, XML, JavaScript,
	// WebAssembly, SVG, uncompressed fonts.
	Types []string
}

// Compress compresses answers as the client accepts it (RFC 9110 §12.5.3).
//
// It leaves alone what has a Content-Encoding, what says Cache-Control: no-transform, what has a sum of
// its bytes (Content-Digest, Repr-Digest, Content-MD5), parts (206, Content-Range), and answers without
// a body. A strong ETag becomes weak, for the bytes are not the
// ones it was made of; Vary names Accept-Encoding. A flush reaches the client. HEAD gets the header
// that GET would get, if the size is known.
//
// An answer that mixes a secret with what a client sends can be read by its size (BREACH): tokens of
// [CSRF] are masked, others should be.
func Compress(o CompressOptions) (Func, error) {
	c := &compressor{min: orInt(o.MinSize, 1024), types: typeSet{}}
	if o.MinSize < 0 {
		return nil, fmt.Errorf("compress: min size %d: must not be negative", o.MinSize)
	}
	known := encodings()
	for _, name := range orDefault(o.Encodings, []string{"zstd", "br", "gzip"}) {
		i := slices.IndexFunc(known, func(e encoding) bool { return e.name == name })
		if i < 0 {
			return nil, fmt.Errorf("compress: encoding %q: want zstd, br or gzip", name)
		}
		c.offers = append(c.offers, known[i])
	}
	if len(c.offers) > maxOffers {
		return nil, fmt.Errorf("compress: encodings %q: one stands twice", o.Encodings)
	}
	if len(c.offers) == 0 {
		return nil, errors.New("compress: the list of encodings is empty: leave the middleware out")
	}
	for _, t := range orDefault(o.Types, compressible) {
		main, sub, ok := strings.Cut(strings.ToLower(t), "/")
		if !ok || main == "" || sub == "" || strings.ContainsAny(t, "; ") {
			return nil, fmt.Errorf(`compress: type %q: want a media type, as "application/json" or "text/*"`, t)
		}
		c.types[main+"/"+strings.TrimSuffix(sub, "*")] = true
	}
	return c.wrap, nil
}

type compressor struct {
	offers []encoding
	min    int
	types  typeSet
}

var varyEncoding = []string{"Accept-Encoding"}

func (c *compressor) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		choice := -1
		if accept := r.Header["Accept-Encoding"]; len(accept) > 0 {
			choice = negotiate(accept, c.offers)
		}
		if r.Method == http.MethodConnect || len(r.Header["Upgrade"]) > 0 {
			next.ServeHTTP(w, r)
			return
		}
		cw := &compressWriter{ResponseWriter: w, compressor: c, request: r, choice: choice}
		defer cw.release()
		next.ServeHTTP(cw, r)
		cw.finish()
	})
}

// state of an answer.
type state byte

const (
	undecided state = iota // the header is not out; there may be bytes in buf
	plain                  // passed on as it is
	encoded                // through enc
)

// compressWriter holds the header and the first bytes back until it is clear what becomes of them.
type compressWriter struct {
	http.ResponseWriter
	*compressor
	request  *http.Request
	choice   int // among the offers, negative for none
	state    state
	status   int // 0 until the handler has said it
	buf      []byte
	enc      encoder
	hijacked bool
}

// Unwrap is for [http.ResponseController].
func (w *compressWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Started reports whether the header is out. One that is held back can still be replaced, by the
// answer to a failure.
func (w *compressWriter) Started() bool { return w.state != undecided || w.hijacked }

func (w *compressWriter) WriteHeader(status int) {
	switch {
	case status < 200 && status != http.StatusSwitchingProtocols:
		w.ResponseWriter.WriteHeader(status) // RFC 9110 §15.2: another one follows
		return
	case w.state != undecided || w.status != 0:
		w.ResponseWriter.WriteHeader(status) // complains of a second call
		return
	}
	w.status = status
	h := w.Header()
	switch {
	case !w.eligible():
		w.pass()
	case h.Get("Content-Length") != "":
		n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
		w.decide(err == nil && n >= int64(w.min))
	}
}

// eligible reports whether the answer may be compressed at all, size and type aside.
func (w *compressWriter) eligible() bool {
	h := w.Header()
	switch {
	case w.status < 200 || w.status == http.StatusNoContent || w.status == http.StatusPartialContent || w.status == http.StatusNotModified:
		return false
	case h.Get("Content-Encoding") != "" || len(h["Content-Range"]) > 0 || noTransform(h) || digested(h):
		return false
	}
	return len(h["Content-Type"]) == 0 || w.types.has(h.Get("Content-Type"))
}

// digests are sums of the very bytes that are sent (RFC 9530), which others would belie.
var digests = []string{"Content-Digest", "Repr-Digest", "Digest", "Content-Md5"}

func digested(h http.Header) bool {
	return slices.ContainsFunc(digests, func(name string) bool { return len(h[name]) > 0 })
}

func noTransform(h http.Header) bool {
	for _, line := range h["Cache-Control"] {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), "no-transform") {
				return true
			}
		}
	}
	return false
}

// pass sends the header of an answer that is not compressed, whatever the client accepts.
func (w *compressWriter) pass() {
	w.state = plain
	switch {
	case w.status == http.StatusNotModified:
		w.weakenNotModified()
	case w.partOfEligible():
		addVary(w.Header(), varyEncoding)
	}
	w.ResponseWriter.WriteHeader(w.status)
}

// partOfEligible reports whether the answer is about a part of what would be compressed as a whole, so
// that it has the Vary of that (RFC 9110 §15.3.7). Of 416 the whole is not known.
func (w *compressWriter) partOfEligible() bool {
	h := w.Header()
	if w.status != http.StatusPartialContent && w.status != http.StatusRequestedRangeNotSatisfiable ||
		h.Get("Content-Encoding") != "" || noTransform(h) || digested(h) {
		return false
	}
	kind := h.Get("Content-Type")
	return w.status != http.StatusPartialContent || strings.HasPrefix(kind, "multipart/byteranges") || w.types.has(kind)
}

// weakenNotModified gives a 304 the ETag that the client knows: the one that a compressed answer had.
func (w *compressWriter) weakenNotModified() {
	tag := w.Header().Get("Etag")
	if tag == "" || strings.HasPrefix(tag, "W/") {
		return
	}
	addVary(w.Header(), varyEncoding)
	if strings.Contains(strings.Join(w.request.Header["If-None-Match"], ","), "W/"+tag) {
		w.Header().Set("Etag", "W/"+tag)
	}
}

// decide sends the header of an answer that may be compressed, and the bytes that were held back.
func (w *compressWriter) decide(worthIt bool) {
	h := w.Header()
	addVary(h, varyEncoding)
	if !worthIt || w.choice < 0 {
		w.state = plain
		w.ResponseWriter.WriteHeader(w.status)
		return
	}
	w.state = encoded
	h.Set("Content-Encoding", w.offers[w.choice].name)
	h.Del("Content-Length")
	h.Del("Accept-Ranges")
	if tag := h.Get("Etag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		h.Set("Etag", "W/"+tag)
	}
	w.ResponseWriter.WriteHeader(w.status)
	if w.request.Method != http.MethodHead {
		w.enc = w.offers[w.choice].get(w.ResponseWriter)
	}
}

func (w *compressWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.sniff(p)
		w.WriteHeader(http.StatusOK)
	}
	if w.state == undecided {
		if w.choice >= 0 && len(w.buf)+len(p) < w.min {
			w.buf = append(w.buf, p...)
			return len(p), nil
		}
		if len(w.Header()["Content-Type"]) == 0 && !w.sniffed(p) {
			w.pass()
		} else {
			w.decide(true)
		}
		if err := w.spill(); err != nil {
			return 0, err
		}
	}
	return w.write(p)
}

// sniff finds the type that net/http would find, which sees compressed bytes only.
func (w *compressWriter) sniff(p []byte) {
	h := w.Header()
	if _, set := h["Content-Type"]; !set && h.Get("Content-Encoding") == "" && len(p) >= 512 {
		h.Set("Content-Type", http.DetectContentType(p))
	}
}

// sniffed does so with what was held back, and reports whether the type is worth it.
func (w *compressWriter) sniffed(p []byte) bool {
	h := w.Header()
	if _, off := h["Content-Type"]; off || len(w.buf)+len(p) == 0 {
		return false
	}
	h.Set("Content-Type", http.DetectContentType(append(w.buf[:len(w.buf):len(w.buf)], p[:min(len(p), 512)]...)))
	return w.types.has(h.Get("Content-Type"))
}

func (w *compressWriter) write(p []byte) (int, error) {
	switch {
	case w.enc != nil:
		return w.enc.Write(p)
	case w.state == encoded: // of HEAD: who counts these bytes would tell another length than GET has
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// spill sends what was held back.
func (w *compressWriter) spill() error {
	buf := w.buf
	w.buf = nil
	if len(buf) == 0 {
		return nil
	}
	_, err := w.write(buf)
	return err
}

// ReadFrom sends src, with sendfile(2) where it is not compressed.
func (w *compressWriter) ReadFrom(src io.Reader) (int64, error) {
	if w.state == plain {
		return readFrom(w.ResponseWriter, src)
	}
	return io.Copy(struct{ io.Writer }{w}, src)
}

// Flush implements [http.Flusher].
func (w *compressWriter) Flush() { _ = w.FlushError() }

// FlushError is for [http.ResponseController]. What has been written can be read by the client.
func (w *compressWriter) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.state == undecided { // a stream: its size is not known, more will come
		if len(w.Header()["Content-Type"]) == 0 && !w.sniffed(nil) {
			w.pass()
		} else {
			w.decide(true)
		}
		if err := w.spill(); err != nil {
			return err
		}
	}
	if w.enc != nil {
		if err := w.enc.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements [http.Hijacker]; it fails where the connection cannot be taken, as on HTTP/2.
func (w *compressWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.hijacked = w.hijacked || err == nil
	return conn, rw, err
}

// finish ends an answer whose handler has returned. One that has written nothing is left to whoever
// answers for that.
func (w *compressWriter) finish() {
	if w.hijacked || w.status == 0 {
		return
	}
	if w.state == undecided { // smaller than what is worth it
		if len(w.Header()["Content-Type"]) == 0 {
			w.sniffed(nil)
		}
		w.decide(false)
		_ = w.spill() // the client is gone
	}
	if w.enc != nil {
		_ = w.enc.Close() // the client is gone
	}
}

// release runs also after a panic, when the end of the answer must not look like one.
func (w *compressWriter) release() {
	if w.enc == nil {
		return
	}
	w.offers[w.choice].put(w.enc)
	w.enc = nil
}
