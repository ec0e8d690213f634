package spec_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// payload is a request as raw bytes, and how it may be answered: the strict policy, by which a request
// that two parsers could read differently is refused.
type payload struct {
	name   string
	raw    string
	status []int
	open   bool // the connection may go on
}

const (
	getLine  = "GET / HTTP/1.1\r\n"
	postLine = "POST /echo HTTP/1.1\r\n"
	host     = "Host: a.example\r\n"
	chunked  = postLine + host + "Transfer-Encoding: chunked\r\n\r\n"
)

var refused = []int{400}

// payloads are those that servers and proxies have read in different ways.
func payloads() []payload {
	return []payload{
		{"bare LF line ends", "GET / HTTP/1.1\nHost: a.example\n\n", refused, false},
		{"CR in header value", getLine + host + "X: a\rb\r\n\r\n", refused, false},
		{"NUL in header value", getLine + host + "X: a\x00b\r\n\r\n", refused, false},
		{"space before colon", getLine + host + "X : a\r\n\r\n", refused, false},
		{"CL space before colon", postLine + host + "Content-Length : 1\r\n\r\na", refused, false},
		{"obs-fold", getLine + host + "X: a\r\n b\r\n\r\n", refused, false},
		{"leading ws first header", getLine + " X: a\r\n" + host + "\r\n", refused, false},
		{"no colon line", getLine + host + "nonsense\r\n\r\n", refused, false},
		{"empty header name", getLine + host + ": a\r\n\r\n", refused, false},
		{"no Host 1.1", getLine + "\r\n", refused, false},
		{"two Hosts", getLine + host + "Host: b.example\r\n\r\n", refused, false},
		{"bad Host chars", getLine + "Host: a b\r\n\r\n", refused, false},
		{"HTTP/1.32", "GET / HTTP/1.32\r\n" + host + "\r\n", []int{400, 505}, false},
		{"HTTP/3.0 on h1", "GET / HTTP/3.0\r\n" + host + "\r\n", []int{505}, false},
		{"method with spec chars", "G(T / HTTP/1.1\r\n" + host + "\r\n", refused, false},
		{"URI with space", "GET /a b HTTP/1.1\r\n" + host + "\r\n", refused, false},
		{"URI with ctl", "GET /\x01 HTTP/1.1\r\n" + host + "\r\n", refused, false},
		{"URI raw utf8", "GET /\u00e9 HTTP/1.1\r\n" + host + "\r\n", refused, false},
		{"fragment in URI", "GET /#a HTTP/1.1\r\n" + host + "\r\n", refused, false},
		{"CL dup same", postLine + host + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", refused, false},
		{"CL dup differ", postLine + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\na", refused, false},
		{"CL list 1,1", postLine + host + "Content-Length: 1,1\r\n\r\na", refused, false},
		{"CL +1", postLine + host + "Content-Length: +1\r\n\r\na", refused, false},
		{"CL -1", postLine + host + "Content-Length: -1\r\n\r\na", refused, false},
		{"CL empty", postLine + host + "Content-Length: \r\n\r\na", refused, false},
		{"CL 0x1", postLine + host + "Content-Length: 0x1\r\n\r\na", refused, false},
		{"CL overflow", postLine + host + "Content-Length: 9223372036854775808\r\n\r\na", refused, false},
		{"TE+CL", postLine + host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", refused, false},
		{"TE twice", postLine + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", refused, false},
		{"TE ,chunked", postLine + host + "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", []int{400, 501}, false},
		{"TE xchunked", postLine + host + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", []int{501}, false},
		{"TE gzip, chunked", postLine + host + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", []int{501}, false},
		{"TE identity", postLine + host + "Transfer-Encoding: identity\r\n\r\n", []int{501}, false},
		{"TE chunked on 1.0", "POST /echo HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", refused, false},
		{"chunk size +1", chunked + "+1\r\na\r\n0\r\n\r\n", refused, false},
		{"chunk size 0x1", chunked + "0x1\r\na\r\n0\r\n\r\n", refused, false},
		{"chunk size 1_0", chunked + "1_0\r\naaaaaaaaaaaaaaaa\r\n0\r\n\r\n", refused, false},
		{"chunk leading ws", chunked + " 1\r\na\r\n0\r\n\r\n", refused, false},
		{"chunk trailing ws", chunked + "1 \r\na\r\n0\r\n\r\n", refused, false},
		{"chunk bare LF", chunked + "1\na\n0\n\n", refused, false},
		{"chunk ext bare LF", chunked + "1;x\na\r\n0\r\n\r\n", refused, false},
		{"chunk ext with CR", chunked + "1;a\rb\r\na\r\n0\r\n\r\n", refused, false},
		{"chunk ext too long", chunked + "1;" + strings.Repeat("x", 300) + "\r\na\r\n0\r\n\r\n", refused, false},
		{"chunk no CRLF after", chunked + "1\r\nab\r\n0\r\n\r\n", refused, false},
		{"chunk empty size", chunked + "\r\na\r\n0\r\n\r\n", refused, false},
		{"chunk size overflow", chunked + "11111111111111111\r\na\r\n0\r\n\r\n", refused, false},
		{"trailer forbidden CL", chunked + "1\r\na\r\n0\r\nContent-Length: 5\r\n\r\n", []int{200, 400}, true},
		{"underscore hdr X_Forwarded_For", "GET /xff HTTP/1.1\r\n" + host + "X_Forwarded_For: 1.2.3.4\r\n\r\n", []int{204}, true},
		{"absolute-form other host", "GET http://b.example/ HTTP/1.1\r\n" + host + "\r\n", refused, false},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\n" + host + "\r\n", []int{200, 204}, true},
		{"GET *", "GET * HTTP/1.1\r\n" + host + "\r\n", []int{400, 405, 501}, false},
		{"TRACE", "TRACE / HTTP/1.1\r\n" + host + "\r\n", []int{405, 501}, true},
		{"CONNECT", "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n", []int{400, 405, 501}, true},
		{"1100 headers", getLine + host + strings.Repeat("X: a\r\n", 1100) + "\r\n", []int{431}, false},
		{"64KiB header", getLine + host + "X: " + strings.Repeat("a", 64<<10) + "\r\n\r\n", []int{431}, false},
		{"2MiB header", getLine + host + "X: " + strings.Repeat("a", 2<<20) + "\r\n\r\n", []int{431}, false},
		{"Expect unknown", postLine + host + "Expect: nonsense\r\nContent-Length: 1\r\n\r\na", []int{417}, false},
		{"leading CRLF", "\r\n" + getLine + host + "\r\n", []int{200}, true},
		{"two leading CRLF", "\r\n\r\n" + getLine + host + "\r\n", refused, false},
		{"GET with body CL", getLine + host + "Content-Length: 1\r\n\r\na", []int{200}, true},
		{"%00 path", "GET /%00 HTTP/1.1\r\n" + host + "\r\n", refused, true},
		{"bad pct", "GET /%zz HTTP/1.1\r\n" + host + "\r\n", refused, true},
		{"dot-dot path", "GET /../secret HTTP/1.1\r\n" + host + "\r\n", []int{308, 400, 404}, true},
	}
}

// payloadApp answers what the payloads ask for.
const payloadApp = `
app:get("/", function() return "hello" end)
app:get("/xff", function(c) return c.headers.x_forwarded_for or 204 end)
app:post("/echo", function(c) return c.body end)
`

// testPayloads sends each payload on a connection of its own, and then asks whether the server goes
// on. addr answers as payloadApp does.
func testPayloads(t *testing.T, addr string) {
	for _, p := range payloads() {
		t.Run(p.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", addr)
			require.NoError(t, err)
			defer conn.Close()
			require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
			go func() { _, _ = io.WriteString(conn, p.raw) }() // it may be answered before all is read
			answers := bufio.NewReader(conn)
			res, err := http.ReadResponse(answers, nil)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, res.Body)
			require.NoError(t, err)
			assert.True(t, slices.Contains(p.status, res.StatusCode), "answered %d, want one of %v", res.StatusCode, p.status)
			if !p.open {
				_, err := answers.ReadByte()
				assert.Error(t, err, "the connection goes on, or there is a second answer")
				assert.NotErrorIs(t, err, net.ErrClosed)
			}
		})
	}
	res, err := http.Get("http://" + addr + "/")
	require.NoError(t, err)
	defer res.Body.Close()
	assert.Equal(t, http.StatusOK, res.StatusCode, "after all of them")
}

func TestPayloadsOnDirectRoutes(t *testing.T) {
	srv, _ := started(t, payloadApp, "--listen", "127.0.0.1:0", "--log", "json", "--access-log=false")
	name, port := where(t, srv)
	testPayloads(t, net.JoinHostPort(name, port))
}
