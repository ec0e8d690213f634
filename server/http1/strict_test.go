package http1_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/http1"
)

// strict is what clients send that no two servers agree about, and the one answer to it here. The
// payloads are those of a study of 48 servers and 25 proxies, and of the CVEs of net/http.
var strict = []struct {
	name, text string
	status     int
}{
	// lines
	{"bare LF line ends", "GET / HTTP/1.1\nHost: x\n\n", 400},
	{"one bare LF", "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400},
	{"CR in value", "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", 400},
	{"CR at the end of a line", "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\r\n\r\n", 400},
	{"NUL in value", "GET / HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n", 400},
	{"control in value", "GET / HTTP/1.1\r\nHost: x\r\nA: b\x01c\r\n\r\n", 400},
	{"DEL in value", "GET / HTTP/1.1\r\nHost: x\r\nA: b\x7fc\r\n\r\n", 400},
	{"tab in value", "GET / HTTP/1.1\r\nHost: x\r\nA: b\tc\r\n\r\n", 200},
	{"high bytes in value", "GET / HTTP/1.1\r\nHost: x\r\nA: \xc3\xa9\xff\r\n\r\n", 200},
	{"space before colon", "GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n", 400},
	{"Content-Length with space before colon", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 1\r\n\r\na", 400},
	{"folded field", "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400},
	{"white space before the first field", "GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400},
	{"no colon", "GET / HTTP/1.1\r\nHost: x\r\nabc\r\n\r\n", 400},
	{"empty name", "GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n", 400},
	{"high byte in name", "GET / HTTP/1.1\r\nHost: x\r\n\xc3\xa9: b\r\n\r\n", 400},
	{"one empty line before", "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 200},
	{"two empty lines before", "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400},

	// Host
	{"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
	{"no Host in 1.0", "GET / HTTP/1.0\r\n\r\n", 200},
	{"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 200},
	{"two Hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
	{"two Hosts alike", "GET / HTTP/1.1\r\nHost: x\r\nhost: x\r\n\r\n", 400},
	{"space in Host", "GET / HTTP/1.1\r\nHost: x y\r\n\r\n", 400},
	{"slash in Host", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400},
	{"at in Host", "GET / HTTP/1.1\r\nHost: a@x\r\n\r\n", 400},
	{"port that is no number", "GET / HTTP/1.1\r\nHost: admin.example.com:x\r\n\r\n", 400},
	{"two ports", "GET / HTTP/1.1\r\nHost: evil.com:80:80\r\n\r\n", 400},
	{"IPv6 Host", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 200},
	{"URL as target", "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 200},
	{"URL with another Host", "GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"URL with a user", "GET http://a@x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"URL with another scheme", "GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},

	// request line
	{"HTTP/1.32", "GET / HTTP/1.32\r\nHost: x\r\n\r\n", 505},
	{"HTTP/3.0", "GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505},
	{"HTTP/0.9", "GET /\r\n\r\n", 400},
	{"http/1.1", "GET / http/1.1\r\nHost: x\r\n\r\n", 400},
	{"space behind the version", "GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 400},
	{"HTTP/2 where it is not spoken", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
	{"odd method", "G@T / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"own method", "M-SEARCH / HTTP/1.1\r\nHost: x\r\n\r\n", 200},
	{"space in target", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"two spaces", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"tab for space", "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"control in target", "GET /a\x01b HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"raw UTF-8 in target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"fragment in target", "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"bad percent", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"relative target", "GET a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 200},
	{"GET *", "GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"CONNECT", "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", 200},
	{"CONNECT elsewhere", "CONNECT y:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", 400},
	{"CONNECT to a path", "CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n", 400},

	// framing
	{"Content-Length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na", 200},
	{"Content-Length twice alike", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 400},
	{"Content-Length twice", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", 400},
	{"Content-Length list", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\na", 400},
	{"Content-Length +1", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na", 400},
	{"Content-Length -1", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\na", 400},
	{"Content-Length empty", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\na", 400},
	{"Content-Length 0x1", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x1\r\n\r\na", 400},
	{"Content-Length 1_0", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1_0\r\n\r\na", 400},
	{"Content-Length overflow", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9223372036854775808\r\n\r\na", 400},
	{"Content-Length and chunked", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"chunked and Content-Length", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400},
	{"chunked", chunked("1\r\na\r\n0\r\n\r\n"), 200},
	{"Chunked", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", 200},
	{"chunked twice", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"chunked, chunked", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, Chunked\r\n\r\n0\r\n\r\n", 400},
	{", chunked", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", 501},
	{"xchunked", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
	{"gzip, chunked", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
	{"identity", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n", 501},
	{"chunked in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"form feed before chunked", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0cchunked\r\n\r\n0\r\n\r\n", 400},
	{"unknown expectation", "POST / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 1\r\n\r\na", 417},

	// chunks
	{"chunk size +1", chunked("+1\r\na\r\n0\r\n\r\n"), 400},
	{"chunk size 0x1", chunked("0x1\r\na\r\n0\r\n\r\n"), 400},
	{"chunk size 1_0", chunked("1_0\r\na\r\n0\r\n\r\n"), 400},
	{"space before chunk size", chunked(" 1\r\na\r\n0\r\n\r\n"), 400},
	{"space behind chunk size", chunked("1 \r\na\r\n0\r\n\r\n"), 400},
	{"chunk size with bare LF", chunked("1\na\r\n0\r\n\r\n"), 400},
	{"chunk extension", chunked("1;a=b\r\na\r\n0\r\n\r\n"), 200},
	{"chunk extension with bare LF", chunked("1;a\nb\r\na\r\n0\r\n\r\n"), 400},
	{"chunk extension with CR", chunked("1;a\rb\r\na\r\n0\r\n\r\n"), 400},
	{"long chunk extension", chunked("1;" + strings.Repeat("a", 400) + "\r\na\r\n0\r\n\r\n"), 400},
	{"no line end behind a chunk", chunked("1\r\na0\r\n\r\n"), 400},
	{"bare LF behind a chunk", chunked("1\r\na\n0\r\n\r\n"), 400},
	{"empty chunk size", chunked("\r\na\r\n0\r\n\r\n"), 400},
	{"chunk size overflow", chunked("fffffffffffffffff\r\na\r\n0\r\n\r\n"), 400},
	{"bare LF behind the last chunk", chunked("0\r\n\n"), 400},
	{"trailer without colon", chunked("0\r\nabc\r\n\r\n"), 400},
	{"endless trailer", chunked("0\r\n" + strings.Repeat("A: b\r\n", 1000) + "\r\n"), 400},
	{"extensions without content", chunked(strings.Repeat("1;"+strings.Repeat("a", 250)+"\r\na\r\n", 200) + "0\r\n\r\n"), 400},
	{"many small chunks", chunked(strings.Repeat("1\r\na\r\n", 20_000) + "0\r\n\r\n"), 200},

	// size
	{"64 KiB of header", "GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("b", 64<<10) + "\r\n\r\n", 431},
	{"64 KiB of request line", "GET /" + strings.Repeat("b", 64<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", 431},
}

func chunked(body string) string {
	return "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body
}

// echo reads the body and answers with it; what is wrong with it decides about the status.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if fault, ok := err.(*http1.RequestError); ok {
		w.WriteHeader(fault.Status)
		return
	}
	if err != nil {
		w.WriteHeader(500)
		return
	}
	_, _ = w.Write(body)
}

func TestStrict(t *testing.T) {
	address := serve(t, handler(echo))
	for _, c := range strict {
		t.Run(c.name, func(t *testing.T) {
			conn := dial(t, address, c.text)
			res, _ := answers(t, conn, "GET")
			assert.Equal(t, c.status, res[0].StatusCode)
			if c.status != 200 {
				rest, err := io.ReadAll(conn)
				require.NoError(t, err, "the connection is closed, not reset")
				assert.Empty(t, rest, "nothing is taken for another request")
			}
		})
	}
}

// A limit is a limit: one byte less passes.
func TestHeaderLimitIsExact(t *testing.T) {
	s := handler(echo)
	s.MaxHeaderBytes = 1000
	address := serve(t, s)
	frame := len("GET / HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n")
	for size, status := range map[int]int{1000: 200, 1001: 431} {
		res, _ := answers(t, dial(t, address, "GET / HTTP/1.1\r\nHost: x\r\nA: "+strings.Repeat("b", size-frame)+"\r\n\r\n"), "GET")
		assert.Equal(t, status, res[0].StatusCode, "%d bytes", size)
	}
}

// The split of a request into packets decides nothing.
func TestOneByteAtATime(t *testing.T) {
	address := serve(t, handler(echo))
	for _, c := range strict {
		if len(c.text) > 1000 {
			continue
		}
		conn := dial(t, address, "")
		go func() {
			for i := range len(c.text) {
				if _, err := conn.Write([]byte{c.text[i]}); err != nil {
					return // refused before the end
				}
			}
		}()
		res, _ := answers(t, conn, "GET")
		assert.Equal(t, c.status, res[0].StatusCode, c.name)
	}
}

func ExampleRequestError() {
	fmt.Println(&http1.RequestError{Status: 400, Reason: "the Host is missing"})
	// Output: the Host is missing
}
