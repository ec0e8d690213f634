package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"

	"rws/server/listen"
)

// Stream is an address beside those of Settings.Listen that speaks no HTTP. It has Conn, for TCP and
// unix sockets, or Packets, for UDP.
//
// [Server.Swap] opens the addresses that are new and closes those that are no more. Connections of
// the app before go on; their contexts end with the server, after Settings.StopGrace.
type Stream struct {
	Listen  string // as in Settings.Listen; for UDP "host:port"
	Options listen.Options

	// Conn serves one connection and closes it.
	Conn func(ctx context.Context, conn net.Conn)
	// Packets reads from a socket until ctx ends, which it does when the app is replaced, and does not
	// close it. It returns soon then: another takes its place.
	Packets func(ctx context.Context, conn *net.UDPConn) error
	// Leave, called when Packets has returned, waits for what that still has to write to the socket, at
	// most until ctx ends. nil is nothing.
	Leave func(ctx context.Context)

	Source string // the place of the declaration, for error texts
}

// network is "tcp" or "udp": an address may be open for both.
func (s *Stream) network() string {
	if s.Packets != nil {
		return "udp"
	}
	return "tcp"
}

func (s *Stream) key() string { return s.network() + " " + s.Listen }

// checkStreams reports streams that nothing serves, or twice.
func checkStreams(streams []Stream) error {
	var faults []error
	seen := map[string]string{}
	for _, s := range streams {
		if (s.Conn == nil) == (s.Packets == nil) {
			faults = append(faults, fmt.Errorf("stream %s: it needs Conn or Packets", s.Listen))
			continue
		}
		if first, twice := seen[s.key()]; twice {
			faults = append(faults, fmt.Errorf("%s %s: it is declared already%s", s.network(), s.Listen, at(first)))
		}
		seen[s.key()] = s.Source
	}
	return errors.Join(faults...)
}

func at(source string) string {
	if source == "" {
		return ""
	}
	return " (" + source + ")"
}

// streams are the open addresses of App.Streams.
type streams struct {
	ctx  context.Context // of the connections
	end  context.CancelFunc
	open map[string]*stream
	work sync.WaitGroup // connections, and whoever accepts them
}

// stream is one open address. All but conn belongs to who holds the mutex of the server.
type stream struct {
	address  string // as in Stream.Listen
	listener net.Listener
	packets  *net.UDPConn

	mu    sync.Mutex
	serve func(ctx context.Context, conn net.Conn)

	stop   func()         // of Packets, which waits for it
	served bool           // packets has been handed to one
	after  sync.WaitGroup // those who still write to packets
}

func (s *stream) addr() net.Addr {
	if s.packets != nil {
		return s.packets.LocalAddr()
	}
	return s.listener.Addr()
}

func (s *stream) socket() any {
	if s.packets != nil {
		return s.packets
	}
	return s.listener
}

func (s *stream) close() {
	if s.listener != nil {
		_ = s.listener.Close() // nothing can be done about it
		return
	}
	s.stop()
	if !s.served {
		_ = s.packets.Close()
		return
	}
	go func() {
		s.after.Wait()
		_ = s.packets.Close()
	}()
}

// openStreams opens what is not open yet; on an error nothing has changed. The mutex is held.
func (s *Server) openStreams(ctx context.Context, wanted []Stream) (fresh map[string]*stream, err error) {
	fresh = map[string]*stream{}
	for i := range wanted {
		w := &wanted[i]
		if s.streams.open[w.key()] != nil {
			continue
		}
		opened, err := s.openStream(ctx, w)
		if err != nil {
			closeAll(fresh)
			return nil, fmt.Errorf("%s%s: %w", w.network(), at(w.Source), err)
		}
		fresh[w.key()] = opened
	}
	return fresh, nil
}

func closeAll(streams map[string]*stream) {
	for _, s := range streams {
		s.close()
	}
}

func (s *Server) openStream(ctx context.Context, w *Stream) (*stream, error) {
	o := w.Options
	o.Logger, o.Inherited = s.options.Logger, s.options.Inherited
	if w.Packets != nil {
		conn, err := listen.OpenUDP(ctx, w.Listen, o)
		return &stream{address: w.Listen, packets: conn, stop: func() {}}, err
	}
	l, err := listen.Open(ctx, w.Listen, o)
	return &stream{address: w.Listen, listener: l}, err
}

// serveStreams hands the open addresses to the app, and closes those that it has not. The mutex is
// held.
func (s *Server) serveStreams(wanted []Stream, fresh map[string]*stream) {
	var keys []string
	for i := range wanted {
		w := &wanted[i]
		keys = append(keys, w.key())
		opened := fresh[w.key()]
		if opened == nil {
			opened = s.streams.open[w.key()]
		}
		s.streams.open[w.key()] = opened
		s.hand(opened, w, fresh[w.key()] != nil)
	}
	for key, opened := range s.streams.open {
		if !slices.Contains(keys, key) {
			opened.close()
			delete(s.streams.open, key)
		}
	}
}

// hand gives an address to a stream of the present app.
func (s *Server) hand(opened *stream, w *Stream, begin bool) {
	if opened.packets != nil {
		opened.stop()
		ctx, cancel := context.WithCancel(s.streams.ctx)
		done := make(chan struct{})
		opened.stop = sync.OnceFunc(func() { cancel(); <-done })
		opened.served = true
		opened.after.Add(1)
		s.streams.work.Go(func() {
			defer opened.after.Done()
			s.receive(ctx, opened, w)
			close(done)
			if w.Leave != nil {
				w.Leave(s.streams.ctx)
			}
		})
		return
	}
	opened.mu.Lock()
	opened.serve = w.Conn
	opened.mu.Unlock()
	if begin {
		s.streams.work.Go(func() { s.acceptStream(opened) })
	}
}

// receive hands a socket to a stream of UDP until ctx ends.
func (s *Server) receive(ctx context.Context, opened *stream, w *Stream) {
	select { // who had the socket before may still read from it
	case <-s.options.Released:
	case <-ctx.Done():
		return
	}
	if err := w.Packets(ctx, opened.packets); err != nil {
		s.options.Logger.Error("receiving datagrams", "addr", opened.addr().String(), "err", err)
	}
}

func (s *Server) acceptStream(opened *stream) {
	for {
		conn, err := opened.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.options.Logger.Error("accepting connections", "addr", opened.addr().String(), "err", err)
			return
		}
		opened.mu.Lock()
		serve := opened.serve
		opened.mu.Unlock()
		s.streams.work.Go(func() { serve(s.streams.ctx, conn) })
	}
}

// closeStreams stops accepting, lets connections go on until ctx is done, and then ends them.
func (s *Server) closeStreams(ctx context.Context) {
	s.mu.Lock()
	left := slices.Collect(maps.Values(s.streams.open))
	closeAll(s.streams.open)
	clear(s.streams.open)
	s.mu.Unlock()
	defer context.AfterFunc(ctx, s.streams.end)()
	s.streams.work.Wait()
	s.streams.end()
	for _, opened := range left {
		if opened.packets != nil {
			_ = opened.packets.Close() // nobody writes to it any more
		}
	}
}

// StreamAddrs are the open addresses of App.Streams, in their order.
func (s *Server) StreamAddrs() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.current.Load()
	if h == nil {
		return nil
	}
	var addrs []net.Addr
	for i := range h.app.Streams {
		if opened := s.streams.open[h.app.Streams[i].key()]; opened != nil {
			addrs = append(addrs, opened.addr())
		}
	}
	return addrs
}
