package repl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// ErrGone is returned by a Client whose server has closed the connection.
var ErrGone = errors.New("the server has closed the connection")

// A Client is a session in another process, reached by its socket.
type Client struct {
	wire  *wire
	hello string
	gone  chan struct{} // closed when the connection has ended

	mu    sync.Mutex
	last  int
	calls map[int]*call
}

// Dial attaches to the app that listens on a socket.
func Dial(ctx context.Context, path string) (*Client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("no app listens on %s: start it with rws app.lua in this folder: %w", path, err)
		}
		return nil, fmt.Errorf("attaching to %s: %w", path, err)
	}
	c := &Client{wire: newWire(conn), gone: make(chan struct{}), calls: make(map[int]*call)}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	var first reply
	err = c.wire.receive(&first)
	stop()
	if err != nil || first.Op != "hello" {
		conn.Close()
		return nil, fmt.Errorf("attaching to %s: the other side is no console: %s", path, orText(first.Error, fmt.Sprint(err)))
	}
	c.hello = first.Text
	go c.listen()
	return c, nil
}

// Greeting says what the client is attached to.
func (c *Client) Greeting() string { return c.hello }

// Write makes the session one that may write, where it was read-only. Its variables are gone.
func (c *Client) Write(ctx context.Context) error {
	var refused error
	err := c.ask(ctx, query{Op: "write"}, func(r reply) bool {
		if r.Error != "" {
			refused = errors.New(strings.TrimSpace(r.Error))
		}
		c.hello = r.Text
		return true
	}, func() bool { return false })
	return cmp.Or(err, refused)
}

// Replace has another process put in the place of the one over there, and tells which. The session ends then.
func (c *Client) Replace(ctx context.Context) (next Successor, err error) {
	var refused error
	err = c.ask(ctx, query{Op: "replace"}, func(r reply) bool {
		if r.Error != "" {
			refused = errors.New(r.Error)
		}
		next = r.Successor
		return true
	}, func() bool { return false })
	return next, cmp.Or(err, refused)
}

// Close ends the session.
func (c *Client) Close() error {
	err := c.wire.conn.Close()
	<-c.gone
	return err
}

// listen hands replies to who waits for them.
func (c *Client) listen() {
	defer close(c.gone)
	for {
		var r reply
		if err := c.wire.receive(&r); err != nil {
			c.wire.conn.Close()
			return
		}
		if waiting := c.call(r.ID); waiting != nil {
			select {
			case waiting.replies <- r:
			case <-waiting.over:
			}
		}
	}
}

// A call waits for replies until it is over.
type call struct {
	replies chan reply
	over    chan struct{}
}

func (c *Client) call(id int) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[id]
}

// begin returns a new call and its number; end it by the function.
func (c *Client) begin() (id int, waiting *call, end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	id, waiting = c.last, &call{replies: make(chan reply), over: make(chan struct{})}
	c.calls[id] = waiting
	return id, waiting, func() {
		close(waiting.over)
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.calls, id)
	}
}

// ask sends q and calls each for the replies until that returns true. When ctx ends, it
// calls ended once, and stops at once if that returns false.
func (c *Client) ask(ctx context.Context, q query, each func(reply) bool, ended func() bool) error {
	id, waiting, end := c.begin()
	defer end()
	q.ID = id
	if err := c.wire.send(q); err != nil {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	done := ctx.Done()
	for {
		select {
		case r := <-waiting.replies:
			if each(r) {
				return nil
			}
		case <-done:
			if done = nil; !ended() {
				return context.Cause(ctx)
			}
		case <-c.gone:
			return ErrGone
		}
	}
}

// Eval runs one line over there. When ctx ends, the line is interrupted and its end
// awaited.
func (c *Client) Eval(ctx context.Context, text string, out io.Writer, style Style) (Result, error) {
	var result Result
	var failure error
	err := c.ask(ctx, query{Op: "eval", Text: text, Color: style.Color, Width: style.Width}, func(r reply) bool {
		if r.Op == "output" {
			_, _ = io.WriteString(out, r.Text)
			return false
		}
		result = Result{Text: r.Text, Failed: r.Failed, Quit: r.Quit, Edit: r.Edit, Open: r.Open}
		if r.Error != "" {
			failure = &Error{Text: r.Error, Err: errors.New(r.Message)}
		}
		return true
	}, func() bool { return c.wire.send(query{Op: "interrupt"}) == nil })
	if err != nil {
		return Result{}, &Error{Text: err.Error() + "\n", Err: err}
	}
	return result, failure
}

// Complete returns how the line may go on, nothing when the answer takes too long.
func (c *Client) Complete(ctx context.Context, line string, pos int) (from int, list []Candidate) {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	err := c.ask(ctx, query{Op: "complete", Text: line, Pos: pos}, func(r reply) bool {
		from, list = r.From, r.List
		return true
	}, func() bool { return false })
	if err != nil {
		return pos, nil
	}
	return from, list
}

// Attach is the whole of `rws attach`: it dials path and runs lines from in, with a line
// editor when in is a terminal and as Pipe otherwise. It tells whether all lines went
// well; the error is that of the connection or the terminal. write asks for a session that may
// write.
func Attach(ctx context.Context, path string, write bool, in *os.File, out, errs io.Writer, o TerminalOptions) (ok bool, err error) {
	c, err := Dial(ctx, path)
	if err != nil {
		return false, err
	}
	defer c.Close()
	if write {
		if err := c.Write(ctx); err != nil {
			return false, fmt.Errorf("asking for a session that may write: %w", err)
		}
	}
	if !term.IsTerminal(int(in.Fd())) {
		return Pipe(ctx, c, in, out, errs), nil
	}
	t, err := NewTerminal(o)
	if t == nil {
		return false, err
	}
	fmt.Fprintln(t, c.Greeting())
	return true, t.Run(ctx, c)
}
