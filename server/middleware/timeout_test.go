package middleware_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/middleware"
	"rws/server/problem"
)

func TestATimeoutAnswersAtOnceAndEndsTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late error
		var took time.Duration
		h := must(middleware.Timeout(time.Second))(t)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			w.Header().Set("X-Late", "1")
			<-r.Context().Done()
			took = time.Since(start)
			time.Sleep(time.Second)
			_, late = io.WriteString(w, "late")
		}))
		w := ask(h, "/")
		assert.Equal(t, 504, w.Code)
		assert.Equal(t, time.Second, took)
		assert.ErrorIs(t, late, http.ErrHandlerTimeout)
		assert.NotContains(t, w.Body.String(), "late")
		assert.Empty(t, w.Header().Get("X-Late"), "two answers do not mix")
		assert.True(t, w.Flushed)
	})
}

// A stream and an upgraded connection last longer than what begins them.
func TestAnAnswerThatHasBegunGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := must(middleware.Timeout(time.Second))(t)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-A", "1")
			_, limited := r.Context().Deadline()
			assert.True(t, limited)
			w.WriteHeader(201)
			_, limited = r.Context().Deadline()
			assert.False(t, limited)
			select {
			case <-r.Context().Done():
				t.Error("the context has ended: ", r.Context().Err())
			case <-time.After(time.Minute):
			}
			_, err := io.WriteString(w, "done")
			assert.NoError(t, err)
		}))
		w := ask(h, "/")
		assert.Equal(t, 201, w.Code)
		assert.Equal(t, "done", w.Body.String())
		assert.Equal(t, "1", w.Header().Get("X-A"))
	})
}

// One that comes first is passed on with its cause.
func TestTheEndOfARequestReachesAHandlerWithATimeout(t *testing.T) {
	left := errors.New("left")
	ctx, leave := context.WithCancelCause(t.Context())
	h := must(middleware.Timeout(time.Hour))(t)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		leave(left)
		<-r.Context().Done()
		assert.Equal(t, context.Canceled, r.Context().Err())
		assert.Equal(t, left, context.Cause(r.Context()))
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(ctx))
}

// A writer that waits, as that of a function of a script around the handler, holds up nobody who asks
// whether the answer has begun.
func TestNobodyWaitsToLearnThatATimeoutAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &slowWriter{ResponseRecorder: httptest.NewRecorder(), until: make(chan struct{})}
		h := must(middleware.Timeout(time.Second))(t)(http.HandlerFunc(func(tw http.ResponseWriter, r *http.Request) {
			assert.False(t, problem.Started(tw))
			<-r.Context().Done()
			synctest.Wait() // for the timer to be in the writer below
			assert.True(t, problem.Started(tw))
			_, err := io.WriteString(tw, "late")
			assert.ErrorIs(t, err, http.ErrHandlerTimeout)
			close(w.until)
		}))
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		assert.Equal(t, 504, w.Code, "the answer is out when the handler has returned")
	})
}

type slowWriter struct {
	*httptest.ResponseRecorder
	until chan struct{}
}

func (s *slowWriter) WriteHeader(status int) {
	<-s.until
	s.ResponseRecorder.WriteHeader(status)
}

func TestTimeRunsOutWhileAStatusBeforeTheAnswerIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &slowInterim{ResponseRecorder: httptest.NewRecorder()}
		h := must(middleware.Timeout(time.Second))(t)(http.HandlerFunc(func(tw http.ResponseWriter, r *http.Request) {
			tw.WriteHeader(http.StatusEarlyHints)
			assert.ErrorIs(t, r.Context().Err(), context.DeadlineExceeded)
			_, err := io.WriteString(tw, "late")
			assert.ErrorIs(t, err, http.ErrHandlerTimeout)
		}))
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		assert.Equal(t, 504, w.Code)
		assert.NotContains(t, w.Body.String(), "late")
	})
}

type slowInterim struct{ *httptest.ResponseRecorder }

func (s *slowInterim) WriteHeader(status int) {
	if status < 200 {
		time.Sleep(time.Minute)
		return
	}
	s.ResponseRecorder.WriteHeader(status)
}

func TestAHandlerInTimeIsNotTouched(t *testing.T) {
	h := must(middleware.Timeout(time.Hour))(t)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-A", "1")
		if r.URL.Path == "/empty" {
			return
		}
		_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("ok"))
	}))
	outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Outer", "1")
		h.ServeHTTP(w, r)
	})
	w := ask(outer, "/")
	assert.Equal(t, "ok", w.Body.String())
	for _, target := range []string{"/", "/empty"} {
		w = ask(outer, target)
		assert.Equal(t, "1", w.Header().Get("X-A"), target)
		assert.Equal(t, "1", w.Header().Get("X-Outer"), target)
	}
	_, err := middleware.Timeout(0)
	assert.ErrorContains(t, err, "must be positive")
}

func TestATimeoutReachesAClientThatIsStillSending(t *testing.T) {
	done := make(chan struct{})
	server := httptest.NewServer(must(middleware.Timeout(20 * time.Millisecond))(t)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(done)
	})))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	assert.Equal(t, 504, res.StatusCode)
	_, err = io.ReadAll(res.Body)
	assert.NoError(t, err)
	conn.Close()
	<-done
}

func TestEarlyHintsAreNoAnswer(t *testing.T) {
	server := httptest.NewServer(must(middleware.Timeout(20 * time.Millisecond))(t)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>")
		w.WriteHeader(http.StatusEarlyHints)
		<-r.Context().Done()
	})))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	text, err := io.ReadAll(conn)
	require.NoError(t, err)
	hints, answer, _ := strings.Cut(string(text), "\r\n\r\n")
	assert.Contains(t, hints, "HTTP/1.1 103")
	assert.Contains(t, hints, "Link: </a.css>")
	assert.Contains(t, answer, "HTTP/1.1 504")
	assert.NotContains(t, answer, "Link:")
}

func TestMaxBody(t *testing.T) {
	read := false
	h := must(middleware.MaxBody(5))(t)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		read = true
		if _, err := io.Copy(w, r.Body); err != nil {
			assert.ErrorAs(t, err, new(*http.MaxBytesError))
		}
	}))
	server := httptest.NewServer(h)
	defer server.Close()
	for _, c := range []struct {
		head, body string
		status     int
		read       bool
	}{
		{"Content-Length: 5\r\n", "hello", 200, true},
		{"Content-Length: 6\r\nExpect: 100-continue\r\n", "", 413, false}, // at once, without the body
		{"Content-Length: 99999999999\r\n", "", 413, false},
		{"Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n", 200, true},
		{"Transfer-Encoding: chunked\r\n", "3\r\nhel\r\n3\r\nlo!\r\n", 200, true}, // the limit shows when 5 bytes are out
	} {
		read = false
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
		_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\n"+c.head+"\r\n"+c.body)
		require.NoError(t, err)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err, c)
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		assert.Equal(t, c.status, res.StatusCode, c)
		assert.Equal(t, c.read, read, c)
		if c.status == 200 {
			assert.LessOrEqual(t, len(text), 5)
		}
		conn.Close()
	}
	_, err := middleware.MaxBody(-1)
	assert.ErrorContains(t, err, "must not be negative")
}

func TestAHandlerThatIsFasterThanTheTimerIsLateToo(t *testing.T) {
	for range 200 {
		h := must(middleware.Timeout(time.Millisecond))(t)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			_, err := io.WriteString(w, "late")
			assert.ErrorIs(t, err, http.ErrHandlerTimeout)
		}))
		require.Equal(t, 504, ask(h, "/").Code)
	}
}
