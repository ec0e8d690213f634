package http1_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/certs"
	"rws/server/http1"
)

// TestClientLeaves also where the client has sent a body, and over TLS.
func TestClientLeaves(t *testing.T) {
	pair, err := certs.SelfSigned()
	require.NoError(t, err)
	for name, secure := range map[string]bool{"plain": false, "tls": true} {
		t.Run(name, func(t *testing.T) {
			left := make(chan error, 1)
			waiting := make(chan struct{})
			s := handler(func(w http.ResponseWriter, r *http.Request) {
				below, cancel := context.WithCancel(r.Context())
				defer cancel()
				_, err := io.Copy(io.Discard, r.Body)
				assert.NoError(t, err)
				close(waiting)
				<-below.Done()
				left <- r.Context().Err()
			})
			s.Log = slog.New(slog.DiscardHandler)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			address := l.Addr().String()
			if secure {
				l = tls.NewListener(l, certs.Static(pair).Config())
			}
			go s.Serve(l)
			defer s.Close()
			conn, err := net.Dial("tcp", address)
			require.NoError(t, err)
			if secure {
				conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
			}
			_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
			require.NoError(t, err)
			<-waiting
			require.NoError(t, conn.Close())
			select {
			case err := <-left:
				assert.Equal(t, context.Canceled, err)
			case <-time.After(patience):
				t.Fatal("nobody noticed")
			}
		})
	}
}

// A client that leaves is noticed whatever it has sent that nobody has read yet.
func TestClientLeavesBehindWhatIsUnread(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere a watch has to read")
	}
	pair, err := certs.SelfSigned()
	require.NoError(t, err)
	config := certs.Static(pair).Config()
	requests := map[string]string{
		"body":              "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
		"part of a body":    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc",
		"chunked body":      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		"body not sent":     "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
		"next request":      get + get,
		"part of a request": get + "GET / HT",
	}
	for name, request := range requests {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, tls %v", name, secure), func(t *testing.T) {
				waiting, left := make(chan struct{}, 2), make(chan error, 2)
				s := handler(func(w http.ResponseWriter, r *http.Request) {
					done := r.Context().Done()
					waiting <- struct{}{}
					<-done
					left <- context.Cause(r.Context())
				})
				s.Log = slog.New(slog.DiscardHandler)
				l, err := net.Listen("tcp", "127.0.0.1:0")
				require.NoError(t, err)
				address := l.Addr().String()
				if secure {
					l = tls.NewListener(l, config)
				}
				go s.Serve(l)
				defer s.Close()
				conn, err := net.Dial("tcp", address)
				require.NoError(t, err)
				if secure {
					conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
				}
				_, err = io.WriteString(conn, request)
				require.NoError(t, err)
				<-waiting
				require.NoError(t, conn.Close())
				select {
				case err := <-left:
					assert.Equal(t, http1.ErrClientLeft, err)
					assert.ErrorIs(t, err, context.Canceled)
				case <-time.After(patience):
					t.Fatal("nobody noticed")
				}
			})
		}
	}
}

// A server that closes ends the requests that wait, also those that begin to at that moment.
func TestClosingEndsWhatWaits(t *testing.T) {
	for range 50 {
		waiting := make(chan struct{}, 3)
		var handlers sync.WaitGroup
		s := handler(func(w http.ResponseWriter, r *http.Request) {
			handlers.Add(1)
			defer handlers.Done()
			waiting <- struct{}{}
			<-r.Context().Done()
		})
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		go s.Serve(l)
		conn := dial(t, l.Addr().String(), get+get+get)
		<-waiting
		require.NoError(t, s.Close())
		handlers.Wait()
		conn.Close()
	}
}

// A client that closes its half and reads on gets the answers of handlers that do not wait for the
// context, and what the others make of its end.
func TestClientClosesItsHalf(t *testing.T) {
	address := serve(t, handler(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/waits" {
			<-r.Context().Done()
			w.WriteHeader(499)
			return
		}
		_, err := io.Copy(w, r.Body)
		assert.NoError(t, err)
	}))
	conn := dial(t, address, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"+"GET /waits HTTP/1.1\r\nHost: x\r\n\r\n"+"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nde")
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	list, bodies := answers(t, conn, "POST", "GET", "POST")
	assert.Equal(t, []string{"abc", "", "de"}, bodies)
	assert.Equal(t, "499 Client Closed Request", list[1].Status)
}

// A client that sends its next request already has not left.
func TestPipeliningIsNotLeaving(t *testing.T) {
	release := make(chan struct{})
	started := make(chan struct{}, 2)
	address := serve(t, handler(func(w http.ResponseWriter, r *http.Request) {
		done := r.Context().Done()
		started <- struct{}{}
		select {
		case <-done:
			t.Error("the context has ended")
		case <-release:
		}
	}))
	conn := dial(t, address, get)
	<-started
	_, err := io.WriteString(conn, last)
	require.NoError(t, err)
	close(release)
	_, bodies := answers(t, conn, "GET", "GET")
	assert.Len(t, bodies, 2)
}
