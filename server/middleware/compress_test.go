package middleware_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/middleware"
)

var page = strings.Repeat("<p>hello, hello</p>\n", 500)

func compress(t *testing.T, o middleware.CompressOptions, h http.HandlerFunc) http.Handler {
	t.Helper()
	return must(middleware.Compress(o))(t)(h)
}

// html answers with the page, with headers given as "Name: value".
func html(lines ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for _, line := range lines {
			name, value, _ := strings.Cut(line, ": ")
			w.Header().Add(name, value)
		}
		_, _ = io.WriteString(w, page)
	}
}

func inflate(t *testing.T, coding string, body []byte) string {
	t.Helper()
	var r io.Reader = bytes.NewReader(body)
	switch coding {
	case "gzip":
		z, err := gzip.NewReader(r)
		require.NoError(t, err)
		r = z
	case "br":
		r = brotli.NewReader(r)
	case "zstd":
		z, err := zstd.NewReader(r)
		require.NoError(t, err)
		defer z.Close()
		r = z
	}
	plain, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(plain)
}

func TestTheClientChoosesTheEncoding(t *testing.T) {
	h := compress(t, middleware.CompressOptions{}, html())
	for accept, want := range map[string]string{
		"gzip, deflate, br, zstd": "zstd", "gzip, deflate, br": "br", "gzip": "gzip", "GZIP": "gzip", "x-gzip": "gzip",
		"gzip;q=1, br;q=0.5, zstd;q=0.1": "gzip", "zstd;q=0, br;q=0, gzip;q=0.001": "gzip", "*": "zstd", "*, zstd;q=0": "br",
		"br;q=0.5, *;q=0.9": "zstd", "gzip;Q=0.5": "gzip", "gzip ; q=1.0": "gzip",
		"": "", "identity": "", "deflate": "", "gzip;q=0": "", "*;q=0": "", "gzip;q=x": "", "gzip;q=2": "", "gzip;q=-1": "",
		"gzip;q=nan": "", "gzip;q=0.5, identity;q=1": "", "gzip, gzip;q=0": "", "gzipx": "", "gzip;q=": "", "zstd_": "",
	} {
		w := ask(h, "/", with("Accept-Encoding: "+accept))
		assert.Equal(t, want, w.Header().Get("Content-Encoding"), accept)
		assert.Equal(t, "Accept-Encoding", w.Header().Get("Vary"), accept)
		assert.Equal(t, page, inflate(t, want, w.Body.Bytes()), accept)
	}
	w := ask(h, "/", with("Accept-Encoding: br;q=0.1", "Accept-Encoding: gzip"))
	assert.Equal(t, "gzip", w.Header().Get("Content-Encoding"), "two lines are one list")
}

func TestWhatIsNotCompressed(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		vary    string
	}{
		"encoded already": {html("Content-Encoding: br"), ""},
		"no-transform":    {html("Cache-Control: max-age=1, No-Transform"), ""},
		"a part": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-9/99")
			w.WriteHeader(206)
			html()(w, r)
		}, ""},
		"an image": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			_, _ = io.WriteString(w, page)
		}, ""},
		"sniffed image": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "\x89PNG\r\n\x1a\n"+page) }, ""},
		"small":         {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page[:1000]) }, "Accept-Encoding"},
		"small by length": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(w, "hello")
		}, "Accept-Encoding"},
		"nothing": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, ""},
	} {
		w := ask(compress(t, middleware.CompressOptions{}, c.handler), "/", with("Accept-Encoding: gzip"))
		assert.NotEqual(t, "gzip", w.Header().Get("Content-Encoding"), name)
		assert.Equal(t, c.vary, w.Header().Get("Vary"), name)
		assert.NotEqual(t, "\x1f", w.Body.String()[:min(1, w.Body.Len())], name)
	}
	w := ask(compress(t, middleware.CompressOptions{}, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hi") }), "/", with("Accept-Encoding: gzip"))
	assert.Equal(t, "hi", w.Body.String())
	assert.Equal(t, "text/plain; charset=utf-8", w.Header().Get("Content-Type"))
}

func TestHeadersOfACompressedAnswer(t *testing.T) {
	h := compress(t, middleware.CompressOptions{}, html(`ETag: "abc"`, "Accept-Ranges: bytes", "Vary: Origin", "Content-Length: "+strconv.Itoa(len(page))))
	for _, method := range []string{"GET", "HEAD"} {
		w := ask(h, method+" /", with("Accept-Encoding: br"))
		assert.Equal(t, "br", w.Header().Get("Content-Encoding"), method)
		assert.Equal(t, `W/"abc"`, w.Header().Get("ETag"), method)
		assert.Empty(t, w.Header().Get("Content-Length"), method)
		assert.Empty(t, w.Header().Get("Accept-Ranges"), method)
		assert.Equal(t, []string{"Origin", "Accept-Encoding"}, w.Header().Values("Vary"), method)
	}
	w := ask(h, "/")
	assert.Equal(t, `"abc"`, w.Header().Get("ETag"))
	assert.Equal(t, strconv.Itoa(len(page)), w.Header().Get("Content-Length"))
}

func TestCompressedAnswersAreRevalidated(t *testing.T) {
	h := compress(t, middleware.CompressOptions{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"abc"`)
		http.ServeContent(w, r, "a.html", time.Unix(1e9, 0), strings.NewReader(page))
	})
	w := ask(h, "/", with("Accept-Encoding: gzip", `If-None-Match: W/"abc"`))
	assert.Equal(t, 304, w.Code)
	assert.Equal(t, `W/"abc"`, w.Header().Get("ETag"))
	w = ask(h, "/", with("Accept-Encoding: gzip", `Range: bytes=0-9`))
	assert.Equal(t, 206, w.Code)
	assert.Equal(t, page[:10], w.Body.String())
	assert.Equal(t, `"abc"`, w.Header().Get("ETag"))
	for ranges, want := range map[string]int{"bytes=0-9": 206, "bytes=0-1,5-6": 206, "bytes=999999-": 416} {
		w = ask(h, "/", with("Accept-Encoding: gzip", "Range: "+ranges))
		assert.Equal(t, want, w.Code)
		assert.Equal(t, "Accept-Encoding", w.Header().Get("Vary"), "as the whole has: "+ranges)
	}
	image := compress(t, middleware.CompressOptions{}, func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "a.png", time.Unix(1e9, 0), strings.NewReader(page))
	})
	assert.Empty(t, ask(image, "/", with("Range: bytes=0-9")).Header().Get("Vary"))
}

func TestAStreamReachesTheClientAtEachFlush(t *testing.T) {
	for _, coding := range []string{"gzip", "br", "zstd"} {
		next := make(chan struct{})
		server := httptest.NewServer(compress(t, middleware.CompressOptions{}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for range 3 {
				_, _ = io.WriteString(w, "data: x\n\n")
				assert.NoError(t, http.NewResponseController(w).Flush())
				<-next
			}
		}))
		r, err := http.NewRequest("GET", server.URL, nil)
		require.NoError(t, err)
		r.Header.Set("Accept-Encoding", coding)
		client := &http.Client{Timeout: patience, Transport: &http.Transport{}}
		res, err := client.Do(r)
		require.NoError(t, err)
		require.Equal(t, coding, res.Header.Get("Content-Encoding"))
		var plain io.Reader
		switch coding {
		case "gzip":
			plain, err = gzip.NewReader(res.Body)
		case "br":
			plain = brotli.NewReader(res.Body)
		case "zstd":
			var z *zstd.Decoder
			z, err = zstd.NewReader(res.Body, zstd.WithDecoderConcurrency(1))
			plain = z
		}
		require.NoError(t, err)
		for range 3 {
			event := make([]byte, 9)
			_, err := io.ReadFull(plain, event)
			require.NoError(t, err)
			assert.Equal(t, "data: x\n\n", string(event))
			next <- struct{}{}
		}
		res.Body.Close()
		client.CloseIdleConnections()
		server.Close()
	}
}

func TestAFailureReplacesWhatWasHeldBack(t *testing.T) {
	defer func() { assert.Equal(t, "x", recover()) }()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	defer func() { assert.Empty(t, w.Body.String()) }()
	compress(t, middleware.CompressOptions{}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic("x")
	}).ServeHTTP(w, r)
}

func TestCompressOptionsAreChecked(t *testing.T) {
	refused(t, middleware.Compress, map[string]middleware.CompressOptions{
		"zstd, br or gzip": {Encodings: []string{"deflate"}},
		"is empty":         {Encodings: []string{}},
		"min size":         {MinSize: -1},
		"a media type":     {Types: []string{"text"}},
	})
}

func deflate(t testing.TB, coding, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		z, err := zstd.NewWriter(&b)
		require.NoError(t, err)
		w = z
	}
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// echo reads the body and says how it ended.
func echo(t *testing.T, end *error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.Header.Get("Content-Encoding"))
		assert.EqualValues(t, -1, r.ContentLength)
		_, *end = io.Copy(w, r.Body)
	}
}

func body(coding string, b []byte) func(*http.Request) {
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
		r.Header.Set("Content-Encoding", coding)
	}
}

func TestRequestsAreDecompressed(t *testing.T) {
	var end error
	h := must(middleware.Decompress(middleware.DecompressOptions{MaxBytes: 1 << 20}))(t)(echo(t, &end))
	for _, coding := range []string{"gzip", "br", "zstd", "gzip"} {
		for range 2 { // with a decoder that was used before
			w := ask(h, "POST /", body(coding, deflate(t, coding, page)))
			require.NoError(t, end, coding)
			assert.Equal(t, page, w.Body.String(), coding)
		}
		packed := deflate(t, coding, page)
		for name, bad := range map[string][]byte{"cut": packed[:len(packed)-3], "garbage": []byte("garbage, not packed"), "empty": {}} {
			ask(h, "POST /", body(coding, bad))
			var fault *middleware.BodyError
			if assert.ErrorAs(t, end, &fault, "%s %s", coding, name) {
				assert.Equal(t, 400, fault.HTTPStatus())
			}
		}
		ask(h, "POST /", body(coding, packed))
		assert.NoError(t, end, "a broken body spoils no decoder")
	}
}

func TestBombsAreDefused(t *testing.T) {
	for _, coding := range []string{"gzip", "br", "zstd"} {
		bomb := deflate(t, coding, strings.Repeat("\x00", 8<<20))
		for _, o := range []middleware.DecompressOptions{{MaxBytes: 1 << 20, MaxRatio: 1 << 30}, {MaxBytes: 1 << 40}} {
			var end error
			w := ask(must(middleware.Decompress(o))(t)(echo(t, &end)), "POST /", body(coding, bomb))
			if o.MaxRatio == 0 {
				var ratio *middleware.RatioError
				require.ErrorAs(t, end, &ratio, coding)
				assert.Equal(t, 413, ratio.HTTPStatus())
				assert.EqualValues(t, 100, ratio.Max, "the limit is named, and not what it comes to")
				assert.Less(t, w.Body.Len(), 2<<20, coding)
				continue
			}
			var limit *http.MaxBytesError
			require.ErrorAs(t, end, &limit, coding)
			assert.LessOrEqual(t, w.Body.Len(), 1<<20, coding)
			assert.EqualValues(t, w.Body.Len(), limit.Limit)
		}
	}
}

func TestEncodingsThatAreNotAcceptedAre415(t *testing.T) {
	h := must(middleware.Decompress(middleware.DecompressOptions{Encodings: []string{"gzip"}}))(t)(say("ok"))
	for _, coding := range []string{"br", "deflate", "gzip, gzip", "gzip,br", "aws-chunked", "identity, gzip", "gzip;q=1"} {
		w := ask(h, "POST /", body(coding, []byte("x")))
		assert.Equal(t, 415, w.Code, coding)
		assert.Equal(t, "gzip", w.Header().Get("Accept-Encoding"))
	}
	w := ask(h, "POST /", body("gzip", nil), with("Content-Encoding: gzip"))
	assert.Equal(t, 415, w.Code, "two lines are two layers")
	for _, coding := range []string{"identity", "", "X-GZIP", " GZip "} {
		assert.Equal(t, 200, ask(h, "POST /", body(coding, nil)).Code, coding)
	}
	refused(t, middleware.Decompress, map[string]middleware.DecompressOptions{
		"gzip, zstd or br": {Encodings: []string{"deflate"}},
		"is empty":         {Encodings: []string{}},
		"fill the memory":  {MaxBytes: -1},
	})
}

func TestAFailingClientIsNotABrokenBody(t *testing.T) {
	gone := errors.New("connection reset")
	var end error
	h := must(middleware.Decompress(middleware.DecompressOptions{}))(t)(echo(t, &end))
	packed := deflate(t, "gzip", page)
	ask(h, "POST /", body("gzip", nil), func(r *http.Request) {
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(packed[:20]), failingReader{gone}))
		r.ContentLength = -1
	})
	assert.ErrorIs(t, end, gone)
	var fault *middleware.BodyError
	assert.NotErrorAs(t, end, &fault)
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

// FuzzAcceptEncoding wants an encoding that the client has named, or allowed by "*", and no other.
func FuzzAcceptEncoding(f *testing.F) {
	for _, seed := range []string{"gzip, br", "*;q=0.5,zstd;q=0", "gzip;q=1e-9", ";;q=,,*"} {
		f.Add(seed)
	}
	m, err := middleware.Compress(middleware.CompressOptions{})
	if err != nil {
		f.Fatal(err)
	}
	h := m(html())
	f.Fuzz(func(t *testing.T, accept string) {
		w := ask(h, "/", func(r *http.Request) { r.Header["Accept-Encoding"] = []string{accept} })
		if coding := w.Header().Get("Content-Encoding"); coding != "" &&
			!strings.Contains(strings.ToLower(accept), coding) && !strings.Contains(accept, "*") {
			t.Errorf("%q got %s", accept, coding)
		}
	})
}

func FuzzDecompress(f *testing.F) {
	for _, coding := range []string{"gzip", "br", "zstd"} {
		f.Add(coding, deflate(f, coding, page))
	}
	m, err := middleware.Decompress(middleware.DecompressOptions{MaxBytes: 100 << 10})
	if err != nil {
		f.Fatal(err)
	}
	h := m(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	f.Fuzz(func(t *testing.T, coding string, packed []byte) {
		if w := ask(h, "POST /", body(coding, packed)); w.Body.Len() > 100<<10 && coding != "" && coding != "identity" {
			t.Errorf("%d bytes came out", w.Body.Len())
		}
	})
}
