package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// systemd begins the address of a socket that systemd has opened.
const systemd = "systemd:"

// The kinds of sockets that are handed over.
const (
	stream = "stream" // that connections are accepted on
	packet = "packet" // for UDP
)

var errNotActivated = errors.New("no such socket was handed over")

// A Socket is one that is open and goes from one process to another.
type Socket struct {
	Name string // what it is for, as "stream :8080"
	File *os.File
}

// Sockets are those that another process has opened for this one. Each is taken once. nil are none.
type Sockets struct {
	mu   sync.Mutex
	left []Socket
	own  bool // they were ours before: files of unix sockets are ours to remove
}

// Inherited are sockets that a process like this one has handed over, by the names of [Share].
func Inherited(list []Socket) *Sockets { return &Sockets{left: list, own: true} }

// Activated are sockets that systemd has opened, in its order, by the names of their units'
// FileDescriptorName (sd_listen_fds(3)).
func Activated(files []*os.File) *Sockets {
	s := &Sockets{}
	for _, f := range files {
		s.left = append(s.left, Socket{systemd + f.Name(), f})
	}
	return s
}

// take returns the file of the first socket that is wanted; nil when there is none.
func (s *Sockets) take(kind, addr string) *os.File {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.left, func(has Socket) bool {
		return has.Name == kind+" "+addr || has.Name == addr || addr == systemd && strings.HasPrefix(has.Name, systemd)
	})
	if i < 0 {
		return nil
	}
	file := s.left[i].File
	s.left = slices.Delete(s.left, i, i+1)
	return file
}

// listener is the socket for an address; nil when there is none.
func (s *Sockets) listener(addr string) (net.Listener, error) {
	file := s.take(stream, addr)
	if file == nil {
		return nil, nil
	}
	defer file.Close() // the listener has its own
	l, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("listening on %s, which was handed over: %w", addr, err)
	}
	if unix, ok := l.(*net.UnixListener); ok && s.own && !strings.HasPrefix(addr, systemd) {
		unix.SetUnlinkOnClose(true)
	}
	return l, nil
}

// packetConn is the same for UDP.
func (s *Sockets) packetConn(addr string) (net.PacketConn, error) {
	file := s.take(packet, addr)
	if file == nil {
		return nil, nil
	}
	defer file.Close()
	conn, err := net.FilePacketConn(file)
	if err != nil {
		return nil, fmt.Errorf("listening for UDP on %s, which was handed over: %w", addr, err)
	}
	return conn, nil
}

// Close closes the sockets that nobody has taken, and returns their names.
func (s *Sockets) Close() (names []string) {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, socket := range s.left {
		_ = socket.File.Close() // there is nothing to be done about it
		names = append(names, socket.Name)
	}
	s.left = nil
	return names
}

// Share makes a copy of the socket of a listener of [Open], or of a UDP socket of [OpenPacket], for
// another process; addr is what it was opened with. A unix socket then keeps its file when this
// process closes it.
func Share(addr string, socket any) (Socket, error) {
	kind := stream
	if l, ok := socket.(*listener); ok {
		socket = l.Listener
	}
	if unix, ok := socket.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false)
	}
	if _, ok := socket.(net.PacketConn); ok {
		kind = packet
	}
	owner, ok := socket.(syscall.Conn)
	if !ok {
		return Socket{}, fmt.Errorf("handing over %s: a %T is no socket", addr, socket)
	}
	raw, err := owner.SyscallConn()
	if err != nil {
		return Socket{}, fmt.Errorf("handing over %s: %w", addr, err)
	}
	file, err := duplicate(raw, addr)
	if err != nil {
		return Socket{}, fmt.Errorf("handing over %s: %w", addr, err)
	}
	return Socket{kind + " " + addr, file}, nil
}

// Keep undoes what Share did to a unix socket: its file goes with it again.
func Keep(addr string, socket any) {
	if strings.HasPrefix(addr, systemd) {
		return
	}
	if l, ok := socket.(*listener); ok {
		socket = l.Listener
	}
	if unix, ok := socket.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(true)
	}
}
