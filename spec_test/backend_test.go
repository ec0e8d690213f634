package spec_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"rws/spec_test/logtext"
)

// A site is a server that proxies are tested with: one that answers as it is told to, also wrongly.
type site struct {
	addr string

	mu     sync.Mutex
	kind   siteKind
	listen net.Listener
	udp    net.PacketConn // of bytes
	conns  map[net.Conn]bool
	web    *http.Server   // of this time that it is up
	asked  atomic.Int64   // requests that came
	seen   logtext.Buffer // the bytes that came; not of HTTP/2
}

// newSite starts one on a free port.
func newSite(kind string) (*site, error) {
	s := &site{addr: "127.0.0.1:0"}
	return s, s.start(kind)
}

// start listens, at the address that it had before if it had one.
func (s *site) start(kind string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := siteKinds[kind]
	if !ok {
		return usageError(fmt.Sprintf("backend: there is no kind %q", kind))
	}
	s.kind = k
	if s.listen != nil {
		return nil
	}
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		return err
	}
	s.addr, s.listen, s.conns = l.Addr().String(), l, make(map[net.Conn]bool)
	s.web = &http.Server{Handler: http.HandlerFunc(s.answer), Protocols: new(http.Protocols)}
	s.web.Protocols.SetHTTP1(true)
	s.web.Protocols.SetUnencryptedHTTP2(true)
	web := &handedOver{addr: l.Addr(), conns: make(chan net.Conn), closed: make(chan struct{})}
	if kind == "bytes" {
		if s.udp, err = net.ListenPacket("udp", s.addr); err != nil {
			return errors.Join(err, l.Close())
		}
		go echoPackets(s.udp)
	}
	go func() { _ = s.web.Serve(web) }()
	go s.accept(l, web)
	return nil
}

func (s *site) accept(l net.Listener, web *handedOver) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		kind, up := s.kind, s.listen == l
		if up {
			s.conns[conn] = true
		}
		s.mu.Unlock()
		switch {
		case !up:
			_ = conn.Close()
		case kind.bytes != nil:
			go func() {
				kind.bytes(s, conn)
				_ = conn.Close()
			}()
		default:
			web.hand(&recorded{conn, &s.seen})
		}
	}
}

// answer is of the kind that it is when the request comes.
func (s *site) answer(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	s.mu.Lock()
	serve := s.kind.serve
	s.mu.Unlock()
	if serve == nil {
		panic(http.ErrAbortHandler)
	}
	serve(w, r)
}

// stop closes the address and all connections, as a crash does.
func (s *site) stop() {
	s.mu.Lock()
	l, udp, conns, web := s.listen, s.udp, s.conns, s.web
	s.listen, s.udp = nil, nil
	s.mu.Unlock()
	if l == nil {
		return
	}
	if udp != nil {
		_ = udp.Close()
	}
	_ = l.Close()
	_ = web.Close()
	for conn := range conns {
		_ = conn.Close()
	}
}

// change has it answer in another way, on new connections.
func (s *site) change(kind string) error {
	if err := s.start(kind); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns { // what is open was of the other kind
		_ = conn.Close()
		delete(s.conns, conn)
	}
	return nil
}

// echoPackets answers each datagram with itself.
func echoPackets(c net.PacketConn) {
	buffer := make([]byte, 2048)
	for {
		n, from, err := c.ReadFrom(buffer)
		if err != nil {
			return
		}
		_, _ = c.WriteTo(buffer[:n], from)
	}
}

// handedOver is a listener of connections that another has accepted.
type handedOver struct {
	addr   net.Addr
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (h *handedOver) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handedOver) hand(conn net.Conn) {
	select {
	case h.conns <- conn:
	case <-h.closed:
		_ = conn.Close()
	}
}

func (h *handedOver) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

func (h *handedOver) Addr() net.Addr { return h.addr }

// recorded keeps what is read.
type recorded struct {
	net.Conn
	seen *logtext.Buffer
}

func (r *recorded) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	_, _ = r.seen.Write(p[:n])
	return n, err
}

// backend starts a site, or has it do something else.
func backend(s *spec, args []string) error {
	if len(args) != 2 {
		return usageError("backend NAME KIND|stop")
	}
	known := s.sites[args[0]]
	switch {
	case args[1] == "stop" && known != nil:
		known.stop()
		return nil
	case known != nil:
		return known.change(args[1])
	}
	made, err := newSite(args[1])
	if err != nil {
		return err
	}
	if s.sites == nil {
		s.sites = make(map[string]*site)
	}
	s.sites[args[0]] = made
	s.ts.Setenv(args[0], made.addr)
	return nil
}

// site returns a backend that the script has started.
func (s *spec) site(args []string, n int, usage string) (*site, error) {
	if len(args) != n || s.sites[args[0]] == nil {
		return nil, usageError(usage + "; NAME as given to backend")
	}
	return s.sites[args[0]], nil
}

// asked compares how many requests a backend has got.
func asked(s *spec, args []string) error {
	b, err := s.site(args, 2, "asked NAME COUNT")
	if err != nil {
		return err
	}
	if got := strconv.FormatInt(b.asked.Load(), 10); got != args[1] {
		return fmt.Errorf("%s was asked %s times, not %s", args[0], got, args[1])
	}
	return nil
}

// seen looks for a text in the bytes that a backend has got.
func seen(s *spec, args []string) error {
	b, err := s.site(args, 2, "seen NAME TEXT")
	if err != nil {
		return err
	}
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(args[1], `"`, `\"`) + `"`)
	if err != nil {
		return usageError("seen: " + err.Error())
	}
	if got := b.seen.String(); !strings.Contains(got, text) {
		return fmt.Errorf("%q is not in what %s has got: %q", text, args[0], got)
	}
	return nil
}
