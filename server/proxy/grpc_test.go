package proxy_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy"
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
