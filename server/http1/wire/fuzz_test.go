package wire_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"rws/server/http1/wire"
)

// FuzzChunked: what is accepted here, net/http reads as the same bytes, and stops at the same place.
func FuzzChunked(f *testing.F) {
	for _, seed := range []string{
		"0\r\n\r\n", "1\r\na\r\n0\r\n\r\n", "3;a=b\r\nabc\r\n0\r\nA: b\r\n\r\n", "a\r\n0123456789\r\n0\r\n\r\nGET",
		"1\na\n0\n\n", "+1\r\na\r\n0\r\n\r\n", "1\r\nab\r\n0\r\n\r\n", "00\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		in := &wire.Reader{Source: bytes.NewReader(raw)}
		mine, err := io.ReadAll(&wire.Chunked{From: in, Trailer: func(string, string) {}})
		if err != nil {
			return
		}
		rest, _ := io.ReadAll(in)
		text := "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + string(raw)
		r := bufio.NewReader(strings.NewReader(text))
		theirs, err := http.ReadRequest(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(theirs.Body)
		if err != nil {
			t.Fatalf("%q is accepted, net/http says %v", raw, err)
		}
		left, _ := io.ReadAll(r)
		assert.Equal(t, string(body), string(mine))
		assert.Equal(t, string(left), string(rest))
	})
}
