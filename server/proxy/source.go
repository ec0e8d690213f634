package proxy

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// A source is the body of the client's request. Tries read it one after the other, each through a
// reading of its own: what the first has read is kept for the next as long as it is little.
//
// It remembers why reading failed, for that is the client's fault and nobody else's.
type source struct {
	reading sync.Mutex // held while the client is read from
	from    io.Reader
	max     int64 // bytes, negative for no limit
	got     int64
	kept    []byte
	end     error  // what reading gave at last
	ended   func() // called at the end of the body, for trailers

	state sync.Mutex
	keep  int  // how much may be kept
	lost  bool // something was read, or is being read, that is not kept

	fault atomic.Pointer[error] // not io.EOF
}

// A reading is the source from its beginning.
type reading struct {
	source *source
	at     int
	closed bool // under the state of the source
}

// Read implements [io.Reader].
func (r *reading) Read(p []byte) (int, error) {
	s := r.source
	s.reading.Lock()
	defer s.reading.Unlock()
	if r.at < len(s.kept) {
		n := copy(p, s.kept[r.at:])
		r.at += n
		return n, nil
	}
	if s.end != nil {
		return 0, s.end
	}
	room, ok := r.begin()
	if !ok {
		return 0, http.ErrBodyReadAfterClose
	}
	if room > 0 && len(p) > room {
		p = p[:room]
	}
	n, err := s.read(p)
	if room > 0 {
		s.kept = append(s.kept, p[:n]...)
		r.at += n
	}
	return n, err
}

// Buffered is how much can be read without waiting for the client, as far as that is known.
func (r *reading) Buffered() int {
	s := r.source
	if !s.reading.TryLock() {
		return 0 // somebody waits for it
	}
	defer s.reading.Unlock()
	n := len(s.kept) - r.at
	if from, ok := s.from.(interface{ Buffered() int }); ok && s.end == nil {
		n += from.Buffered()
	}
	return n
}

// begin decides, before anything is read, whether it will be kept: who closes a reading then knows what
// the next one will find, though the read may still wait.
func (r *reading) begin() (room int, ok bool) {
	s := r.source
	s.state.Lock()
	defer s.state.Unlock()
	if r.closed {
		return 0, false
	}
	room = s.keep - len(s.kept)
	if room <= 0 {
		s.keep, s.lost = 0, true
	}
	return max(room, 0), true
}

func (s *source) read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	s.got += int64(n)
	if s.max >= 0 && s.got > s.max {
		n, err = 0, &http.MaxBytesError{Limit: s.max}
	}
	if err == nil {
		return n, nil
	}
	s.end = err
	if err != io.EOF {
		s.fault.Store(&err)
	} else if s.ended != nil {
		s.ended()
	}
	return n, err
}

// Close ends the reading; a read that waits for the client goes on, for whoever comes next.
func (r *reading) Close() error {
	r.source.state.Lock()
	defer r.source.state.Unlock()
	r.closed = true
	return nil
}

// renewable reports whether another reading would find all of the body. It is asked when the last
// reading has been closed.
func (s *source) renewable() bool {
	s.state.Lock()
	defer s.state.Unlock()
	return !s.lost
}

// settle keeps no more: there will be no other reading.
func (s *source) settle() {
	s.state.Lock()
	defer s.state.Unlock()
	s.keep = 0
}

// maxRest is how much may be on the way from a client that has closed its side: more than the buffers of
// most systems hold.
const maxRest = 8 << 20

// rest reads what is left of the body of a client that has closed its side of the connection, so that
// nothing is waited for, and says what is wrong with it: whether it left before it had sent all.
func (s *source) rest() error {
	s.settle()
	_, _ = io.CopyN(io.Discard, &reading{source: s}, maxRest) // the source keeps the error
	return s.clientFault()
}

// clientFault is why the body of the client could not be read, or nil.
func (s *source) clientFault() error {
	if err := s.fault.Load(); err != nil {
		return *err
	}
	return nil
}
