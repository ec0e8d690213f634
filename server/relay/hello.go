package relay

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// maxHello is the size of a TLS hello with the records around it; more is not waited for. Hellos
// with post-quantum keys have about 2 KiB.
const maxHello = 64 << 10

var errPeeked = errors.New("peeked")

// errNoHello is a connection that began to speak TLS and did not say whom it wants. It must not go
// where those without TLS go: a backend may take the rest for what a rule would have kept from it.
var errNoHello = errors.New("the client began a TLS hello and did not end it")

// peek reads the hello of TLS, as many records as it takes, and returns the server name in it and
// the bytes that were read, which are for the backend. What is no TLS, or nothing at all, has no name.
//
// The parser is that of crypto/tls, which is stopped when it has read the hello.
func peek(ctx context.Context, conn net.Conn) (name string, read []byte, err error) {
	seen := &recorder{Conn: conn}
	config := &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		name = hello.ServerName
		return nil, errPeeked
	}}
	err = tls.Server(seen, config).HandshakeContext(ctx) // always fails, at the latest by errPeeked
	read = seen.read.Bytes()
	if errors.Is(err, errPeeked) || !beginsTLS(read) {
		return name, read, nil
	}
	return "", read, fmt.Errorf("%w: %w", errNoHello, err)
}

// beginsTLS reports whether the first byte is the type of a record (RFC 8446 §5.1).
func beginsTLS(read []byte) bool {
	const changeCipherSpec, applicationData = 0x14, 0x17
	return len(read) > 0 && read[0] >= changeCipherSpec && read[0] <= applicationData
}

// recorder keeps what is read and writes nothing, so that no alert reaches the client.
type recorder struct {
	net.Conn
	read bytes.Buffer
}

func (r *recorder) Read(p []byte) (int, error) {
	room := maxHello - r.read.Len()
	if room <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := r.Conn.Read(p[:min(len(p), room)])
	r.read.Write(p[:n])
	return n, err
}

func (r *recorder) Write(p []byte) (int, error)      { return len(p), nil }
func (r *recorder) Close() error                     { return nil }
func (r *recorder) SetDeadline(time.Time) error      { return nil }
func (r *recorder) SetReadDeadline(time.Time) error  { return nil }
func (r *recorder) SetWriteDeadline(time.Time) error { return nil }
