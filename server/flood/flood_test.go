package flood_test

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"rws/server/flood"
)

// pipe is a connection whose client is text.
type pipe struct {
	net.Conn
	io.Reader
	out bytes.Buffer
}

func (p *pipe) Read(b []byte) (int, error)  { return p.Reader.Read(b) }
func (p *pipe) Write(b []byte) (int, error) { return p.out.Write(b) }

func (p *pipe) SetReadDeadline(time.Time) error  { return nil }
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }
func (p *pipe) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

// The GOAWAY stands between two frames, and is the last that the client hears; whoever writes learns
// nothing of it, or it would close the connection before the client has read why.
func TestTheGoodbyeStandsBetweenFrames(t *testing.T) {
	var much, answer bytes.Buffer
	much.WriteString(http2.ClientPreface)
	for range 20_000 {
		require.NoError(t, http2.NewFramer(&much, nil).WritePing(false, [8]byte{}))
	}
	require.NoError(t, http2.NewFramer(&answer, nil).WriteData(1, false, []byte("hello")))
	one := answer.Len()
	require.NoError(t, http2.NewFramer(&answer, nil).WriteData(1, false, []byte("world")))
	for cut := range one {
		p := &pipe{Reader: bytes.NewReader(much.Bytes())}
		c := flood.Guard(p, 0, slog.New(slog.DiscardHandler))
		_, err := c.Write(answer.Bytes()[:cut])
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, c)
		require.NoError(t, err)
		n, err := c.Write(answer.Bytes()[cut:])
		require.NoError(t, err)
		assert.Equal(t, answer.Len()-cut, n)

		sent := http2.NewFramer(nil, &p.out)
		if cut > 0 {
			f, err := sent.ReadFrame()
			require.NoError(t, err)
			assert.Equal(t, "hello", string(f.(*http2.DataFrame).Data()))
		}
		f, err := sent.ReadFrame()
		require.NoError(t, err, "cut at %d", cut)
		assert.Equal(t, http2.ErrCodeEnhanceYourCalm, f.(*http2.GoAwayFrame).ErrCode)
		_, err = sent.ReadFrame()
		assert.ErrorIs(t, err, io.EOF)
	}
}

// BenchmarkRead is what watching costs for a frame of 16 KiB.
func BenchmarkRead(b *testing.B) {
	var frame bytes.Buffer
	if err := http2.NewFramer(&frame, nil).WriteData(1, false, make([]byte, 16<<10)); err != nil {
		b.Fatal(err)
	}
	p := &pipe{Reader: bytes.NewReader([]byte(http2.ClientPreface))}
	c := flood.Guard(p, 0, nil)
	buf := make([]byte, 32<<10)
	if _, err := c.Read(buf); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Reader = bytes.NewReader(frame.Bytes())
		if _, err := c.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzGuard: what a client sends within its budget comes through as it is, however it is cut.
func FuzzGuard(f *testing.F) {
	f.Add([]byte(http2.ClientPreface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00"), 3)
	f.Add([]byte(http2.ClientPreface+"\x00\x00\x05\x00\x00\x00\x00\x00\x01hello"), 1)
	f.Fuzz(func(t *testing.T, raw []byte, size int) {
		if size < 1 || size > 1<<16 || len(raw) > 9*50 { // no budget is that small
			return
		}
		c := flood.Guard(&pipe{Reader: bytes.NewReader(raw)}, 0, nil)
		got, err := io.ReadAll(struct{ io.Reader }{oneByOne{c, size}})
		require.NoError(t, err)
		assert.Equal(t, len(raw), len(got))
		assert.True(t, bytes.Equal(raw, got))
	})
}

type oneByOne struct {
	io.Reader
	size int
}

func (o oneByOne) Read(b []byte) (int, error) { return o.Reader.Read(b[:min(len(b), o.size)]) }
