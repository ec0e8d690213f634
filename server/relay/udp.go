package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// UDPOptions say how datagrams are carried.
type UDPOptions struct {
	Pool Pool
	// Idle is how long the session of a client lasts without a datagram either way; default 30 s.
	// While it lasts the client's datagrams go to one backend, from one port.
	Idle time.Duration
	// MaxSessions bounds them, each is a socket; default 10,000. At the limit datagrams of other
	// clients are dropped, as networks do.
	MaxSessions int
	// MaxPerIP bounds those of one client address; default 1,000.
	MaxPerIP int
	Logger   *slog.Logger // default [slog.Default]
}

// lastAnswers is how long a session may be silent when nobody reads the datagrams of clients any more.
const lastAnswers = 2 * time.Second

// maxDatagram is the largest that IP can carry.
const maxDatagram = 64 << 10

// UDP carries datagrams. Made by [NewUDP].
type UDP struct {
	o     UDPOptions
	stats stats

	mu       sync.Mutex
	sessions map[netip.AddrPort]*session
	perIP    map[netip.Addr]int
	told     time.Time // when the log heard of trouble last
	leaving  bool      // see Leave
	over     bool      // all sessions are ended, by no fault of backends

	work sync.WaitGroup // the sessions
}

// NewUDP checks options and makes a relay of them.
func NewUDP(o UDPOptions) (*UDP, error) {
	if o.Pool == nil {
		return nil, errors.New("udp: there are no backends")
	}
	if o.Idle < 0 || o.MaxSessions < 0 || o.MaxPerIP < 0 {
		return nil, fmt.Errorf("udp: idle %s, max_sessions %d, max_per_ip %d: none may be negative, for sessions end by being idle only", o.Idle, o.MaxSessions, o.MaxPerIP)
	}
	o.Idle = cmp.Or(o.Idle, 30*time.Second)
	o.MaxSessions = cmp.Or(o.MaxSessions, 10_000)
	o.MaxPerIP = cmp.Or(o.MaxPerIP, 1000)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &UDP{o: o, sessions: map[netip.AddrPort]*session{}, perIP: map[netip.Addr]int{}}, nil
}

// Stats are those since the relay was made.
func (u *UDP) Stats() Stats { return u.stats.read() }

// A session is what one client has with one backend.
type session struct {
	client  netip.AddrPort
	backend *net.UDPConn
	lease   Lease
	used    atomic.Int64 // when a datagram passed last, in nanoseconds since start
	start   time.Time
	answers atomic.Bool
	failed  atomic.Bool
}

func (s *session) touch() { s.used.Store(int64(time.Since(s.start))) }

func (s *session) idle() time.Duration { return time.Since(s.start) - time.Duration(s.used.Load()) }

// ServePackets carries what comes in on conn until ctx ends or conn fails, and does not close conn. What it
// has read until then it has carried. The answers of backends go on to come, over conn: [UDP.Leave] waits for
// them. It is called once.
func (u *UDP) ServePackets(ctx context.Context, conn *net.UDPConn) error {
	_ = conn.SetReadDeadline(time.Time{}) // that of whoever had it before
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		_ = conn.SetReadDeadline(time.Unix(1, 0))
	})
	defer func() {
		if !stop() {
			<-interrupted // or it would stop the next one that reads
		}
	}()
	buffer := make([]byte, maxDatagram)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buffer)
		switch {
		case err == nil:
			u.carry(conn, from, buffer[:n])
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		} // or it is of a datagram before, as a port that was not reachable
	}
}

// carry sends a datagram on.
func (u *UDP) carry(conn *net.UDPConn, from netip.AddrPort, datagram []byte) {
	client := netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	s := u.session(client, func(s *session) {
		u.work.Go(func() { u.answer(conn, from, s) })
	})
	if s == nil {
		return
	}
	if _, err := s.backend.Write(datagram); err != nil {
		s.failed.Store(true)
		_ = s.backend.Close() // ends it: the next datagram may go elsewhere
		return
	}
	u.stats.in.Add(int64(len(datagram)))
}

// Leave returns when the sessions have ended, after ServePackets has returned: nothing comes of their clients
// any more, so each ends when it has been silent for 2 s, or for Idle if that is less, and all when ctx does.
func (u *UDP) Leave(ctx context.Context) {
	u.mu.Lock()
	u.leaving = true
	for _, s := range u.sessions {
		_ = s.backend.SetReadDeadline(time.Now()) // has it look at the time
	}
	u.mu.Unlock()
	defer context.AfterFunc(ctx, u.endAll)()
	u.work.Wait()
}

func (u *UDP) endAll() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.over = true
	for _, s := range u.sessions {
		_ = s.backend.Close()
	}
}

// session is the client's; begun is called with one that is new. nil drops the datagram.
func (u *UDP) session(client netip.AddrPort, begun func(*session)) *session {
	u.mu.Lock()
	defer u.mu.Unlock()
	if s := u.sessions[client]; s != nil {
		s.touch()
		return s
	}
	if len(u.sessions) >= u.o.MaxSessions || u.perIP[client.Addr()] >= u.o.MaxPerIP {
		u.tell("datagrams are dropped: too many sessions", "client", client.Addr().String(), "sessions", len(u.sessions))
		return nil
	}
	s, err := u.dial(client)
	if err != nil {
		u.stats.failed.Add(1)
		u.tell("datagrams are dropped: "+err.Error(), "client", client.Addr().String())
		return nil
	}
	u.sessions[client] = s
	u.perIP[client.Addr()]++
	u.stats.open.Add(1)
	u.stats.total.Add(1)
	begun(s)
	return s
}

func (u *UDP) dial(client netip.AddrPort) (*session, error) {
	lease, err := u.o.Pool.Pick(client.Addr(), nil)
	if err != nil {
		return nil, err
	}
	// Connected, so that the kernel drops what others send there and reports unreachable ports. The
	// look-up of a name waits here, for all; addresses do not.
	conn, err := net.Dial("udp", lease.Address())
	if err != nil {
		lease.Done(true)
		return nil, err
	}
	return &session{client: client, backend: conn.(*net.UDPConn), lease: lease, start: time.Now()}, nil // used now
}

// answer carries the answers of a session until it is idle, its backend is gone, or all are ended.
func (u *UDP) answer(conn *net.UDPConn, to netip.AddrPort, s *session) {
	defer u.end(s)
	pass := func(datagram []byte) {
		s.touch()
		s.answers.Store(true)
		_, _ = conn.WriteToUDPAddrPort(datagram, to) // datagrams may be lost
		u.stats.out.Add(int64(len(datagram)))
	}
	for u.wait(s) {
		err := receive(s.backend, pass)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			continue // a datagram of the client may have made it longer
		}
		if err != nil {
			s.failed.Store(true)
			return
		}
	}
}

// wait sets how long a session may wait for the next answer. One that has waited long enough is forgotten at
// once, so that the client's next datagram begins another.
func (u *UDP) wait(s *session) (goOn bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	patience := u.o.Idle
	if u.leaving {
		patience = min(patience, lastAnswers)
	}
	left := patience - s.idle()
	if left <= 0 || u.over {
		u.forget(s)
		return false
	}
	_ = s.backend.SetReadDeadline(time.Now().Add(left))
	return true
}

// forget has the next datagram of the client begin another session. The mutex is held.
func (u *UDP) forget(s *session) {
	if u.sessions[s.client] == s {
		delete(u.sessions, s.client)
	}
}

// end closes a session. A backend that has answered once is reachable.
func (u *UDP) end(s *session) {
	_ = s.backend.Close()
	u.mu.Lock()
	defer u.mu.Unlock()
	s.lease.Done(s.failed.Load() && !s.answers.Load() && !u.over)
	u.forget(s)
	if u.perIP[s.client.Addr()]--; u.perIP[s.client.Addr()] == 0 {
		delete(u.perIP, s.client.Addr())
	}
	u.stats.open.Add(-1)
}

// tell logs once a minute: a flood must not fill the log. The mutex is held.
func (u *UDP) tell(message string, args ...any) {
	if time.Since(u.told) < time.Minute {
		return
	}
	u.told = time.Now()
	u.o.Logger.Warn("udp relay: "+message, args...)
}
