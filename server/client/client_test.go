package client_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rws/server/certs"
	"rws/server/client"
	"rws/spec_test/peers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a server until the test ends.
func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

func newClient(t *testing.T, o client.Options) *client.Client {
	t.Helper()
	c := client.New(o)
	t.Cleanup(c.Close)
	return c
}

// do makes a call that must be answered.
func do(t *testing.T, r client.Request) *client.Response {
	t.Helper()
	res, err := newClient(t, client.Options{}).Do(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// fails makes a call that must fail with the code and a text with the parts.
func fails(t *testing.T, c *client.Client, ctx context.Context, r client.Request, code client.Code, parts ...string) *client.Error {
	t.Helper()
	res, err := c.Do(ctx, r)
	if err == nil {
		t.Fatalf("answered %d, want an error with code %s", res.Status, code)
	}
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Code != code {
		t.Fatalf("got %v, want code %s", err, code)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got  %q\nwant %q in it", err, part)
		}
	}
	return e
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Seen", r.Method+" "+r.URL.RequestURI()+" "+r.UserAgent())
	w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
	user, password, _ := r.BasicAuth()
	w.Header().Set("X-User", user+":"+password)
	w.Header().Set("X-Host", r.Host)
	w.WriteHeader(http.StatusCreated)
	w.Write(body)
}

func TestCall(t *testing.T) {
	s := serve(t, echo)
	header := http.Header{"X-A": {"1"}}
	res := do(t, client.Request{Method: "POST", URL: s.URL + "/a?b=c#d", Header: header, Body: []byte("hello")})
	if res.Status != 201 || string(res.Body) != "hello" || res.Proto != "HTTP/1.1" || res.Attempts != 1 || res.Time <= 0 || res.Stream != nil {
		t.Errorf("got %+v", res)
	}
	if got := res.Header.Get("X-Seen"); got != "POST /a?b=c rws" {
		t.Errorf("the server saw %q", got)
	}
	if res.URL != s.URL+"/a?b=c#d" || len(header) != 1 {
		t.Errorf("URL %q, header %v", res.URL, header)
	}
}

func TestBodyReader(t *testing.T) {
	s := serve(t, echo)
	for size, want := range map[int64]string{0: "-1", 5: "5"} {
		res := do(t, client.Request{Method: "PUT", URL: s.URL, BodyReader: strings.NewReader("hello"), BodySize: size})
		if string(res.Body) != "hello" || res.Header.Get("X-Length") != want {
			t.Errorf("size %d: got %q with length %s", size, res.Body, res.Header.Get("X-Length"))
		}
	}
}

func TestUserInformationIsBasicAuthentication(t *testing.T) {
	s := serve(t, echo)
	res := do(t, client.Request{URL: strings.Replace(s.URL, "://", "://ann:pa%20ss@", 1)})
	if got := res.Header.Get("X-User"); got != "ann:pa ss" {
		t.Errorf("the server saw %q", got)
	}
	if res.URL != s.URL {
		t.Errorf("the password is still in %q", res.URL)
	}
}

func TestHostAndUserAgent(t *testing.T) {
	s := serve(t, echo)
	c := newClient(t, client.Options{UserAgent: "notes/1"})
	res, err := c.Do(t.Context(), client.Request{URL: s.URL, Header: http.Header{"Host": {"a.example"}}})
	if err != nil {
		t.Fatal(err)
	}
	if res.Header.Get("X-Host") != "a.example" || !strings.HasSuffix(res.Header.Get("X-Seen"), " notes/1") {
		t.Errorf("got %v", res.Header)
	}
	res, err = c.Do(t.Context(), client.Request{URL: s.URL, Header: http.Header{"User-Agent": {"own"}}})
	if err != nil || !strings.HasSuffix(res.Header.Get("X-Seen"), " own") {
		t.Errorf("got %v, %v", res.Header, err)
	}
}

func TestGzipIsTransparentAndLimited(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		z.Write(bytes.Repeat([]byte("x"), 1<<20))
		z.Close()
	})
	if res := do(t, client.Request{URL: s.URL}); len(res.Body) != 1<<20 {
		t.Errorf("%d bytes", len(res.Body))
	}
	fails(t, newClient(t, client.Options{}), t.Context(), client.Request{URL: s.URL, MaxBody: 64 << 10}, client.CodeTooLarge, "larger than 64kb", "max_body")
}

func TestMaxBody(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/chunked" {
			w.(http.Flusher).Flush()
		}
		w.Write([]byte("12345"))
	})
	for _, path := range []string{"/sized", "/chunked"} {
		for limit, want := range map[int64]string{5: "12345", 6: "12345", client.NoLimit: "12345"} {
			if res := do(t, client.Request{URL: s.URL + path, MaxBody: limit}); string(res.Body) != want {
				t.Errorf("%s limit %d: %q", path, limit, res.Body)
			}
		}
		fails(t, newClient(t, client.Options{}), t.Context(), client.Request{URL: s.URL + path, MaxBody: 4}, client.CodeTooLarge, "4 bytes")
	}
	if res := do(t, client.Request{Method: "HEAD", URL: s.URL + "/sized", MaxBody: 1}); res.Status != 200 || res.Body != nil {
		t.Errorf("HEAD: %+v", res)
	}
}

func TestStream(t *testing.T) {
	more := make(chan string)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		for text := range more {
			io.WriteString(w, text)
			w.(http.Flusher).Flush()
		}
	})
	res := do(t, client.Request{URL: s.URL, Stream: true, MaxBody: 1})
	if res.Body != nil {
		t.Errorf("buffered %q", res.Body)
	}
	buf := make([]byte, 16)
	for _, text := range []string{"one", "two"} {
		more <- text
		if n, err := res.Stream.Read(buf); err != nil || string(buf[:n]) != text {
			t.Errorf("read %q, %v", buf[:n], err)
		}
	}
	close(more)
	if n, err := res.Stream.Read(buf); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if err := res.Stream.Close(); err != nil {
		t.Error(err)
	}
}

// hang answers headers at once and the rest when the client is gone.
func hang(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/body" {
		io.WriteString(w, "begun")
		w.(http.Flusher).Flush()
	}
	<-r.Context().Done()
}

func TestTimeout(t *testing.T) {
	s := serve(t, hang)
	c := newClient(t, client.Options{})
	for _, path := range []string{"/head", "/body"} {
		e := fails(t, c, t.Context(), client.Request{URL: s.URL + path, Timeout: 20 * time.Millisecond}, client.CodeTimeout, "GET "+s.URL+path, "within 20ms")
		if !errors.Is(e, context.DeadlineExceeded) {
			t.Errorf("%v is not context.DeadlineExceeded", e)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	fails(t, c, ctx, client.Request{URL: s.URL}, client.CodeTimeout, "the time of the caller ran out")

	res, err := c.Do(t.Context(), client.Request{URL: s.URL + "/body", Timeout: 50 * time.Millisecond, Stream: true})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Stream.Close()
	_, err = io.ReadAll(res.Stream)
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != client.CodeTimeout {
		t.Errorf("reading a stream that stalls: %v", err)
	}
}

func TestCancel(t *testing.T) {
	s := serve(t, hang)
	ctx, cancel := context.WithCancel(t.Context())
	c := newClient(t, client.Options{})
	res, err := c.Do(ctx, client.Request{URL: s.URL + "/body", Stream: true})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Stream.Close()
	cancel()
	_, err = io.ReadAll(res.Stream)
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != client.CodeCanceled || !errors.Is(err, context.Canceled) {
		t.Errorf("reading a cancelled stream: %v", err)
	}
	fails(t, c, ctx, client.Request{URL: s.URL}, client.CodeCanceled, "cancelled")
}

func TestTLS(t *testing.T) {
	right, wrong := selfSigned(t), selfSigned(t, "other.example")
	roots := x509.NewCertPool()
	roots.AddCert(right.Leaf)
	roots.AddCert(wrong.Leaf)
	s := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{right}})

	trusting := newClient(t, client.Options{RootCAs: roots})
	res, err := trusting.Do(t.Context(), client.Request{URL: s.URL})
	if err != nil || res.Proto != "HTTP/2.0" {
		t.Fatalf("got %+v, %v", res, err)
	}
	stranger := newClient(t, client.Options{})
	fails(t, stranger, t.Context(), client.Request{URL: s.URL}, client.CodeTLS, "no authority that is trusted here", "with ca")
	other := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{wrong}})
	fails(t, trusting, t.Context(), client.Request{URL: other.URL}, client.CodeTLS, "for another host name")
	plain := strings.Replace(serve(t, echo).URL, "http:", "https:", 1)
	fails(t, trusting, t.Context(), client.Request{URL: plain}, client.CodeTLS, "use http://")
	old := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{right}, MaxVersion: tls.VersionTLS11})
	fails(t, trusting, t.Context(), client.Request{URL: old.URL}, client.CodeTLS, "refused the TLS handshake")
	mutual := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{right}, ClientAuth: tls.RequireAnyClientCert})
	// Which failure this is depends on whether the alert overtakes the request (TLS 1.3).
	if _, err := trusting.Do(t.Context(), client.Request{URL: mutual.URL}); err == nil {
		t.Error("answered without a client certificate")
	}
	known := newClient(t, client.Options{RootCAs: roots, Certificates: []tls.Certificate{wrong}})
	if _, err := known.Do(t.Context(), client.Request{URL: mutual.URL}); err != nil {
		t.Errorf("with a client certificate: %v", err)
	}
}

func selfSigned(t *testing.T, hosts ...string) tls.Certificate {
	t.Helper()
	cert, err := certs.SelfSigned(hosts...)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// serveTLS runs a TLS server until the test ends.
func serveTLS(t *testing.T, config *tls.Config) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	s.TLS, s.EnableHTTP2 = config, true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestErrorsOfConnecting(t *testing.T) {
	free := peers.FreeAddress(t)
	c := newClient(t, client.Options{})
	fails(t, c, t.Context(), client.Request{URL: "http://u:p@" + free + "/x?token=hunter2"}, client.CodeRefused,
		"GET http://"+free+"/x?…: nothing accepts connections on "+free)
	fails(t, c, t.Context(), client.Request{URL: "http://no-such-host.invalid/"}, client.CodeDNS, "no-such-host.invalid")

	rude := serve(t, func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	fails(t, c, t.Context(), client.Request{URL: rude.URL}, client.CodeProtocol, "closed the connection")
	short := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		io.WriteString(w, "12345")
	})
	fails(t, c, t.Context(), client.Request{URL: short.URL}, client.CodeProtocol, "before its answer was complete")
	fails(t, c, t.Context(), client.Request{URL: short.URL, Header: http.Header{"X": {"a\r\nb"}}}, client.CodeProtocol, "invalid header")
}

func TestURLsThatCannotBeUsed(t *testing.T) {
	c := newClient(t, client.Options{})
	for url, want := range map[string]string{
		"":                       "must start with",
		"example.com/x":          "must start with",
		"localhost:3000/x":       "must start with",
		"127.0.0.1:3000/x":       "must start with",
		"ftp://example.com":      `the scheme "ftp" is not supported; use "http" or "https"`,
		"http:///x":              "no host",
		"http://a b/":            "this is no URL",
		"http://u:hunter2@h:xx/": "this is no URL",
	} {
		e := fails(t, c, t.Context(), client.Request{URL: url}, client.CodeURL, want)
		if strings.Contains(e.Error(), "hunter2") {
			t.Errorf("the password is in %q", e)
		}
	}
}

func TestRoundTripStandsInForTheNetwork(t *testing.T) {
	stub := roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 202, Body: io.NopCloser(strings.NewReader(r.URL.Host)), Request: r}, nil
	})
	res, err := newClient(t, client.Options{RoundTrip: stub}).Do(t.Context(), client.Request{URL: "https://api.example/x"})
	if err != nil || res.Status != 202 || string(res.Body) != "api.example" {
		t.Errorf("got %+v, %v", res, err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func FuzzRedactURL(f *testing.F) {
	for _, seed := range []string{"http://u:p@h/x?q#f", "//u:p@h", "http:///u:p@h", "u:p@h/x", "http://[::1", "?", "http://h/@a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		shown := client.RedactURL(raw)
		if strings.Contains(strings.TrimSuffix(shown, "?…"), "?") {
			t.Errorf("%q shows a query: %q", raw, shown)
		}
		again := client.RedactURL("http://user:hunter2@example.com/" + strings.ReplaceAll(raw, "hunter2", "") + "?hunter2#hunter2")
		if strings.Contains(again, "hunter2") {
			t.Errorf("%q shows a secret", again)
		}
	})
}

func BenchmarkGet(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	defer s.Close()
	c := client.New(client.Options{})
	defer c.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Do(b.Context(), client.Request{URL: s.URL}); err != nil {
			b.Fatal(err)
		}
	}
}
