package repl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"

	"rws/luabind/vm"
)

// maxSessions bounds how many are attached at once.
const maxSessions = 16

// AttachOptions say what attached sessions may do; the zero value is the default.
type AttachOptions struct {
	// ReadOnly makes the sessions read-only, until one asks to write (Client.Write), which who may
	// open the socket may; see Options.ReadOnly for what it means.
	ReadOnly bool
	// Audit gets a record for each session that begins or ends and for each line, before
	// it runs: "console" with client, which is the number of the session, read_only and
	// line. Default: nowhere.
	Audit *slog.Logger
	// Replace puts another process in the place of this one, for Client.Replace, and says how that went.
	// Default: it can't be.
	Replace func(told func(next Successor, err error))
}

// A listener accepts sessions on a socket.
type listener struct {
	path    string
	net     net.Listener
	host    Host
	options AttachOptions
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	mu   sync.Mutex
	last int // number of the newest session
	open int
}

// Listen lets other processes of the same user attach to the app by a unix socket, which
// only its owner may use; its folder is made when it is missing, for its owner only. A
// socket that a dead process left behind is replaced, a live one is an error. Close ends
// all sessions and removes the socket.
func Listen(path string, h Host, o AttachOptions) (io.Closer, error) {
	if o.Audit == nil {
		o.Audit = slog.New(slog.DiscardHandler)
	}
	if o.Replace == nil {
		o.Replace = func(told func(Successor, error)) { told(Successor{}, errors.New("this process can't be replaced")) }
	}
	if err := makeWay(path); err != nil {
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	l, err := listenPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &listener{path: path, net: l, host: h, options: o, ctx: ctx, cancel: cancel}
	s.wg.Go(s.accept)
	return s, nil
}

// makeWay makes the folder of a socket and removes a socket that nobody listens on.
func makeWay(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return errors.New("a file of that name exists and is no socket")
	}
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		return errors.New("another server listens there; stop it, or attach to it")
	}
	return os.Remove(path)
}

// Close ends all sessions.
func (l *listener) Close() error {
	l.cancel()
	err := l.net.Close()
	_ = os.Remove(l.path)
	l.wg.Wait()
	return err
}

func (l *listener) accept() {
	for {
		conn, err := l.net.Accept()
		if err != nil {
			return
		}
		n, ok := l.enter()
		if !ok {
			_ = newWire(conn).send(reply{Op: "done", Error: "too many sessions are attached\n"})
			conn.Close()
			continue
		}
		l.wg.Go(func() {
			defer l.leave()
			l.serve(conn, n)
		})
	}
}

func (l *listener) enter() (number int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == maxSessions {
		return 0, false
	}
	l.open++
	l.last++
	return l.last, true
}

func (l *listener) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
}

// serve runs one session until its client leaves.
func (l *listener) serve(conn net.Conn, n int) {
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	a := &attached{wire: newWire(conn), listener: l, number: n, cancel: cancel}
	a.open(l.options.ReadOnly)
	a.audit.Info("console", "event", "attached")
	defer func() { a.audit.Info("console", "event", "detached") }()
	if err := a.wire.send(reply{Op: "hello", Text: greeting(l.host.Main(), n, l.options.ReadOnly)}); err != nil {
		return
	}
	a.run(ctx)
}

func greeting(main string, n int, readOnly bool) string {
	text := fmt.Sprintf("attached to %s, session %d", orText(main, "a console without a script"), n)
	if readOnly {
		text += ", read-only: neither a line nor a handler that it calls, as by get \"/path\", can change what the app holds, files or\n" +
			"other servers; rws attach --write can"
	}
	return text
}

// An attached session answers the queries of one client.
type attached struct {
	wire     *wire
	listener *listener
	number   int
	audit    *slog.Logger
	session  *Session
	cancel   context.CancelFunc // ends the connection
	wg       sync.WaitGroup
	busy     sync.Mutex // held while a line runs
	stop     context.CancelCauseFunc
}

// open begins a session, in place of the one that there was.
func (a *attached) open(readOnly bool) {
	a.audit = a.listener.options.Audit.With("client", a.number, "read_only", readOnly)
	a.session = New(a.listener.host, Options{ReadOnly: readOnly})
}

// write turns the session into one that may write.
func (a *attached) write(q query) {
	if !a.busy.TryLock() {
		_ = a.wire.send(reply{ID: q.ID, Op: "done", Error: "a line is running already\n"})
		return
	}
	defer a.busy.Unlock()
	a.open(false)
	a.audit.Info("console", "event", "may write")
	_ = a.wire.send(reply{ID: q.ID, Op: "done", Text: greeting(a.listener.host.Main(), a.number, false)})
}

func (a *attached) run(ctx context.Context) {
	defer a.wg.Wait()
	defer a.cancel()
	for {
		var q query
		if err := a.wire.receive(&q); err != nil {
			return
		}
		switch q.Op {
		case "eval":
			if !a.busy.TryLock() {
				_ = a.wire.send(reply{ID: q.ID, Op: "done", Error: "a line is running already\n"})
				continue
			}
			a.eval(ctx, q)
		case "write":
			a.write(q)
		case "replace":
			a.replace(q)
		case "complete":
			from, list := a.session.Complete(ctx, q.Text, q.Pos)
			_ = a.wire.send(reply{ID: q.ID, Op: "candidates", From: from, List: list})
		case "interrupt":
			if a.stop != nil {
				a.stop(vm.ErrStopped)
			}
		}
	}
}

// replace answers before this process gives way, which ends the session.
func (a *attached) replace(q query) {
	a.audit.Info("console", "event", "replaces the program")
	a.listener.options.Replace(func(next Successor, err error) {
		done := reply{ID: q.ID, Op: "done", Successor: next}
		if err != nil {
			done.Error = err.Error()
		}
		_ = a.wire.send(done) // who is gone can't hear it
	})
}

// eval runs a line beside the reading of queries, so that it can be interrupted.
func (a *attached) eval(ctx context.Context, q query) {
	a.audit.Info("console", "line", q.Text)
	ctx, stop := context.WithCancelCause(ctx)
	a.stop = stop
	a.wg.Go(func() {
		defer stop(nil)
		out := writerFunc(func(p []byte) error { return a.wire.send(reply{ID: q.ID, Op: "output", Text: string(p)}) })
		r, err := a.session.Eval(ctx, q.Text, out, Style{Color: q.Color, Width: min(q.Width, 1_000)})
		done := reply{ID: q.ID, Op: "done", Text: r.Text, Failed: r.Failed, Quit: r.Quit, Edit: r.Edit, Open: r.Open}
		if err != nil {
			done.Error, done.Message = errorText(err), err.Error()
		}
		a.busy.Unlock()
		if a.wire.send(done) != nil {
			a.cancel()
		}
	})
}

// writerFunc makes a function a writer.
type writerFunc func(p []byte) error

func (f writerFunc) Write(p []byte) (int, error) {
	if err := f(p); err != nil {
		return 0, err
	}
	return len(p), nil
}
