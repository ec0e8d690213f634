package relay

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// given is a connection from which bytes come and then its end.
type given struct {
	net.Conn
	io.Reader
}

func (g given) Read(p []byte) (int, error) { return g.Reader.Read(p) }

func hello(name string) []byte {
	out := &taken{}
	_ = tls.Client(out, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake()
	return out.Bytes()
}

type taken struct {
	net.Conn
	bytes.Buffer
}

func (o *taken) Read([]byte) (int, error)         { return 0, io.EOF }
func (o *taken) Write(p []byte) (int, error)      { return o.Buffer.Write(p) }
func (o *taken) SetWriteDeadline(time.Time) error { return nil }
func (o *taken) Close() error                     { return nil }

// FuzzPeek: whatever comes, what was read is what goes on, and it does not crash.
func FuzzPeek(f *testing.F) {
	f.Add(hello("a.example"))
	f.Add(hello(""))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte{0x16, 3, 1, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		source := bytes.NewReader(data)
		_, read, _ := peek(context.Background(), given{Reader: source})
		rest, _ := io.ReadAll(source)
		assert.True(t, bytes.Equal(data, append(read, rest...)))
	})
}

func TestPeek(t *testing.T) {
	whole := hello("a.example")
	name, read, err := peek(context.Background(), given{Reader: bytes.NewReader(whole)})
	assert.NoError(t, err)
	assert.Equal(t, "a.example", name)
	assert.Equal(t, whole, read)
	name, read, err = peek(context.Background(), given{Reader: bytes.NewReader(bytes.Repeat([]byte{0x16, 3, 1, 0, 1, 1}, 50_000))})
	assert.ErrorIs(t, err, errNoHello)
	assert.Empty(t, name)
	assert.LessOrEqual(t, len(read), maxHello, "a hello without end is not read for ever")
}
