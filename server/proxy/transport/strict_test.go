package transport_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/transport"
)

// What a backend may not answer. None of it is taken for an answer, each names the phase, and the
// connection is closed.
func TestImproperAnswers(t *testing.T) {
	large := strings.Repeat("x", 64<<10)
	for name, c := range map[string]struct {
		answer string
		phase  transport.Phase
		says   string
	}{
		"garbage":              {"SSH-2.0-OpenSSH_9.2\r\n\r\n", transport.PhaseHeader, "does it speak HTTP/1"},
		"empty line first":     {"\r\nHTTP/1.1 200 OK\r\n\r\n", transport.PhaseHeader, "empty line"},
		"bare LF":              {"HTTP/1.1 200 OK\nContent-Length: 0\n\n", transport.PhaseHeader, "LF without CR"},
		"version":              {"HTTP/2.0 200 OK\r\n\r\n", transport.PhaseHeader, "HTTP/1.1"},
		"status of 2 digits":   {"HTTP/1.1 20 OK\r\n\r\n", transport.PhaseHeader, "three digits"},
		"status with sign":     {"HTTP/1.1 +20 OK\r\n\r\n", transport.PhaseHeader, "three digits"},
		"status 099":           {"HTTP/1.1 099 OK\r\n\r\n", transport.PhaseHeader, "three digits"},
		"control in reason":    {"HTTP/1.1 200 O\x00K\r\n\r\n", transport.PhaseHeader, "control character"},
		"two lengths":          {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", transport.PhaseHeader, "more than one Content-Length"},
		"same length twice":    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", transport.PhaseHeader, "more than one Content-Length"},
		"list of lengths":      {"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na", transport.PhaseHeader, "not a number"},
		"negative length":      {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\na", transport.PhaseHeader, "not a number"},
		"length overflow":      {"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\na", transport.PhaseHeader, "not a number"},
		"length and chunks":    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", transport.PhaseHeader, "contradict"},
		"gzip coding":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", transport.PhaseHeader, "chunked"},
		"chunks in HTTP/1.0":   {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", transport.PhaseHeader, "HTTP/1.0"},
		"folded":               {"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", transport.PhaseHeader, "folded"},
		"space before colon":   {"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\na", transport.PhaseHeader, "name"},
		"no colon":             {"HTTP/1.1 200 OK\r\nabc\r\n\r\n", transport.PhaseHeader, "colon"},
		"NUL in value":         {"HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n", transport.PhaseHeader, "control"},
		"CR in value":          {"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", transport.PhaseHeader, "control"},
		"head too large":       {"HTTP/1.1 200 OK\r\nA: " + large + "\r\n\r\n", transport.PhaseHeader, "65536"},
		"endless head":         {"HTTP/1.1 200 OK\r\nA: " + large + large, transport.PhaseHeader, "65536"},
		"flood of 1xx":         {strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 6) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", transport.PhaseHeader, "informational"},
		"unasked switch":       {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", transport.PhaseHeader, "without being asked"},
		"nothing":              {"", transport.PhaseHeader, "closed the connection too early"},
		"half a head":          {"HTTP/1.1 200 OK\r\nA: b", transport.PhaseHeader, "closed the connection too early"},
		"body too short":       {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", transport.PhaseBody, "closed the connection too early"},
		"chunks cut":           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", transport.PhaseBody, "closed the connection too early"},
		"no last chunk":        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", transport.PhaseBody, "closed the connection too early"},
		"no chunk":             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", transport.PhaseBody, "hexadecimal"},
		"chunk with LF":        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", transport.PhaseBody, "LF without CR"},
		"chunk size overflow":  {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\na\r\n0\r\n\r\n", transport.PhaseBody, "hexadecimal"},
		"chunk too long":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", transport.PhaseBody, "chunk"},
		"trailer without name": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n: b\r\n\r\n", transport.PhaseBody, "name"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := open(t, transport.Options{Address: scripted(t, func(p *peer) {
				if p.head() != nil {
					p.say(c.answer)
				}
				_ = p.CloseWrite()
				_, _ = io.Copy(io.Discard, p) // until the other side closes
			})})
			e := fails(t, tr, get(t))
			assert.Equal(t, c.phase, e.Phase)
			assert.False(t, e.Client)
			assert.True(t, e.Sent)
			assert.Contains(t, e.Error(), c.says)
			assert.Contains(t, e.Error(), "the backend 127.0.0.1:")
			assert.Zero(t, unused(t, tr).Open)
		})
	}
}

// What is right, if unusual.
func TestUnusualAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		method, answer string
		status         int
		body           string
		kept           bool
	}{
		"no reason":             {"GET", "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na", 200, "a", true},
		"empty reason":          {"GET", "HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\na", 200, "a", true},
		"status 999":            {"GET", "HTTP/1.1 999 Odd\r\nContent-Length: 1\r\n\r\na", 999, "a", true},
		"chunk extension":       {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\na\r\n0\r\n\r\n", 200, "a", true},
		"Chunked":               {"GET", "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 200, "a", true},
		"HTTP/1.0":              {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", 200, "a", false},
		"HTTP/1.0 kept":         {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: Keep-Alive\r\n\r\na", 200, "a", true},
		"Connection: close":     {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: foo, Close\r\n\r\na", 200, "a", false},
		"until close":           {"GET", "HTTP/1.1 200 OK\r\n\r\na", 200, "a", false},
		"more than the body":    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n\r\n", 200, "a", false},
		"body of a HEAD":        {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", 200, "", false},
		"HEAD with chunks":      {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, "", true},
		"204 with length":       {"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, "", true},
		"204 with chunks":       {"GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", 204, "", false},
		"304 with length":       {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "", true},
		"five 1xx":              {"GET", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 5) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", true},
		"a head of 60 KiB":      {"GET", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 60<<10) + "\r\nContent-Length: 1\r\n\r\na", 200, "a", true},
		"obs-text":              {"GET", "HTTP/1.1 200 OK\r\nA: \xe4\r\nContent-Length: 0\r\n\r\n", 200, "", true},
		"body of 1xx to a HEAD": {"HEAD", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", 200, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			tr := open(t, transport.Options{Address: scripted(t, func(p *peer) {
				if p.head() != nil {
					p.say(c.answer)
				}
				if !c.kept {
					_ = p.CloseWrite()
				}
				_, _ = io.Copy(io.Discard, p)
			})})
			res, body := do(t, tr, request(t, c.method, "http://x/", nil))
			assert.Equal(t, c.status, res.StatusCode)
			assert.Equal(t, c.body, body)
			assert.Equal(t, c.kept, unused(t, tr).Idle == 1)
		})
	}
}

// What cannot be sent is refused before a connection is taken, and is no fault of the backend.
func TestImproperRequests(t *testing.T) {
	for _, scheme := range []string{"http", "h2c"} {
		improper(t, open(t, transport.Options{Scheme: scheme, Address: "127.0.0.1:1"}), scheme)
	}
}

func improper(t *testing.T, tr *transport.Transport, scheme string) {
	for name, change := range map[string]func(*http.Request){
		"method":      func(r *http.Request) { r.Method = "GET / HTTP/1.1\r\nA:" },
		"CONNECT":     func(r *http.Request) { r.Method = "CONNECT" },
		"query":       func(r *http.Request) { r.URL.RawQuery = "a b" },
		"opaque":      func(r *http.Request) { r.URL.Opaque = "/ HTTP/1.1\r\nA: b" },
		"field name":  func(r *http.Request) { r.Header["A: b\r\nC"] = []string{"d"} },
		"field value": func(r *http.Request) { r.Header["A"] = []string{"b\r\nC: d"} },
		"host":        func(r *http.Request) { r.Host = "x\r\nA: b" },
		"trailer": func(r *http.Request) {
			r.Body, r.Trailer = io.NopCloser(opaque("")), http.Header{"Content-Length": nil}
		},
		"short body":    func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(opaque("a")), 2 },
		"no URL":        func(r *http.Request) { r.URL = nil },
		"path with ctl": func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/a\nb", "/a\nb" },
	} {
		t.Run(scheme+" "+name, func(t *testing.T) {
			r := get(t)
			change(r)
			if name == "path with ctl" || sentLater[scheme+" "+name] { // escaping makes it proper
				assert.Equal(t, transport.PhaseDial, fails(t, tr, r).Phase)
				return
			}
			e := fails(t, tr, r)
			assert.True(t, e.Client)
			assert.False(t, e.Sent)
			assert.Equal(t, transport.PhaseWrite, e.Phase)
		})
	}
	assert.Zero(t, tr.Stats().Dials)
}

// sentLater are faults that come to light when there is a connection.
var sentLater = map[string]bool{"http short body": true, "h2c short body": true, "h2c trailer": true}

// Fields that frame a message are made anew, in whatever spelling they come.
func TestFramingIsOurs(t *testing.T) {
	heads := make(chan http.Header, 1)
	tr := open(t, transport.Options{Address: scripted(t, func(p *peer) {
		r, body, ok := p.request()
		if assert.True(t, ok) {
			assert.Equal(t, "abc", body)
			assert.Equal(t, "h", r.Host)
			heads <- r.Header
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})})
	r := request(t, "POST", "http://h/", strings.NewReader("abc"))
	for _, name := range []string{"content-length", "Content-Length", "TRANSFER-ENCODING", "Transfer-Encoding", "host", "Trailer"} {
		r.Header[name] = []string{"7"}
	}
	do(t, tr, r)
	head := <-heads
	assert.Equal(t, []string{"3"}, head["Content-Length"])
	assert.Len(t, head, 1)
}

func TestDeadlines(t *testing.T) {
	hang := scripted(t, func(p *peer) { _, _ = io.Copy(io.Discard, p) })
	stall := scripted(t, func(p *peer) {
		p.head()
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc")
		_, _ = io.Copy(io.Discard, p)
	})
	deaf := scripted(t, func(p *peer) { <-t.Context().Done() })
	drip := scripted(t, func(p *peer) {
		p.head()
		p.say("HTTP/1.1 200 OK\r\nA: ")
		for t.Context().Err() == nil {
			p.say("x")
			time.Sleep(10 * time.Millisecond)
		}
	})
	const short = 50 * time.Millisecond
	for name, c := range map[string]struct {
		o     transport.Options
		body  io.Reader
		phase transport.Phase
		says  string
	}{
		"no answer":         {transport.Options{Address: hang, Response: short}, nil, transport.PhaseHeader, "none within 50ms"},
		"no answer to body": {transport.Options{Address: hang, Response: short}, opaque("abc"), transport.PhaseHeader, "none within 50ms"},
		"head in drips":     {transport.Options{Address: drip, Response: short}, nil, transport.PhaseHeader, "none within 50ms"},
		"no more":           {transport.Options{Address: stall, ReadIdle: short}, nil, transport.PhaseBody, "nothing came for 50ms; raise the read timeout"},
		"takes nothing":     {transport.Options{Address: deaf, ReadIdle: short}, strings.NewReader(strings.Repeat("x", 32<<20)), transport.PhaseWrite, "it took nothing for 50ms"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := open(t, c.o)
			e := fails(t, tr, request(t, "POST", "http://x/", c.body))
			assert.Equal(t, c.phase, e.Phase)
			assert.True(t, e.Timeout())
			assert.False(t, e.Client)
			assert.Contains(t, e.Error(), c.says)
			assert.Zero(t, unused(t, tr).Open)
		})
	}
}

// A slow backend that is within its limits is waited for: each read has its own.
func TestSlowBackend(t *testing.T) {
	tr := open(t, transport.Options{ReadIdle: 400 * time.Millisecond, Address: scripted(t, func(p *peer) {
		p.head()
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
		for range 8 {
			time.Sleep(100 * time.Millisecond)
			p.say("x")
		}
	})})
	_, body := do(t, tr, get(t))
	require.Equal(t, "xxxxxxxx", body)
}
