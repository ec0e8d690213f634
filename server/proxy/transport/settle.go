package transport

import (
	"context"
	"net"
	"sync/atomic"
)

// A settling waits until the settings of a backend have come. Until then an HTTP/2 connection does not
// know how many streams it may open: what is too much waits on it, or is refused, while another
// connection would do.
//
// The settings are the first a backend sends, so they have been read when the connection is read from
// for the second time. Over TLS, tickets may come before; that is a guess that costs a wait at worst.
type settling struct {
	net.Conn
	begun atomic.Bool // the handshake of TLS is over
	done  atomic.Bool
	tell  func()
	some  bool // something has been read; for the goroutine that reads
}

type settlingKey struct{}

// settlingOf is what a connection opened in this context is to be watched by; nil for HTTP/1.1.
func settlingOf(ctx context.Context) *settling {
	s, _ := ctx.Value(settlingKey{}).(*settling)
	return s
}

func (s *settling) Read(p []byte) (int, error) {
	if s.some && !s.done.Load() {
		s.done.Store(true)
		s.tell()
	}
	n, err := s.Conn.Read(p)
	s.some = s.some || n > 0 && s.begun.Load()
	return n, err
}
