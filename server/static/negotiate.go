package static

import (
	"cmp"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
)

// encoding is a precompressed form of a file.
type encoding struct {
	name string  // as in Content-Encoding
	ext  string  // added to the file name
	q    float64 // how much the client likes it
}

// variant opens the precompressed form of name that the client likes best, or
// returns a nil file when the plain one is the answer. A request for several
// ranges gets the plain file: multipart/byteranges has no place to say that
// its parts, rather than itself, are encoded.
func variant(root *os.Root, name string, r *http.Request) (*os.File, fs.FileInfo, string) {
	accept := r.Header["Accept-Encoding"]
	if len(accept) == 0 || strings.Contains(r.Header.Get("Range"), ",") {
		return nil, nil, ""
	}
	for _, e := range acceptable(accept) {
		f, info, err := open(root, name+e.ext)
		if err != nil {
			continue
		}
		if info.Mode().IsRegular() {
			return f, info, e.name
		}
		f.Close()
	}
	return nil, nil, ""
}

// acceptable lists the encodings to try, by the client's quality and among
// equals in our order: smallest first. Encodings it likes less than the plain
// file are left out (RFC 9110 §12.5.3).
func acceptable(accept []string) []encoding {
	plain, _ := quality(accept, "identity")
	other, _ := quality(accept, "*")
	all := []encoding{{name: "br", ext: ".br"}, {name: "zstd", ext: ".zst"}, {name: "gzip", ext: ".gz"}}
	for i := range all {
		q, named := quality(accept, all[i].name)
		if !named {
			q = other
		}
		all[i].q = q
	}
	all = slices.DeleteFunc(all, func(e encoding) bool { return e.q == 0 || e.q < plain })
	slices.SortStableFunc(all, func(a, b encoding) int { return cmp.Compare(b.q, a.q) })
	return all
}

// quality returns the q-value that a list header such as Accept gives to want,
// and whether it names it. A q-value that cannot be read counts as 0.
func quality(header []string, want string) (q float64, named bool) {
	for _, line := range header {
		for item := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(item, ";")
			if !strings.EqualFold(strings.TrimSpace(name), want) {
				continue
			}
			return weight(params), true
		}
	}
	return 0, false
}

// weight reads the q parameter (RFC 9110 §12.4.2), 1 when there is none.
func weight(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(p, "=")
		if !strings.EqualFold(strings.TrimSpace(key), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}

// mentions reports whether Accept names the media type itself; "*/*", which
// scripts and images send, is not enough.
func mentions(h http.Header, mediaType string) bool {
	q, _ := quality(h["Accept"], mediaType)
	return q > 0
}

// prefersJSON reports whether Accept likes application/json more than HTML.
func prefersJSON(h http.Header) bool {
	json, _ := quality(h["Accept"], "application/json")
	html, named := quality(h["Accept"], "text/html")
	if !named {
		return json > 0
	}
	return json > html
}
