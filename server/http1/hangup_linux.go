package http1

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A hangupWatch tells which clients have left, by one epoll instance and one goroutine for all
// connections, whatever there still is to read from them. A goroutine for each, that reads, costs 2.5 KB of each request that waits.
type hangupWatch struct {
	mu     sync.Mutex
	epoll  *os.File // nil before the first watch
	raw    syscall.RawConn
	closed bool // or there is no epoll to be had
	serial ticket
	lives  map[ticket]*life
}

// A ticket names one watch. A number of its own, as the system reuses those of files.
type ticket uint64

// hangup is what ends a watch; errors do it unasked.
const hangup = unix.EPOLLRDHUP | unix.EPOLLONESHOT

// add begins a watch. It returns 0 when it can't.
func (w *hangupWatch) add(nc net.Conn, l *life) ticket {
	raw := rawConn(nc)
	if raw == nil || !w.open() {
		return 0
	}
	w.mu.Lock()
	w.serial++
	t := w.serial
	w.lives[t] = l
	w.mu.Unlock()
	err := w.control(raw, unix.EPOLL_CTL_ADD, t)
	if err == nil {
		return t
	}
	w.forget(t)
	if errors.Is(err, net.ErrClosed) { // by us: nobody will hear of it otherwise
		l.left()
	}
	return 0
}

// remove ends a watch. A connection that is closed has left the epoll instance by itself.
func (w *hangupWatch) remove(nc net.Conn, t ticket) {
	w.forget(t)
	_ = w.control(rawConn(nc), unix.EPOLL_CTL_DEL, t)
}

// leftAll ends the requests that are watched. What we close ourselves leaves the epoll instance
// without an event.
func (w *hangupWatch) leftAll() {
	w.mu.Lock()
	lives := w.lives
	w.lives = map[ticket]*life{}
	w.mu.Unlock()
	for _, l := range lives {
		l.left()
	}
}

func (w *hangupWatch) forget(t ticket) *life {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.lives[t]
	delete(w.lives, t)
	return l
}

// control changes the epoll instance. The file can't be closed, and its number not be reused,
// while it does.
func (w *hangupWatch) control(raw syscall.RawConn, op int, t ticket) (err error) {
	event := unix.EpollEvent{Events: hangup, Fd: int32(t), Pad: int32(t >> 32)}
	outer := raw.Control(func(fd uintptr) {
		inner := w.raw.Control(func(epoll uintptr) { err = unix.EpollCtl(int(epoll), op, int(fd), &event) })
		if inner != nil {
			err = inner
		}
	})
	if outer != nil {
		return outer
	}
	return err
}

// open makes the epoll instance and its goroutine, unless they are there.
func (w *hangupWatch) open() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.epoll != nil || w.closed {
		return !w.closed
	}
	w.closed = true
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return false
	}
	if err := unix.SetNonblock(fd, true); err != nil { // so that the runtime waits for it
		_ = unix.Close(fd)
		return false
	}
	w.epoll = os.NewFile(uintptr(fd), "epoll")
	if w.raw, err = w.epoll.SyscallConn(); err != nil {
		return false
	}
	w.lives = map[ticket]*life{}
	w.closed = false
	go w.loop()
	return true
}

// close ends the goroutine; there are no more connections.
func (w *hangupWatch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.epoll != nil {
		_ = w.epoll.Close()
	}
}

// loop waits for the clients to leave. The runtime waits for the epoll instance as for any other
// file, so no thread is blocked.
func (w *hangupWatch) loop() {
	events := make([]unix.EpollEvent, 64)
	for {
		n := 0
		err := w.raw.Read(func(epoll uintptr) bool {
			n, _ = unix.EpollWait(int(epoll), events, 0)
			return n > 0
		})
		if err != nil {
			return
		}
		for _, e := range events[:n] {
			w.left(ticket(uint32(e.Fd)) | ticket(uint32(e.Pad))<<32)
		}
	}
}

// left ends the request of a client that has left.
func (w *hangupWatch) left(t ticket) {
	if l := w.forget(t); l != nil {
		l.left()
	}
}
