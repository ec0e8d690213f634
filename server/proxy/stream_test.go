package proxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy"
)

func TestItPassesRequestsAndAnswersOn(t *testing.T) {
	at := backend(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Saw", r.Method+" "+r.RequestURI)
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "got %s", body)
	})
	f := serve(t, to(t, proxy.Options{}, at))
	for name, c := range map[string]*http.Client{"h1": client(t), "h2c": h2Client(t)} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequest("POST", f.url("/a%20b?x=1&x=2"), strings.NewReader("hello"))
			require.NoError(t, err)
			res, body := do(t, c, r)
			assert.Equal(t, http.StatusCreated, res.StatusCode)
			assert.Equal(t, "POST /a%20b?x=1&x=2", res.Header.Get("X-Saw"))
			assert.Equal(t, "got hello", body)
			assert.Equal(t, int64(9), res.ContentLength)
		})
	}
}

func TestAnswersWithoutABodyStayWithout(t *testing.T) {
	at := backend(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(http.StatusNoContent)
		case "/304":
			w.Header().Set("Etag", `"a"`)
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Header().Set("Content-Length", "12345")
		}
	})
	f := serve(t, to(t, proxy.Options{}, at))
	_, r := raw(t, f.addr, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET /204 HTTP/1.1\r\nHost: a\r\n\r\nGET /304 HTTP/1.1\r\nHost: a\r\n\r\n")
	res, err := http.ReadResponse(r, &http.Request{Method: "HEAD"})
	require.NoError(t, err)
	assert.Equal(t, int64(12345), res.ContentLength)
	res, _ = answer(t, r)
	assert.Equal(t, 204, res.StatusCode)
	assert.Empty(t, res.Header["Content-Length"])
	res, _ = answer(t, r)
	assert.Equal(t, 304, res.StatusCode)
	assert.Equal(t, `"a"`, res.Header.Get("Etag"))
}

// A client hears each piece of an answer while the backend waits for it to.
func TestAnswersStreamAtOnce(t *testing.T) {
	for _, kind := range []string{"text/event-stream", "text/plain", "known length"} {
		t.Run(kind, func(t *testing.T) {
			heard := make(chan struct{})
			at := backend(t, func(w http.ResponseWriter, r *http.Request) {
				if kind == "known length" {
					w.Header().Set("Content-Length", "15")
				} else {
					w.Header().Set("Content-Type", kind)
				}
				for i := range 3 {
					fmt.Fprintf(w, "n: %d\n", i)
					w.(http.Flusher).Flush()
					<-heard
				}
			})
			f := serve(t, to(t, proxy.Options{}, at))
			for _, c := range []*http.Client{client(t), h2Client(t)} {
				res, err := c.Get(f.url("/"))
				require.NoError(t, err)
				r := bufio.NewReader(res.Body)
				for i := range 3 {
					line, err := r.ReadString('\n')
					require.NoError(t, err)
					assert.Equal(t, fmt.Sprintf("n: %d\n", i), line)
					heard <- struct{}{}
				}
				_, err = r.ReadByte()
				assert.Equal(t, io.EOF, err)
				res.Body.Close()
			}
		})
	}
}

// A backend reads what the client has sent while the client has not sent all, and may answer meanwhile.
func TestRequestsStreamAtOnce(t *testing.T) {
	at := backend(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.(http.Flusher).Flush()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintf(w, "%s!\n", lines.Text())
			w.(http.Flusher).Flush()
		}
	})
	f := serve(t, to(t, proxy.Options{}, at))
	for name, c := range map[string]*http.Client{"h1": client(t), "h2c": h2Client(t)} {
		t.Run(name, func(t *testing.T) {
			body, send := io.Pipe()
			r, err := http.NewRequest("POST", f.url("/"), body)
			require.NoError(t, err)
			res, err := c.Do(r)
			require.NoError(t, err)
			defer res.Body.Close()
			hear := bufio.NewReader(res.Body)
			for _, word := range []string{"one", "two", "three"} {
				fmt.Fprintln(send, word)
				line, err := hear.ReadString('\n')
				require.NoError(t, err)
				assert.Equal(t, word+"!\n", line)
			}
			send.Close()
			_, err = hear.ReadByte()
			assert.Equal(t, io.EOF, err)
		})
	}
}

// A backend hears of a request before its body has come, however small that is.
func TestSmallBodiesAreNotWaitedFor(t *testing.T) {
	heads := make(chan struct{}, 1)
	at := backend(t, func(w http.ResponseWriter, r *http.Request) {
		heads <- struct{}{}
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})
	for name, o := range map[string]proxy.Options{"usual": {}, "no tries": {Retry: proxy.Retry{Tries: 1}}} {
		t.Run(name, func(t *testing.T) {
			f := serve(t, to(t, o, at))
			c, r := raw(t, f.addr, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
			<-heads
			_, err := io.WriteString(c, "llo")
			require.NoError(t, err)
			_, body := answer(t, r)
			assert.Equal(t, "hello", body)

			from, send := io.Pipe()
			q, err := http.NewRequest("POST", f.url("/"), from)
			require.NoError(t, err)
			q.ContentLength = 5
			go func() {
				<-heads
				_, _ = io.WriteString(send, "hello")
				_ = send.Close()
			}()
			_, body = do(t, h2Client(t), q)
			assert.Equal(t, "hello", body)
		})
	}
}

func TestTrailersPassBothWays(t *testing.T) {
	at := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.Copy(w, r.Body)
		w.Header().Set("X-Sum", r.Trailer.Get("X-Check"))
		w.Header().Set(http.TrailerPrefix+"X-Late", "late")
		w.Header().Set(http.TrailerPrefix+"X-Forwarded-For", "1.2.3.4")
	})
	f := serve(t, to(t, proxy.Options{}, at))
	for name, c := range map[string]*http.Client{"h1": client(t), "h2c": h2Client(t)} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequest("POST", f.url("/"), io.MultiReader(strings.NewReader("abc")))
			require.NoError(t, err)
			r.Trailer = http.Header{"X-Check": {"sum"}}
			res, body := do(t, c, r)
			assert.Equal(t, "abc", body)
			assert.Equal(t, http.Header{"X-Sum": {"sum"}, "X-Late": {"late"}}, res.Trailer)
		})
	}
}

func TestInformationalAnswersPassAndTheBodyWaitsForThem(t *testing.T) {
	at := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})
	f := serve(t, to(t, proxy.Options{}, at))
	head := "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
	c, r := raw(t, f.addr, fmt.Sprintf(head, "/yes"))
	seen := map[int]http.Header{}
	for range 2 {
		res, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		seen[res.StatusCode] = res.Header
	}
	require.Contains(t, seen, 100)
	require.Contains(t, seen, 103)
	assert.Equal(t, "</a.css>; rel=preload", seen[103].Get("Link"))
	_, err := io.WriteString(c, "hello")
	require.NoError(t, err)
	res, body := answer(t, r)
	assert.Equal(t, "hello", body)
	assert.Empty(t, res.Header.Get("Link"), "the hint is not part of the answer")
}

// The proxy holds no more of a body than it copies at once, in either direction.
func TestLargeBodiesPassAtConstantMemory(t *testing.T) {
	const size = 256 << 20
	at := backend(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil || n != size {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Length", fmt.Sprint(size))
		piece := bytes.Repeat([]byte("x"), 64<<10)
		for range size / len(piece) {
			_, _ = w.Write(piece)
		}
	})
	f := serve(t, to(t, proxy.Options{}, at))
	r, err := http.NewRequest("PUT", f.url("/"), io.LimitReader(endless{}, size))
	require.NoError(t, err)
	r.ContentLength = size
	before := allocated()
	res, err := client(t).Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	assert.Equal(t, int64(size), n)
	assert.Less(t, allocated()-before, uint64(8<<20), "client, proxy and backend together")
}
