package proxy_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy"
	"rws/server/proxy/breaker"
	"rws/server/proxy/health"
	"rws/server/proxy/upstream"
)

// h2cBackend serves over HTTP/2 without TLS.
func h2cBackend(t testing.TB, f http.HandlerFunc) string {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &http.Server{Handler: f, Protocols: protocols, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return "grpc://" + l.Addr().String()
}

// message is one of gRPC: a flag, the length, the content.
func message(text string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(text)))
	return append(b, text...)
}

func readMessage(r io.Reader) (string, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[1:]))
	_, err := io.ReadFull(r, b)
	return string(b), err
}

func grpcCall(t testing.TB, f *front, body io.Reader, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequest("POST", f.url("/pkg.Service/Method"), body)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("Te", "trailers")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := h2Client(t).Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func TestGRPCStreamsBothWaysWithTrailers(t *testing.T) {
	at := h2cBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Te") != "trailers" {
			w.WriteHeader(400)
			return
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		for {
			text, err := readMessage(r.Body)
			if err != nil {
				break
			}
			_, _ = w.Write(message(text + "!"))
			w.(http.Flusher).Flush()
		}
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
		w.Header().Set(http.TrailerPrefix+"Grpc-Status-Details-Bin", "AA")
	})
	f := serve(t, to(t, proxy.Options{}, at))
	body, send := io.Pipe()
	res := grpcCall(t, f, body)
	for _, word := range []string{"one", "two", "three"} {
		_, _ = send.Write(message(word))
		got, err := readMessage(res.Body)
		require.NoError(t, err)
		assert.Equal(t, word+"!", got)
	}
	send.Close()
	_, err := readMessage(res.Body)
	assert.Equal(t, io.EOF, err)
	assert.Equal(t, http.Header{"Grpc-Status": {"0"}, "Grpc-Status-Details-Bin": {"AA"}}, res.Trailer)
}

func TestGRPCTrailersOnlyPass(t *testing.T) {
	at := h2cBackend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", "5")
		w.Header().Set("Grpc-Message", "no such")
	})
	res := grpcCall(t, serve(t, to(t, proxy.Options{}, at)), bytes.NewReader(message("a")))
	assert.Equal(t, "5", res.Header.Get("Grpc-Status"))
	assert.Equal(t, "no such", res.Header.Get("Grpc-Message"))
}

// A client of gRPC hears of a failure of the proxy in its own words.
func TestGRPCFailures(t *testing.T) {
	slow := h2cBackend(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	p := pool(t, slow)
	for name, c := range map[string]struct {
		o      proxy.Options
		at     string
		header []string
		want   string
	}{
		"refused":           {at: "grpc" + nobody(t)[len("http"):], want: "14"},
		"deadline":          {at: slow, header: []string{"Grpc-Timeout", "50m"}, want: "4"},
		"whole timeout":     {at: slow, o: proxy.Options{Timeout: proxy.Timeout{Whole: 50 * time.Millisecond}}, header: []string{"Grpc-Timeout", "99999999H"}, want: "4"},
		"malformed timeout": {at: slow, header: []string{"Grpc-Timeout", "999999999S"}, want: "3"},
		"too large":         {at: slow, o: proxy.Options{MaxBody: 2}, want: "8"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.at == slow {
				c.o.Pool = p
			}
			res := grpcCall(t, serve(t, to(t, c.o, c.at)), bytes.NewReader(message("abc")), c.header...)
			assert.Equal(t, 200, res.StatusCode)
			assert.Equal(t, "application/grpc", res.Header.Get("Content-Type"))
			assert.Equal(t, c.want, res.Header.Get("Grpc-Status"))
			assert.NotEmpty(t, res.Header.Get("Grpc-Message"))
		})
	}
	assert.Zero(t, p.Status()[0].Failures, "deadlines of clients say nothing about a backend")
}

// grpcAnswer is a backend that ends each call with a status, after a message or (trailers-only) without.
func grpcAnswer(t testing.TB, status string, asked *atomic.Int64, words ...string) string {
	return h2cBackend(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/grpc")
		if words == nil {
			w.Header().Set("Grpc-Status", status)
			return
		}
		for _, word := range words {
			_, _ = w.Write(message(word))
		}
		w.(http.Flusher).Flush()
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", status)
	})
}

// A backend that answers as it should and says that it can't is one that fails, to breakers and passive checks.
func TestStatusesOfGRPCThatAreFailures(t *testing.T) {
	for status, failures := range map[string]uint64{"0": 0, "2": 1, "3": 0, "4": 1, "5": 0, "8": 0, "12": 0, "13": 1, "14": 1, "15": 1, "16": 0} {
		for place, words := range map[string][]string{"header": nil, "trailer": {}, "after a message": {"a"}} {
			var asked atomic.Int64
			p := pool(t, grpcAnswer(t, status, &asked, words...))
			res := grpcCall(t, serve(t, to(t, proxy.Options{Pool: p})), bytes.NewReader(message("a")))
			_, _ = io.ReadAll(res.Body)
			if words == nil {
				assert.Equal(t, status, res.Header.Get("Grpc-Status"))
			} else {
				assert.Equal(t, status, res.Trailer.Get("Grpc-Status"))
			}
			require.Eventually(t, func() bool { return p.Status()[0].Requests == 1 }, patience, time.Millisecond)
			assert.Equal(t, failures, p.Status()[0].Failures, "%s in the %s", status, place)
		}
	}
}

func TestABackendOfGRPCThatFailsIsEjected(t *testing.T) {
	for place, words := range map[string][]string{"header": nil, "trailer": {}} {
		var asked, works atomic.Int64
		bad, good := grpcAnswer(t, "14", &asked, words...), grpcAnswer(t, "0", &works, "ok")
		p, err := upstream.New(upstream.Options{Name: "api", Logger: quiet, Targets: []upstream.Target{{URL: bad}, {URL: good}},
			Passive: &health.OutlierOptions{Consecutive: 3}, Breaker: &breaker.Options{Failures: 2}})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, p.Close()) })
		f := serve(t, to(t, proxy.Options{Pool: p}))
		for range 12 {
			res := grpcCall(t, f, bytes.NewReader(message("a")))
			_, _ = io.ReadAll(res.Body)
			require.Eventually(t, func() bool { return p.Status()[0].Active+p.Status()[1].Active == 0 }, patience, time.Millisecond)
		}
		assert.Equal(t, int64(2), asked.Load(), place)
		assert.Equal(t, breaker.Open, p.Status()[0].Breaker.State, place)
		assert.Contains(t, p.Status()[0].LastFault, "the gRPC status 14 (UNAVAILABLE)")
	}
}

// An answer that is nothing but a status is repeated as the status of HTTP that it stands for, where Retry.On has that.
func TestGRPCIsRepeatedByStatus(t *testing.T) {
	for name, c := range map[string]struct {
		status string
		words  []string
		retry  proxy.Retry
		body   int
		want   int64
	}{
		"unavailable":         {"14", nil, proxy.Retry{On: []string{"503"}}, 10, 2},
		"internal":            {"13", nil, proxy.Retry{On: []string{"5xx"}}, 10, 2},
		"not wanted":          {"14", nil, proxy.Retry{}, 10, 1},
		"another status":      {"13", nil, proxy.Retry{On: []string{"503"}}, 10, 1},
		"no failure":          {"12", nil, proxy.Retry{On: []string{"5xx"}}, 10, 1},
		"in the trailer":      {"14", []string{}, proxy.Retry{On: []string{"5xx"}}, 10, 1},
		"a body that is long": {"14", nil, proxy.Retry{On: []string{"503"}, MaxReplay: 100}, 1000, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			f := serve(t, to(t, proxy.Options{Retry: c.retry}, grpcAnswer(t, c.status, &asked, c.words...), grpcAnswer(t, c.status, &asked, c.words...)))
			res := grpcCall(t, f, bytes.NewReader(message(strings.Repeat("x", c.body))))
			_, _ = io.ReadAll(res.Body)
			assert.Equal(t, c.want, asked.Load())
		})
	}
}

// That the time of a client is over says nothing about a backend, also when that is the first to notice.
func TestADeadlineOfTheClientIsNoFailure(t *testing.T) {
	at := h2cBackend(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(970 * time.Millisecond)
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", "4")
	})
	p := pool(t, at)
	res := grpcCall(t, serve(t, to(t, proxy.Options{Pool: p})), bytes.NewReader(message("a")), "Grpc-Timeout", "1S")
	assert.Equal(t, "4", res.Header.Get("Grpc-Status"))
	require.Eventually(t, func() bool { return p.Status()[0].Requests == 1 }, patience, time.Millisecond)
	assert.Zero(t, p.Status()[0].Failures)
}
