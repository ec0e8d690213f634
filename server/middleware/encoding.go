package middleware

import (
	"cmp"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// encoder is what compresses an answer. Flush makes what was written readable.
type encoder interface {
	io.WriteCloser
	Flush() error
	Reset(io.Writer)
}

// encoding is one way to compress, with its encoders that rest.
type encoding struct {
	name string
	pool *sync.Pool
}

// Levels are below the highest: these answers are compressed each time they are made.
const (
	brotliLevel = 4
	gzipLevel   = 5
	// window is what browsers accept for zstd (RFC 9659 §3).
	window = 8 << 20
)

// encodings by name, in the order in which they are liked.
func encodings() []encoding {
	return []encoding{
		{"zstd", &sync.Pool{New: func() any {
			// One goroutine and a small window: an answer waits for its bytes, and memory is for many.
			e, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(256<<10), zstd.WithLowerEncoderMem(true)) // fails for wrong options only
			return e
		}}},
		{"br", &sync.Pool{New: func() any { return brotli.NewWriterLevel(nil, brotliLevel) }}},
		{"gzip", &sync.Pool{New: func() any {
			e, _ := gzip.NewWriterLevel(nil, gzipLevel) // fails for wrong levels only
			return e
		}}},
	}
}

func (e encoding) get(w io.Writer) encoder {
	enc := e.pool.Get().(encoder)
	enc.Reset(w)
	return enc
}

func (e encoding) put(enc encoder) {
	enc.Reset(io.Discard) // lets go of the answer
	e.pool.Put(enc)
}

// negotiate picks the encoding that the client likes best (RFC 9110 §12.5.3), the first of equals; -1
// for none, which is also for a client that likes the plain form better.
func negotiate(accept []string, offers []encoding) int {
	var said [maxOffers]int // 1 + weight in thousandths, 0 for an offer that is not named
	anything, identity := 0, 0
	for _, line := range accept {
		for rest := line; rest != ""; {
			var part string
			part, rest, _ = strings.Cut(rest, ",")
			coding, params, _ := strings.Cut(part, ";")
			coding = strings.Trim(coding, " \t")
			switch coding {
			case "*":
				say(&anything, params)
				continue
			case "identity":
				say(&identity, params)
				continue
			}
			for i := range offers {
				if offers[i].is(coding) {
					say(&said[i], params)
				}
			}
		}
	}
	best, bestQ := -1, 1
	for i := range offers {
		if q := cmp.Or(said[i], anything); q > bestQ {
			best, bestQ = i, q
		}
	}
	if identity > bestQ {
		return -1
	}
	return best
}

const maxOffers = 3

func (e *encoding) is(coding string) bool {
	return strings.EqualFold(coding, e.name) || e.name == "gzip" && strings.EqualFold(coding, "x-gzip")
}

// say notes a weight. Of several the lowest counts: nobody gets what it has refused once.
func say(q *int, params string) {
	if w := 1 + weight(params); *q == 0 || w < *q {
		*q = w
	}
}

// weight reads "q=0.8"; one that makes no sense is 0.
func weight(params string) int {
	if params == "" {
		return 1000
	}
	for param := range strings.SplitSeq(params, ";") {
		key, value, ok := strings.Cut(strings.Trim(param, " \t"), "=")
		if !ok || !strings.EqualFold(strings.Trim(key, " \t"), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.Trim(value, " \t"), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return int(q*1000 + 0.5)
	}
	return 1000
}

// compressible are the types that are worth it.
var compressible = []string{
	"text/*", "application/json", "application/javascript", "application/xml", "application/wasm", "application/manifest+json",
	"application/x-ndjson", "application/graphql-response+json", "application/rss+xml", "application/atom+xml", "application/xhtml+xml",
	"application/ld+json", "application/problem+json", "application/geo+json", "application/vnd.api+json", "application/x-javascript",
	"image/svg+xml", "image/bmp", "image/x-icon", "image/vnd.microsoft.icon", "font/ttf", "font/otf", "font/collection",
	"application/vnd.ms-fontobject", "application/yaml", "application/toml",
}

// typeSet holds media types, and "text/*" as "text/".
type typeSet map[string]bool

func (s typeSet) has(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.Trim(media, " \t")
	if s[media] {
		return true
	}
	media = strings.ToLower(media)
	main, _, _ := strings.Cut(media, "/")
	return s[media] || s[main+"/"]
}

// orDefault is the list, or the preset one for nil.
func orDefault(list, preset []string) []string {
	if list == nil {
		return preset
	}
	return list
}

func orInt[T cmp.Ordered](n, preset T) T { return cmp.Or(n, preset) }
