package fastcgi

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"

	"rws/server/proxy/transport"
)

const (
	maxHead   = 64 << 10 // of an answer
	maxStderr = 4 << 10  // of a request that is logged
)

// A call is one request on its connection.
type call struct {
	t       *Transport
	conn    net.Conn
	request *http.Request
	in      *content
	stop    func() bool
	client  atomic.Pointer[Error] // what went wrong with the body of the request

	r       *bufio.Reader
	left    record // what has not been read of the present record
	broken  error  // what reading failed with, io.EOF at the end
	noise   []byte // its standard error
	reading bool   // the body, no longer the head
}

// send writes the request. That writing fails shows when the answer is read.
func (c *call) send(p map[string]string) {
	defer c.in.Close()
	if c.write(p) != nil && c.client.Load() != nil {
		_ = c.conn.Close() // what the application has got is not all
	}
}

func (c *call) write(p map[string]string) error {
	var pairs []byte
	for name, value := range p {
		pairs = appendPair(pairs, name, value)
	}
	head := appendRecord(nil, beginRequest, []byte{0, responder, 0, 0, 0, 0, 0, 0})
	head = appendStream(head, params, pairs)
	if c.in.size == 0 {
		head = appendRecord(head, stdin, nil)
	}
	if _, err := c.conn.Write(head); err != nil || c.in.size == 0 {
		return err
	}
	left := c.in.size
	buffer := make([]byte, headerLength+32<<10)
	for left > 0 {
		n, err := io.ReadFull(c.in, buffer[headerLength:headerLength+int(min(left, 32<<10))])
		if err != nil {
			c.client.Store(&Error{Phase: "write", Client: true, Err: err})
			return err
		}
		left -= int64(n)
		appendRecord(buffer[:0], stdin, buffer[headerLength:headerLength+n])
		if _, err := c.conn.Write(buffer[:headerLength+n]); err != nil {
			return err
		}
	}
	_, err := c.conn.Write(appendRecord(nil, stdin, nil))
	return err
}

// failed ends a call for which there is no answer, and finds out whose fault that is.
func (c *call) failed(err error) error {
	c.close()
	return c.fault("header", err)
}

// fault finds out whose fault an error is.
func (c *call) fault(phase string, err error) error {
	if ctx := c.request.Context(); ctx.Err() != nil {
		return ctx.Err()
	}
	if client := c.client.Load(); client != nil {
		return client
	}
	return &Error{Phase: phase, Err: err}
}

// close frees the connection.
func (c *call) close() {
	c.stop()
	_ = c.conn.Close() // it has served
	if len(c.noise) > 0 {
		c.t.o.Logger.LogAttrs(c.request.Context(), slog.LevelWarn, "fastcgi: the application writes to its standard error",
			slog.String("script", c.request.URL.Path), slog.String("text", strings.TrimSpace(string(c.noise))))
		c.noise = nil
	}
}

// head reads the header of the answer, RFC 3875 §6.
func (c *call) head() (*http.Response, error) {
	c.deadline(transport.ResponseFor(c.request.Context(), c.t.o.Response))
	c.r = bufio.NewReader(c.conn)
	limited := &io.LimitedReader{R: output{c}, N: maxHead}
	lines := bufio.NewReader(limited)
	fields, err := textproto.NewReader(lines).ReadMIMEHeader()
	switch {
	case limited.N == 0 && err != nil:
		return nil, fmt.Errorf("the header of the answer has more than %d KiB", maxHead>>10)
	case errors.Is(err, io.EOF):
		return nil, errors.New("the application ended without an answer")
	case err != nil:
		return nil, err
	}
	res := &http.Response{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header(fields), Request: c.request, ContentLength: -1}
	if err := setStatus(res); err != nil {
		return nil, err
	}
	if err := c.setLength(res); err != nil {
		return nil, err
	}
	c.reading = true
	rest, _ := lines.Peek(lines.Buffered()) // it is in the buffer
	body := &answer{c: c, first: slices.Clone(rest), left: res.ContentLength}
	if c.request.Method == http.MethodHead || res.StatusCode == http.StatusNoContent || res.StatusCode == http.StatusNotModified {
		body.left = 0
	}
	res.Body = body
	return res, nil
}

// setStatus takes the status, which CGI writes as a field.
func setStatus(res *http.Response) error {
	res.StatusCode = http.StatusOK
	if res.Header.Get("Location") != "" {
		res.StatusCode = http.StatusFound
	}
	if text := res.Header.Get("Status"); text != "" {
		code, _, _ := strings.Cut(strings.TrimSpace(text), " ")
		n, err := strconv.Atoi(code)
		if err != nil || n < 200 || n > 999 {
			return fmt.Errorf("status %q of the answer is none", text)
		}
		res.StatusCode = n
	}
	res.Status = strings.TrimSpace(strconv.Itoa(res.StatusCode) + " " + http.StatusText(res.StatusCode))
	res.Header.Del("Status")
	for name, values := range res.Header {
		if !httpguts.ValidHeaderFieldName(name) || slices.ContainsFunc(values, func(v string) bool { return !httpguts.ValidHeaderFieldValue(v) }) {
			return fmt.Errorf("the field %q of the answer is malformed", name)
		}
	}
	return nil
}

func (c *call) setLength(res *http.Response) error {
	values := res.Header["Content-Length"]
	if len(values) == 0 {
		return nil
	}
	n, err := strconv.ParseUint(values[0], 10, 63)
	if err != nil || len(values) > 1 {
		return fmt.Errorf("the length of the answer is %q", values)
	}
	res.ContentLength = int64(n)
	return nil
}

func (c *call) deadline(d time.Duration) {
	if d > 0 {
		_ = c.conn.SetReadDeadline(time.Now().Add(d)) // fails on a closed connection, as reading will
	}
}

// output reads what the application writes to its standard output.
type output struct{ c *call }

func (o output) Read(p []byte) (int, error) {
	c := o.c
	for c.left.content == 0 {
		if c.broken == nil {
			c.broken = c.next()
		}
		if c.broken != nil { // readers of lines ask again
			return 0, c.broken
		}
	}
	n, err := c.r.Read(p[:min(len(p), c.left.content)])
	c.left.content -= n
	return n, err
}

// next reads on to the next record of output, or the end.
func (c *call) next() error {
	if c.reading {
		c.deadline(c.t.o.Idle)
	}
	if _, err := c.r.Discard(c.left.padding); err != nil {
		return err
	}
	var err error
	if c.left, err = readRecord(c.r); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF // the end is a record
		}
		return err
	}
	switch c.left.kind {
	case stdout:
		return nil
	case stderr:
		return c.listen()
	case endRequest:
		return c.end()
	}
	return c.skip() // of a type that may be ignored, §8
}

func (c *call) listen() error {
	text := make([]byte, c.left.content)
	if _, err := io.ReadFull(c.r, text); err != nil {
		return err
	}
	c.left.content = 0
	c.noise = append(c.noise, text[:min(len(text), max(0, maxStderr-len(c.noise)))]...)
	return nil
}

func (c *call) skip() error {
	_, err := c.r.Discard(c.left.content)
	c.left.content = 0
	return err
}

// end reads how the request ended, §5.5; io.EOF is well.
func (c *call) end() error {
	var body [8]byte
	if c.left.content < len(body) {
		return errors.New("the end of the answer is malformed")
	}
	if _, err := io.ReadFull(c.r, body[:]); err != nil {
		return err
	}
	c.left = record{}
	switch body[4] {
	case 0:
		return io.EOF
	case 2:
		return errors.New("the application is overloaded")
	default:
		return fmt.Errorf("the application refuses the request: protocol status %d", body[4])
	}
}

// answer is the body of the answer.
type answer struct {
	c     *call
	first []byte // came with the header
	left  int64  // by its length, -1 for unknown
	done  bool
}

func (a *answer) Read(p []byte) (n int, err error) {
	if a.left >= 0 {
		p = p[:min(int64(len(p)), a.left)]
	}
	if a.left == 0 {
		return 0, io.EOF
	}
	if len(a.first) > 0 {
		n = copy(p, a.first)
		a.first = a.first[n:]
	} else {
		n, err = output{a.c}.Read(p)
	}
	if a.left > 0 {
		a.left -= int64(n)
		if err == io.EOF && a.left > 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	if err != nil && err != io.EOF {
		err = a.c.fault("body", err)
	}
	return n, err
}

// Close ends the connection, and with that the request if the application is still at it.
func (a *answer) Close() error {
	if !a.done {
		a.done = true
		a.c.close()
	}
	return nil
}
