package middleware

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"rws/server/exchange"
	"rws/server/suggest"
)

// DecompressOptions bound what compressed requests may become. The zero value is a good default.
type DecompressOptions struct {
	// Encodings are those that are accepted; default gzip, zstd and br.
	Encodings []string
	// MaxBytes is the size of a body after decompression; default is what the exchange allows
	// ([exchange.Exchange.BodyLimit]), which it can only lower, and 10 MiB where nothing is said.
	MaxBytes int64
	// MaxRatio is how many times its compressed size a body may have, beyond the first 64 KiB;
	// default 100. Ordinary text is far below.
	MaxRatio int64
}

// BodyError says that a request body cannot be decompressed: the client's fault.
type BodyError struct {
	Encoding string
	Err      error
}

// Error names the encoding.
func (e *BodyError) Error() string {
	return "decompressing the request body (" + e.Encoding + "): " + e.Err.Error()
}

// Unwrap is the error of the decoder.
func (e *BodyError) Unwrap() error { return e.Err }

// HTTPStatus is 400.
func (e *BodyError) HTTPStatus() int { return http.StatusBadRequest }

// RatioError says that a request body becomes much larger by decompression than bodies do.
type RatioError struct{ Max int64 }

// Error names the limit.
func (e *RatioError) Error() string {
	return fmt.Sprintf("the request body is more than %d times as large as it came", e.Max)
}

// HTTPStatus is 413.
func (e *RatioError) HTTPStatus() int { return http.StatusRequestEntityTooLarge }

// Decompress gives handlers the plain form of request bodies that have a Content-Encoding, which is
// removed. An encoding that is not accepted, or a second one on top, is answered 415, with what is
// accepted (RFC 9110 §15.5.16). A body that grows beyond the limit of its
// size ends with an [http.MaxBytesError], one beyond the ratio with a [*RatioError], a broken one with a
// [*BodyError].
func Decompress(o DecompressOptions) (Func, error) {
	d := &decompressor{max: o.MaxBytes, ratio: orInt(o.MaxRatio, 100)}
	if d.max < 0 || d.ratio < 1 {
		return nil, fmt.Errorf("decompress: max bytes %d, max ratio %d: must be positive: without limits a few bytes fill the memory", o.MaxBytes, o.MaxRatio)
	}
	known := decoders()
	d.accepted = orDefault(o.Encodings, []string{"gzip", "zstd", "br"})
	d.decoders = map[string]*sync.Pool{}
	for _, name := range d.accepted {
		if known[name] == nil {
			return nil, fmt.Errorf("decompress: encoding %q%s: want gzip, zstd or br", name, suggest.DidYouMean(name, []string{"gzip", "zstd", "br"}))
		}
		d.decoders[name] = known[name]
	}
	if len(d.decoders) == 0 {
		return nil, errors.New("decompress: the list of encodings is empty: leave the middleware out")
	}
	return d.wrap, nil
}

// defaultInflated bounds a body of which nobody says how large it may be, in bytes.
const defaultInflated = 10 << 20

type decompressor struct {
	max, ratio int64 // max is 0 for what the exchange says
	accepted   []string
	decoders   map[string]*sync.Pool
}

// decoder reads what another reader has compressed.
type decoder interface {
	io.Reader
	Reset(io.Reader) error
}

func decoders() map[string]*sync.Pool {
	return map[string]*sync.Pool{
		"gzip": {New: func() any { return new(gzip.Reader) }},
		"br":   {New: func() any { return brotli.NewReader(nil) }},
		"zstd": {New: func() any {
			d, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(window)) // fails for wrong options only
			return d
		}},
	}
}

func (d *decompressor) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		coding := strings.ToLower(strings.Trim(strings.Join(r.Header["Content-Encoding"], ","), " \t"))
		switch coding {
		case "", "identity":
			next.ServeHTTP(w, r)
			return
		case "x-gzip":
			coding = "gzip"
		}
		pool := d.decoders[coding]
		if pool == nil {
			refuse(w, r, http.StatusUnsupportedMediaType, "The content encoding is not accepted.",
				http.Header{"Accept-Encoding": {strings.Join(d.accepted, ", ")}})
			return
		}
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		body := &inflated{d: d, name: coding, pool: pool, source: counter{inner: r.Body}, ex: exchange.From(r.Context())}
		defer body.release()
		r = r.WithContext(r.Context())
		r.Header = r.Header.Clone()
		r.Header.Del("Content-Encoding")
		r.Header.Del("Content-Length")
		r.Body, r.ContentLength = body, -1
		next.ServeHTTP(w, r)
	})
}

// counter counts the bytes that come in, and keeps the error by which they end.
type counter struct {
	inner io.ReadCloser
	n     int64
	err   error
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.inner.Read(p)
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// inflated is a body in plain form.
type inflated struct {
	d    *decompressor
	name string
	pool *sync.Pool
	ex   *exchange.Exchange // nil outside of a server

	mu     sync.Mutex // the goroutine of a proxy may still read when the handler returns
	source counter
	dec    decoder // nil before the first read and after release
	out    int64
	done   error // what every further read gives
}

// freeBytes may come out whatever went in: small bodies compress well.
const freeBytes = 64 << 10

// Read gives an error of the body below as it is: it is not the decoder's.
func (b *inflated) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done != nil {
		return 0, b.done
	}
	if b.dec == nil {
		dec := b.pool.Get().(decoder)
		b.dec = dec
		if err := dec.Reset(&b.source); err != nil {
			return 0, b.fail(err)
		}
	}
	n, err := b.dec.Read(p)
	b.out += int64(n)
	if over, fault := b.exceeds(); fault != nil {
		b.done = fault
		return max(0, n-int(over)), fault
	}
	if err != nil {
		return n, b.fail(err)
	}
	return n, nil
}

// exceeds reports by how much too much has come out, and the limit that this is beyond.
func (b *inflated) exceeds() (over int64, fault error) {
	if limit := b.limit(); b.out > limit {
		return b.out - limit, &http.MaxBytesError{Limit: limit}
	}
	if limit := freeBytes + b.d.ratio*b.source.n; b.out > limit {
		return b.out - limit, &RatioError{b.d.ratio}
	}
	return 0, nil
}

// limit is the smallest that holds. It is asked for at each read: a route, and its limit, may be found
// behind the middleware.
func (b *inflated) limit() int64 {
	limit, ok := int64(0), false
	if b.ex != nil {
		limit, ok = b.ex.BodyLimit()
	}
	switch {
	case !ok:
		return orInt(b.d.max, defaultInflated)
	case b.d.max > 0:
		return min(limit, b.d.max)
	}
	return limit
}

func (b *inflated) fail(err error) error {
	switch {
	case b.source.err != nil:
		err = b.source.err
	case err == io.EOF && b.source.n > 0 || err == io.EOF && b.out > 0:
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		err = &http.MaxBytesError{Limit: b.limit()}
	case err == io.EOF: // nothing came: no encoding has an empty form
		err = io.ErrUnexpectedEOF
		fallthrough
	default:
		err = &BodyError{b.name, err}
	}
	b.done = err
	return err
}

// Close closes the body below.
func (b *inflated) Close() error { return b.source.inner.Close() }

func (b *inflated) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done == nil {
		b.done = http.ErrBodyReadAfterClose
	}
	if b.dec == nil {
		return
	}
	_ = b.dec.Reset(strings.NewReader("")) // lets go of the request; what it says of an empty stream is no news
	b.pool.Put(b.dec)
	b.dec = nil
}
