package http1_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/certs"
)

// dated takes the Date out of an answer.
func dated(t *testing.T, text string) string {
	before, after, ok := strings.Cut(text, "Date: ")
	require.True(t, ok, "%q has a date", text)
	date, rest, _ := strings.Cut(after, "\r\n")
	_, err := time.Parse(http.TimeFormat, date)
	require.NoError(t, err)
	return before + rest
}

const (
	get   = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	last  = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	head  = "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	old   = "GET / HTTP/1.0\r\n\r\n"
	aging = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
)

// What goes over the wire, to the byte.
func TestFraming(t *testing.T) {
	big := strings.Repeat("x", 10_000)
	for _, c := range []struct {
		name, request string
		handler       http.HandlerFunc
		want          string
	}{
		{"small", last, say("hello"),
			"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"},
		{"nothing", last, say(""),
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
		{"fields in order", last, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["B"] = []string{"2", "3"}
			w.Header().Set("A", " 1 ")
			w.WriteHeader(201)
		}, "HTTP/1.1 201 Created\r\nA: 1\r\nB: 2\r\nB: 3\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
		{"split attempt", last, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("A", "1\r\nB: 2")
			w.Header()["Bad name"] = []string{"x"}
			w.WriteHeader(204)
		}, "HTTP/1.1 204 No Content\r\nA: 1  B: 2\r\nConnection: close\r\n\r\n"},
		{"large", last, say(big),
			"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2710\r\n" + big + "\r\n0\r\n\r\n"},
		{"large with length", last, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10000")
			w.Header().Set("Content-Type", "a/b")
			_, _ = io.WriteString(w, big)
		}, "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\nContent-Type: a/b\r\nConnection: close\r\n\r\n" + big},
		{"flushed", last, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "a/b")
			for range 2 {
				_, _ = io.WriteString(w, "ab")
				w.(http.Flusher).Flush()
			}
			_, _ = io.WriteString(w, "c")
		}, "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nab\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"},
		{"flushed head", last, func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "c")
		}, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\nc\r\n0\r\n\r\n"},
		{"trailers", last, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "A, Content-Length")
			w.Header().Set("Content-Type", "a/b")
			_, _ = io.WriteString(w, "c")
			w.Header().Set("A", "1")
			w.Header().Set(http.TrailerPrefix+"B", "2")
		}, "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTrailer: A, Content-Length\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\nc\r\n0\r\nA: 1\r\nB: 2\r\n\r\n"},
		{"HEAD", head, say("hello"),
			"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"},
		{"HEAD of something large", head, say(big),
			"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 10000\r\nConnection: close\r\n\r\n"},
		{"HEAD with length", head, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "7")
			w.WriteHeader(200)
		},
			"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n"},
		{"204", last, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5")
			w.WriteHeader(204)
			_, err := io.WriteString(w, "hello")
			assert.ErrorIs(t, err, http.ErrBodyNotAllowed)
		}, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"},
		{"304", last, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Etag", `"a"`); w.WriteHeader(304) },
			"HTTP/1.1 304 Not Modified\r\nEtag: \"a\"\r\nConnection: close\r\n\r\n"},
		{"bad length", last, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "x")
			w.WriteHeader(200)
		},
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
		{"too much", last, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "2")
			w.Header()["Content-Type"] = nil
			_, err := io.WriteString(w, "hello")
			assert.ErrorIs(t, err, http.ErrContentLength)
			_, _ = io.WriteString(w, "ab")
		}, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab"},
		{"HTTP/1.0", old, say("hello"),
			"HTTP/1.0 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"},
		{"HTTP/1.0, large", aging, say(big),
			"HTTP/1.0 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" + big},
		{"early hints", last, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</a>")
			w.WriteHeader(103)
			w.Header().Del("Link")
			w.WriteHeader(204)
		}, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, dated(t, all(t, serve(t, handler(c.handler)), c.request)))
		})
	}
}

func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func TestALongerAnswerThanWritten(t *testing.T) {
	got := all(t, serve(t, handler(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		_, _ = io.WriteString(w, "ab")
	})), get)
	assert.True(t, strings.HasSuffix(got, "\r\n\r\nab"), "and then the connection ends: %q", got)
}

func TestKeepAliveInHTTP10(t *testing.T) {
	conn := dial(t, serve(t, handler(say("ab"))), aging+aging)
	list, bodies := answers(t, conn, "GET", "GET")
	assert.Equal(t, []string{"ab", "ab"}, bodies)
	assert.Equal(t, "keep-alive", list[0].Header.Get("Connection"))
}

func TestCloseGoesBeforeKeepAliveInHTTP10(t *testing.T) {
	got := all(t, serve(t, handler(say("ab"))), "GET / HTTP/1.0\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n")
	assert.NotContains(t, got, "keep-alive")
	assert.True(t, strings.HasSuffix(got, "\r\n\r\nab"), "and then the connection ends: %q", got)
}

func TestPanicBreaksTheAnswerOff(t *testing.T) {
	got := all(t, serve(t, handler(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ab")
		w.(http.Flusher).Flush()
		panic("oops")
	})), get)
	assert.True(t, strings.HasSuffix(got, "2\r\nab\r\n"), "no last chunk: %q", got)
}

// To HTTP/1.0 the end of the connection is that of the answer: one that is broken off must not end as one
// that is complete does.
func TestPanicResetsWhatOnlyTheConnectionEnds(t *testing.T) {
	pair, err := certs.SelfSigned()
	require.NoError(t, err)
	for name, secure := range map[string]bool{"plain": false, "tls": true} {
		for path, complete := range map[string]bool{"/whole": true, "/part": false} {
			t.Run(name+path, func(t *testing.T) {
				s := handler(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.WriteString(w, "abc")
					w.(http.Flusher).Flush()
					if r.URL.Path == "/part" {
						panic(http.ErrAbortHandler)
					}
				})
				l, err := net.Listen("tcp", "127.0.0.1:0")
				require.NoError(t, err)
				conn, err := net.Dial("tcp", l.Addr().String())
				require.NoError(t, err)
				defer conn.Close()
				if secure {
					l = tls.NewListener(l, certs.Static(pair).Config())
					conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
				}
				done := make(chan error, 1)
				go func() { done <- s.Serve(l) }()
				defer func() { s.Close(); <-done }()
				require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
				_, err = io.WriteString(conn, "GET "+path+" HTTP/1.0\r\nHost: a\r\n\r\n")
				require.NoError(t, err)
				_, err = io.ReadAll(conn)
				assert.Equal(t, complete, err == nil, "%v", err)
			})
		}
	}
}

func TestFilesAreSentWhole(t *testing.T) {
	for _, size := range []int{0, 100, 10_000, 1 << 20} {
		path := filepath.Join(t.TempDir(), "file.txt")
		content := strings.Repeat("0123456789abcde\n", size/16+1)[:size]
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		address := serve(t, handler(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) }))
		_, bodies := answers(t, dial(t, address, get+"GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=50-\r\n\r\n"+get), "GET", "GET", "GET")
		assert.Equal(t, content, bodies[0])
		if size > 50 {
			assert.Equal(t, content[50:], bodies[1])
		}
		assert.Equal(t, content, bodies[2])
	}
}

func TestCopyOfUnknownLength(t *testing.T) {
	content := strings.Repeat("x", 100_000)
	address := serve(t, handler(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(w, io.MultiReader(strings.NewReader(content)))
		assert.NoError(t, err)
	}))
	_, bodies := answers(t, dial(t, address, get), "GET")
	assert.Equal(t, content, bodies[0])
}

func TestHijack(t *testing.T) {
	address := serve(t, handler(func(w http.ResponseWriter, r *http.Request) {
		<-time.After(0)
		_ = r.Context().Done() // a watch is under way
		conn, rw, err := w.(http.Hijacker).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		defer conn.Close()
		_, err = w.Write([]byte("x"))
		assert.ErrorIs(t, err, http.ErrHijacked)
		line, err := rw.ReadString('\n')
		assert.NoError(t, err)
		fmt.Fprintf(rw, "you said %s", line)
		assert.NoError(t, rw.Flush())
	}))
	assert.Equal(t, "you said abc\n", all(t, address, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nabc\n"), "sent with the request")
	conn := dial(t, address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	_, err := io.WriteString(conn, "later\n")
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "you said later\n", line)
}

func TestWrongStatusPanics(t *testing.T) {
	assert.Panics(t, func() {
		panicked := make(chan any, 1)
		address := serve(t, handler(func(w http.ResponseWriter, _ *http.Request) {
			defer func() { panicked <- recover() }()
			w.WriteHeader(1000)
		}))
		all(t, address, last)
		if p := <-panicked; p != nil {
			panic(p)
		}
	})
}

// A proxy reads the body on one goroutine and writes the answer on another: neither waits for the other.
func TestAnswersBeginWhileTheBodyIsAwaited(t *testing.T) {
	for _, framing := range []string{"Content-Length: 5", "Transfer-Encoding: chunked"} {
		reading := make(chan struct{})
		at := serve(t, handler(func(w http.ResponseWriter, r *http.Request) {
			go func() {
				close(reading)
				_, _ = io.ReadAll(r.Body)
			}()
			<-reading
			time.Sleep(10 * time.Millisecond) // until it waits in Read; the test passes too when it does not yet
			_, _ = io.WriteString(w, "early")
		}))
		conn := dial(t, at, "POST / HTTP/1.1\r\nHost: a\r\n"+framing+"\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		assert.Equal(t, "early", string(body))
		assert.True(t, res.Close, "the rest may take any time")
	}
}
