package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/transport"
)

// Both directions flow at once, and piece by piece.
func TestDuplex(t *testing.T) {
	tr := open(t, transport.Options{Address: server(t, func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		assert.NoError(t, c.EnableFullDuplex())
		assert.NoError(t, c.Flush())
		for b := make([]byte, 100); ; {
			n, err := r.Body.Read(b)
			_, _ = w.Write(b[:n])
			_ = c.Flush()
			if err != nil {
				return
			}
		}
	})})
	for range 3 {
		in, out := io.Pipe()
		res, err := tr.RoundTrip(request(t, "POST", "http://x/", in))
		require.NoError(t, err)
		for i := range 10 {
			word := fmt.Sprintf("word %d", i)
			_, err := io.WriteString(out, word)
			require.NoError(t, err)
			b := make([]byte, len(word))
			_, err = io.ReadFull(res.Body, b)
			require.NoError(t, err)
			assert.Equal(t, word, string(b))
		}
		require.NoError(t, out.Close())
		rest, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		assert.Empty(t, rest)
		unused(t, tr)
	}
	assert.Equal(t, uint64(1), tr.Stats().Dials)
}

// An answer that comes before the body has been sent is passed on; the connection is kept only if the
// rest can be sent soon.
func TestEarlyAnswer(t *testing.T) {
	t.Run("and the rest follows", func(t *testing.T) {
		tr := open(t, transport.Options{Address: scripted(t, func(p *peer) {
			for r := p.head(); r != nil; r = p.head() {
				p.say(ok)
				_, _ = io.Copy(io.Discard, r.Body)
			}
		})})
		in, out := io.Pipe()
		_, body := do(t, tr, request(t, "POST", "http://x/", in))
		assert.Equal(t, "ok", body)
		assert.Equal(t, 1, tr.Stats().InUse)
		require.NoError(t, out.Close())
		require.Eventually(t, func() bool { return tr.Stats().Idle == 1 }, patience, time.Millisecond)
	})
	t.Run("and nothing follows", func(t *testing.T) {
		tr := open(t, transport.Options{Address: scripted(t, func(p *peer) {
			p.head()
			p.say(ok)
			_, _ = io.Copy(io.Discard, p)
		})})
		in, out := io.Pipe()
		_, body := do(t, tr, request(t, "POST", "http://x/", in))
		assert.Equal(t, "ok", body)
		assert.Zero(t, unused(t, tr).Open)
		require.Eventually(t, func() bool { _, err := out.Write([]byte("x")); return err != nil }, patience, time.Millisecond)
	})
	t.Run("and the backend closes", func(t *testing.T) {
		tr := open(t, transport.Options{Address: scripted(t, func(p *peer) {
			p.head()
			p.say("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig")
			_ = p.CloseWrite()
			_, _ = io.CopyN(io.Discard, p, 100<<10)
			time.Sleep(20 * time.Millisecond)
		})})
		res, body := do(t, tr, request(t, "POST", "http://x/", opaque(strings.Repeat("x", 8<<20))))
		assert.Equal(t, 413, res.StatusCode)
		assert.Equal(t, "big", body)
		assert.Zero(t, unused(t, tr).Open)
	})
}

// Whoever fails to send us a body, it is not the backend.
func TestClientFaults(t *testing.T) {
	gone := errors.New("gone")
	broken := func() io.Reader { return io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(gone)) }
	short := func() io.Reader { return opaque("abc") }
	for name, c := range map[string]struct {
		body func() io.Reader
		size int64
		why  error
	}{
		"small":      {broken, 10, gone},
		"small, cut": {short, 10, nil},
		"large":      {broken, 1 << 20, gone},
		"large, cut": {short, 1 << 20, nil},
		"chunked":    {broken, -1, gone},
	} {
		for scheme, address := range map[string]string{
			"http": scripted(t, func(p *peer) { _, _ = io.Copy(io.Discard, p) }),
			"h2c":  h2cServer(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }),
		} {
			t.Run(name+" "+scheme, func(t *testing.T) {
				tr := open(t, transport.Options{Scheme: scheme, Address: address})
				r := request(t, "POST", "http://x/", c.body())
				r.ContentLength = c.size
				e := fails(t, tr, r)
				assert.True(t, e.Client)
				assert.False(t, e.Timeout())
				assert.Contains(t, e.Error(), "body of the request")
				if c.why != nil {
					assert.ErrorIs(t, e, c.why)
				}
				if scheme == "http" {
					assert.Zero(t, unused(t, tr).Open)
				}
			})
		}
	}
}

// The answer has begun when the body of the request breaks.
func TestClientFaultAfterAnswer(t *testing.T) {
	tr := open(t, transport.Options{Address: scripted(t, func(p *peer) {
		p.head()
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
		_, _ = io.Copy(io.Discard, p)
	})})
	in, out := io.Pipe()
	res, err := tr.RoundTrip(request(t, "POST", "http://x/", in))
	require.NoError(t, err)
	gone := errors.New("gone")
	out.CloseWithError(gone)
	_, err = io.ReadAll(res.Body)
	var e *transport.Error
	require.ErrorAs(t, err, &e)
	assert.True(t, e.Client)
	assert.ErrorIs(t, err, gone)
	assert.Zero(t, unused(t, tr).Open)
}

// The end of a context interrupts every phase at once.
func TestCancel(t *testing.T) {
	hang := func(p *peer) { _, _ = io.Copy(io.Discard, p) }
	why := errors.New("why")
	for name, c := range map[string]struct {
		script func(p *peer)
		body   io.Reader
		phase  transport.Phase
	}{
		"head":   {hang, nil, transport.PhaseHeader},
		"upload": {hang, endless{}, transport.PhaseHeader},
		"body": {func(p *peer) {
			p.head()
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
			hang(p)
		}, nil, transport.PhaseBody},
	} {
		t.Run(name, func(t *testing.T) {
			tr := open(t, transport.Options{Address: scripted(t, c.script)})
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(20*time.Millisecond, func() { cancel(why) })
			e := fails(t, tr, request(t, "POST", "http://x/", c.body).WithContext(ctx))
			assert.ErrorIs(t, e, why)
			assert.False(t, e.Client)
			assert.Equal(t, c.phase, e.Phase)
			assert.Zero(t, unused(t, tr).Open)
		})
	}
	t.Run("after the end", func(t *testing.T) {
		tr := open(t, transport.Options{Address: says(t, ok)})
		ctx, cancel := context.WithCancel(t.Context())
		do(t, tr, get(t).WithContext(ctx))
		cancel()
		do(t, tr, get(t))
		assert.Equal(t, uint64(1), tr.Stats().Dials)
	})
	t.Run("before", func(t *testing.T) {
		tr := open(t, transport.Options{Address: says(t, ok)})
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(why)
		assert.ErrorIs(t, fails(t, tr, get(t).WithContext(ctx)), why)
	})
	t.Run("by Close", func(t *testing.T) {
		tr := open(t, transport.Options{Address: scripted(t, func(p *peer) {
			p.head()
			p.say("HTTP/1.1 200 OK\r\n\r\nabc")
			hang(p)
		})})
		res, err := tr.RoundTrip(get(t))
		require.NoError(t, err)
		_, err = io.ReadFull(res.Body, make([]byte, 3))
		require.NoError(t, err)
		time.AfterFunc(20*time.Millisecond, func() { res.Body.Close() })
		_, err = res.Body.Read(make([]byte, 1))
		assert.Error(t, err)
		assert.Zero(t, unused(t, tr).Open)
	})
}

// endless is a body without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { time.Sleep(time.Millisecond); return len(p), nil }

// What is between the request and the answer reaches the caller.
func TestInformational(t *testing.T) {
	tr := open(t, transport.Options{Address: scripted(t, func(p *peer) {
		p.head()
		p.say("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + ok)
		p.head()
		p.say("HTTP/1.1 103 Early Hints\r\n\r\n" + ok)
	})})
	var got []string
	stop := error(nil)
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		got = append(got, fmt.Sprint(code, h.Get("Link")))
		return stop
	}})
	_, body := do(t, tr, get(t).WithContext(ctx))
	assert.Equal(t, "ok", body)
	assert.Equal(t, []string{"103</a>", "102"}, got)
	stop = errors.New("stop")
	assert.ErrorIs(t, fails(t, tr, get(t).WithContext(ctx)), stop)
}

// "Expect: 100-continue" is the backend's to answer.
func TestExpectContinue(t *testing.T) {
	expecting := func(t *testing.T, body io.Reader) *http.Request {
		r := request(t, "POST", "http://x/", body)
		r.Header.Set("Expect", "100-continue")
		return r
	}
	t.Run("wanted", func(t *testing.T) {
		tr := open(t, transport.Options{Address: server(t, func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, "100-continue", r.Header.Get("Expect"))
			_, _ = io.Copy(w, r.Body)
		})})
		for range 2 {
			got := 0
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error { got = code; return nil }})
			_, body := do(t, tr, expecting(t, strings.NewReader("abc")).WithContext(ctx))
			assert.Equal(t, "abc", body)
			assert.Equal(t, 100, got)
			unused(t, tr)
		}
		assert.Equal(t, uint64(1), unused(t, tr).Dials)
	})
	t.Run("refused", func(t *testing.T) {
		tr := open(t, transport.Options{Address: scripted(t, func(p *peer) {
			p.head()
			p.say("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
			_, _ = io.Copy(io.Discard, p)
		})})
		res, _ := do(t, tr, expecting(t, iotest.ErrReader(errors.New("read nonetheless"))))
		assert.Equal(t, 403, res.StatusCode)
		assert.Zero(t, unused(t, tr).Open)
	})
	t.Run("not understood", func(t *testing.T) {
		tr := open(t, transport.Options{Address: scripted(t, func(p *peer) {
			if _, body, is := p.request(); is {
				p.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
			}
		})})
		start := time.Now()
		_, body := do(t, tr, expecting(t, strings.NewReader("abc")))
		assert.Equal(t, "abc", body)
		took := time.Since(start)
		assert.GreaterOrEqual(t, took, 100*time.Millisecond, "it has a moment to refuse")
		assert.Less(t, took, 900*time.Millisecond, "curl waits for a second by itself")
	})
}

func TestTrailers(t *testing.T) {
	for scheme, serve := range map[string]func(testing.TB, http.HandlerFunc) string{"http": server, "h2c": h2cServer} {
		t.Run(scheme, func(t *testing.T) {
			tr := open(t, transport.Options{Scheme: scheme, Address: serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Trailer", "X-Announced")
				_, _ = io.Copy(w, r.Body)
				w.Header().Set("X-Announced", r.Trailer.Get("X-Sum"))
				w.Header().Set(http.TrailerPrefix+"X-Late", "late")
			})})
			in, out := io.Pipe()
			r := request(t, "POST", "http://x/", in)
			r.Trailer = http.Header{"X-Sum": nil}
			go func() {
				_, _ = io.WriteString(out, "abc")
				r.Trailer.Set("X-Sum", "3")
				out.Close()
			}()
			res, err := tr.RoundTrip(r)
			require.NoError(t, err)
			assert.Contains(t, res.Trailer, "X-Announced")
			b, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			assert.Equal(t, "abc", string(b))
			assert.Equal(t, http.Header{"X-Announced": {"3"}, "X-Late": {"late"}}, res.Trailer)
			res.Body.Close()
		})
	}
}

// Trailers that would change what the head said are dropped.
func TestForbiddenTrailers(t *testing.T) {
	tr := open(t, transport.Options{Address: says(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A, Content-Length\r\n\r\n0\r\nA: b\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n")})
	res, _ := do(t, tr, get(t))
	assert.Equal(t, http.Header{"A": {"b"}}, res.Trailer)
}

func TestResetMidBody(t *testing.T) {
	tr := open(t, transport.Options{Address: scripted(t, func(p *peer) {
		p.head()
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc")
		time.Sleep(10 * time.Millisecond)
		p.reset()
	})})
	e := fails(t, tr, get(t))
	assert.Equal(t, transport.PhaseBody, e.Phase)
	assert.False(t, e.Client)
	assert.Zero(t, unused(t, tr).Open)
}
