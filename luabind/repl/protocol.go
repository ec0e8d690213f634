package repl

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Both sides send one JSON object per line. The client asks, with a number of its choice;
// the server answers with the same number: "output" any number of times and then "done"
// to an "eval", "candidates" to a "complete", "done" with another greeting to a "write" and
// with a pid to a "replace". An "interrupt" ends the "eval" that runs.
// The server begins with a "hello".

// maxMessage bounds a line of the protocol: 16 MB.
const maxMessage = 16 << 20

// writeLimit is how long the other side may refuse to read.
const writeLimit = 30 * time.Second

// A query is what the client sends.
type query struct {
	ID    int    `json:"id"`
	Op    string `json:"op"` // eval, complete, write, interrupt, replace
	Text  string `json:"text,omitempty"`
	Pos   int    `json:"pos,omitempty"`
	Color bool   `json:"color,omitempty"`
	Width int    `json:"width,omitempty"`
}

// A reply is what the server sends.
type reply struct {
	ID      int         `json:"id"`
	Op      string      `json:"op"` // hello, output, done, candidates
	Text    string      `json:"text,omitempty"`
	Error   string      `json:"error,omitempty"`   // of done: the text that shows it
	Message string      `json:"message,omitempty"` // of done: the error in one line
	Failed  bool        `json:"failed,omitempty"`
	Quit    bool        `json:"quit,omitempty"`
	Edit    *Place      `json:"edit,omitempty"`
	Open    string      `json:"open,omitempty"`
	From    int         `json:"from,omitempty"`
	List    []Candidate `json:"list,omitempty"`
	Successor
}

// A Successor is the process that serves in place of another.
type Successor struct {
	PID     int    `json:"pid,omitempty"`
	Program string `json:"program,omitempty"` // the path that it was started by; "" where an older server answers
	Version string `json:"version,omitempty"`
}

// A wire sends and receives messages over a connection.
type wire struct {
	conn  net.Conn
	lines *bufio.Scanner
	mu    sync.Mutex // of writing
}

func newWire(conn net.Conn) *wire {
	w := &wire{conn: conn, lines: bufio.NewScanner(conn)}
	w.lines.Buffer(nil, maxMessage)
	return w
}

func (w *wire) send(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.conn.SetWriteDeadline(time.Now().Add(writeLimit))
	_, err = w.conn.Write(append(data, '\n'))
	return err
}

// receive reads the next message; io.EOF when the other side is gone.
func (w *wire) receive(v any) error {
	if !w.lines.Scan() {
		if err := w.lines.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	if err := json.Unmarshal(w.lines.Bytes(), v); err != nil {
		return fmt.Errorf("reading a message: %w", err)
	}
	return nil
}
