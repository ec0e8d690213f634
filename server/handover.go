package server

import (
	"context"
	"net"

	"rws/server/listen"
)

// Share makes copies of the sockets of the server for a process that takes its place; they are the
// caller's to close. Until then it goes on as ever. Unix sockets keep their files when it stops, unless
// [Server.Keep] is called. When it stops, connections that wait for a request get a moment to send one more.
func (s *Server) Share() (sockets []listen.Socket, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.each(func(addr string, socket any) error {
		one, err := listen.Share(addr, socket)
		if err == nil {
			sockets = append(sockets, one)
		}
		return err
	})
	if err != nil {
		for _, one := range sockets {
			_ = one.File.Close() // a copy
		}
		return nil, err
	}
	s.shared = true
	return sockets, nil
}

// Keep says that no process takes the place of this one, after all.
func (s *Server) Keep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shared = false
	_ = s.each(func(addr string, socket any) error { listen.Keep(addr, socket); return nil })
}

// each calls f for each socket with the address that it was opened with. mu is held.
func (s *Server) each(f func(addr string, socket any) error) error {
	for _, e := range s.entrances {
		if err := f(e.settings.Address, e.base); err != nil {
			return err
		}
		if e.socket == nil {
			continue
		}
		if err := f(e.settings.Address, e.socket); err != nil {
			return err
		}
	}
	for i, l := range s.sides {
		if err := f(s.current.Load().app.Sides[i].Listen, l); err != nil {
			return err
		}
	}
	redirects := s.current.Load().settings.TLS.Redirect
	for i, l := range s.redirects {
		if err := f(redirects[i], l); err != nil {
			return err
		}
	}
	for _, opened := range s.streams.open {
		if err := f(opened.address, opened.socket()); err != nil {
			return err
		}
	}
	return nil
}

// StopPackets ends HTTP/3, as Shutdown does, and the reading of streams of UDP, while the rest goes on: two
// processes can't read from one socket, so who takes the place of this one waits for that. What comes in
// between waits in the socket; answers to what was read are still sent, and Shutdown waits for them.
func (s *Server) StopPackets(ctx context.Context) {
	s.mu.Lock()
	entrances := s.entrances
	for key, opened := range s.streams.open {
		if opened.packets != nil {
			opened.close()
			delete(s.streams.open, key)
		}
	}
	s.mu.Unlock()
	for _, e := range entrances {
		if e.http3 != nil {
			_ = e.http3.Shutdown(ctx) // what it broke off is in ctx
		}
	}
}

// Listening is an open address with what it speaks.
type Listening struct {
	Addr      net.Addr
	Listener  Listener
	Secure    bool     // it speaks TLS
	Protocols []string // as "HTTP/1.1"
}

// Listening tells about the addresses that are open, in the order of Settings.Listen or Listeners.
func (s *Server) Listening() []Listening {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.current.Load()
	all := make([]Listening, len(s.entrances))
	for i, e := range s.entrances {
		l := Listening{Addr: e.listener.Addr(), Listener: e.settings, Secure: e.secure, Protocols: []string{"HTTP/1.1"}}
		if e.secure || h != nil && h.settings.H2C {
			l.Protocols = append(l.Protocols, "HTTP/2")
		}
		if e.http3 != nil {
			l.Protocols = append(l.Protocols, "HTTP/3")
		}
		all[i] = l
	}
	return all
}
