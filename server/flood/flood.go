// Package flood guards connections of HTTP/2 against clients that keep a server busy with frames
// which cost them next to nothing: resets of streams just opened (CVE-2023-44487), frames for which the
// server has to reset them (CVE-2025-8671), PING and SETTINGS
// (CVE-2019-9512, -9515), PRIORITY and empty frames (CVE-2019-9513, -9518), CONTINUATION
// (CVE-2023-45288).
//
// The server of net/http bounds what such clients make it keep, not what they make it do. [Guard]
// reads along, both ways: it counts frames by their headers, and ends a connection whose client is over its
// budget with GOAWAY and ENHANCE_YOUR_CALM (RFC 9113 §10.5).
package flood

import (
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// What a client may do on one connection. Budgets are buckets of tokens, which fill with time and
// with work that is worth something.
const (
	// Resets a second, and at once, of the client and of the server for what the client did wrong. A page
	// that is left while it loads cancels all it asked for, of which there are at most as many as streams.
	resetRate, resetBurst = 200, 500
	// Frames that only control something, a second and at once.
	controlRate, controlBurst = 200, 2000
	// What a frame of data is worth in control frames. Clients that read much send many
	// WINDOW_UPDATE: that of Go one for 4 KiB, on the stream and on the connection.
	dataWorth = 10
	// What an empty frame costs, in control frames: nobody needs any.
	emptyCost = 20
	// CONTINUATION frames of one header; ours is 16 KiB, which is one frame.
	maxContinuations = 16
)

// lingering is how long a client gets to read why its connection ends, as in net/http.
const lingering = time.Second

// Types of frames (RFC 9113 §6).
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameContinuation = 0x9
)

const (
	flagEnd        = 0x1 // END_STREAM
	flagEndHeaders = 0x4
	headerSize     = 9
	codeSize       = 4 // of RST_STREAM
	preface        = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
)

// Codes of errors (RFC 9113 §7).
const (
	noError       = 0x0
	internalError = 0x2
	calmDown      = 0xb // ENHANCE_YOUR_CALM
)

// Guard watches over a connection that begins with the preface of HTTP/2, on the side of the server.
// Header is how long the header of a request may take from its first frame; 0 means no limit. Log gets a
// line at debug level for a connection that is ended; nil is for none.
func Guard(conn net.Conn, header time.Duration, log *slog.Logger) net.Conn {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &guarded{Conn: conn, header: header, log: log, reads: frames{skip: len(preface)},
		resets: bucket{rate: resetRate, size: resetBurst}, control: bucket{rate: controlRate, size: controlBurst}}
}

// guarded is a connection that is watched.
type guarded struct {
	net.Conn
	header        time.Duration
	log           *slog.Logger
	reads         frames // of the client; belongs to who reads
	block         frame  // the last frame of the client, of a header or not
	timed         bool   // a header has begun, and must end in time
	continuations int
	over          bool

	mu      sync.Mutex // the budgets, which reads and writes change
	resets  bucket
	control bucket
	ended   recent // streams that the server has reset
	why     string // what the server has sent too much of; "" for nothing

	writing sync.Mutex // held while something is written
	writes  frames
	last    atomic.Uint32 // stream of the client
	goaway  atomic.Bool   // is to be sent between two frames
	told    bool          // it has been sent
}

// Read gives what the client sends until it is over its budget.
func (c *guarded) Read(p []byte) (int, error) {
	if c.over {
		return 0, io.EOF
	}
	n, err := c.Conn.Read(p)
	if why := c.count(p[:n]); why != "" { // also when what has been written wakes the read
		c.end(why)
		return 0, io.EOF
	}
	return n, err
}

// count returns what there is too much of.
func (c *guarded) count(p []byte) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	why, now := c.why, time.Now()
	c.reads.each(p, func(f frame) {
		if excess := c.charge(f, now); excess != "" && why == "" {
			why = excess
		}
	})
	c.time(now)
	return why
}

// time bounds the wait for the rest of a header. mu is held.
func (c *guarded) time(now time.Time) {
	open := c.block.kind == frameHeaders || c.block.kind == frameContinuation
	open = open && (c.block.flags&flagEndHeaders == 0 || c.reads.inside())
	if c.header <= 0 || open == c.timed || c.goaway.Load() {
		return
	}
	var until time.Time
	if c.timed = open; open {
		until = now.Add(c.header)
	}
	_ = c.Conn.SetReadDeadline(until) // fails on a closed connection, as the read will
}

// charge takes a frame out of the budgets. mu is held.
func (c *guarded) charge(f frame, now time.Time) (excess string) {
	c.block = f
	if f.kind != frameContinuation {
		c.continuations = 0
	}
	cost := 1.0
	switch f.kind {
	case frameHeaders:
		c.last.Store(max(c.last.Load(), f.stream))
		if f.length > 0 {
			return ""
		}
		cost = emptyCost
	case frameData:
		if f.length > 0 {
			c.control.add(1)
			return ""
		}
		if f.flags&flagEnd != 0 {
			return ""
		}
		cost = emptyCost
	case frameReset:
		return c.resets.take(1, now, "resets of streams")
	case frameContinuation:
		if c.continuations++; c.continuations > maxContinuations {
			return "CONTINUATION frames"
		}
		if f.length == 0 {
			cost = emptyCost
		}
	}
	return c.control.take(cost, now, "control frames")
}

// end says goodbye, and reads on for a moment, for closing at once would throw away what the client
// has not read.
func (c *guarded) end(why string) {
	c.over = true
	c.log.Debug("ending a connection of HTTP/2: too many "+why, "client", c.Conn.RemoteAddr().String())
	c.goaway.Store(true)
	c.tell()
	until := time.Now().Add(lingering)
	c.mu.Lock() // or a write that is over the budget ends the wait
	_ = c.Conn.SetReadDeadline(until)
	c.mu.Unlock()
	scratch := make([]byte, 4<<10)
	for time.Now().Before(until) {
		if _, err := c.Conn.Read(scratch); err != nil {
			return
		}
	}
}

// Write counts what goes out, which says how much the client may ask for. What comes after the
// GOAWAY goes nowhere: an error would have the server close the connection at once, while the client
// has not read why.
func (c *guarded) Write(p []byte) (int, error) {
	n, err := c.write(p)
	if c.goaway.Load() {
		c.writing.Lock() // who reads may be sending the GOAWAY, and an error here ends the connection
		defer c.writing.Unlock()
		c.tellLocked()
	}
	return n, err
}

func (c *guarded) write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.goaway.Load() {
		if _, err := c.send(p[:c.writes.rest(p)]); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	return c.send(p)
}

func (c *guarded) send(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.countOut(p)
	return c.Conn.Write(p)
}

// countOut takes what the server sends out of the budgets, or puts it in.
func (c *guarded) countOut(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.writes.each(p, func(f frame) {
		switch f.kind {
		case frameData:
			c.control.add(dataWorth)
		case frameReset:
			c.chargeReset(f, now)
		}
	})
}

// chargeReset takes a reset by the server out of the budget of the client, if that is the reason of it.
// What is under way for a stream that is reset already, as the rest of a body that is not wanted, is
// answered by more of them, which is no new request. mu is held.
func (c *guarded) chargeReset(f frame, now time.Time) {
	before := c.ended.add(f.stream)
	var excess string
	switch {
	case f.code == noError || f.code == internalError:
		return
	case before:
		excess = c.control.take(1, now, "frames for streams that have ended")
	default:
		excess = c.resets.take(1, now, "streams with errors")
	}
	if excess != "" && c.why == "" && !c.goaway.Swap(true) {
		c.why = excess
		_ = c.Conn.SetReadDeadline(time.Unix(1, 0)) // whoever reads finds out
	}
}

// tell sends the GOAWAY that is due, if no frame has been sent in part only. A write under way,
// which may wait for the client, sends it in the end.
func (c *guarded) tell() {
	if !c.writing.TryLock() {
		return
	}
	defer c.writing.Unlock()
	c.tellLocked()
}

// tellLocked is tell for who holds writing.
func (c *guarded) tellLocked() {
	if c.told || c.writes.inside() {
		return
	}
	c.told = true
	var f [headerSize + 8]byte
	f[2], f[3] = 8, 0x7 // GOAWAY on stream 0
	binary.BigEndian.PutUint32(f[headerSize:], c.last.Load())
	f[len(f)-1] = calmDown
	_ = c.Conn.SetWriteDeadline(time.Now().Add(lingering))
	_, _ = c.Conn.Write(f[:]) // who is gone does not hear it
}

// CloseWrite is for who ends the connection.
func (c *guarded) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Conn.Close()
}

// NetConn returns the connection below.
func (c *guarded) NetConn() net.Conn { return c.Conn }
