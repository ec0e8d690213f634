package spec_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/spec_test/logtext"
)

// taped is a listener that keeps all that comes, by connection.
type taped struct {
	net.Listener
	mu    sync.Mutex
	tapes []*logtext.Buffer
}

func (l *taped) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tape := new(logtext.Buffer)
	l.mu.Lock()
	l.tapes = append(l.tapes, tape)
	l.mu.Unlock()
	return &recorded{conn, tape}, nil
}

// payloadBackend answers as payloadApp does.
func payloadBackend(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/" && r.Method == http.MethodGet:
		_, _ = io.WriteString(w, "hello")
	case r.URL.Path == "/echo" && r.Method == http.MethodPost:
		_, _ = io.Copy(w, r.Body)
	case r.URL.Path == "/xff" && !strings.Contains(fmt.Sprint(r.Header), "1.2.3.4"):
		w.WriteHeader(http.StatusNoContent)
	case r.URL.Path == "/xff":
		_, _ = io.WriteString(w, "1.2.3.4")
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// TestPayloadsThroughAProxy: the answers are those of direct routes, and no backend ever sees a request that
// it could read in another way than we do.
func TestPayloadsThroughAProxy(t *testing.T) {
	backend := httptest.NewUnstartedServer(http.HandlerFunc(payloadBackend))
	tape := &taped{Listener: backend.Listener}
	backend.Listener = tape
	backend.Start()
	defer backend.Close()
	srv, _ := started(t, `app:proxy("/*", "`+backend.URL+`", { passive = { failures = 1, alone = true } })`,
		"--listen", "127.0.0.1:0", "--log", "json", "--access-log=false")
	name, port := where(t, srv)
	testPayloads(t, net.JoinHostPort(name, port))

	tape.mu.Lock()
	defer tape.mu.Unlock()
	requests := 0
	for _, one := range tape.tapes {
		n, err := strictRequests([]byte(one.String()))
		assert.NoError(t, err, "in %q", one.String())
		requests += n
	}
	assert.Greater(t, requests, 3, "of which some are fine")
}

var strictField = regexp.MustCompile(`^[A-Za-z0-9-]+: [ -~\t\x80-\xff]*$`)

// strictRequests reads what came on a connection by the letter of RFC 9112, and returns how many requests
// there are. The last may be cut short.
func strictRequests(raw []byte) (n int, err error) {
	for ; len(raw) > 0; n++ {
		head, rest, whole := bytes.Cut(raw, []byte("\r\n\r\n"))
		if !whole {
			return n, nil
		}
		lines := strings.Split(string(head), "\r\n")
		if strings.ContainsAny(string(bytes.ReplaceAll(head, []byte("\r\n"), nil)), "\r\n\x00") || strings.Count(lines[0], " ") != 2 {
			return n, fmt.Errorf("bad line in %q", head)
		}
		length, err := strictLength(lines[1:])
		if err != nil {
			return n, fmt.Errorf("%w in %q", err, head)
		}
		if raw, err = strictBody(rest, length); err != nil {
			return n, err
		}
	}
	return n, nil
}

// strictLength is how long the body is by the fields; -1 for chunked.
func strictLength(fields []string) (length int, err error) {
	hosts, lengths := 0, 0
	for _, field := range fields {
		if !strictField.MatchString(field) {
			return 0, fmt.Errorf("bad field %q", field)
		}
		name, value, _ := strings.Cut(field, ": ")
		switch strings.ToLower(name) {
		case "host":
			hosts++
		case "content-length":
			lengths++
			if length, err = strconv.Atoi(value); err != nil || value != strconv.Itoa(length) || length < 0 {
				return 0, fmt.Errorf("bad length %q", value)
			}
		case "transfer-encoding":
			lengths++
			if length = -1; value != "chunked" {
				return 0, fmt.Errorf("bad coding %q", value)
			}
		}
	}
	if hosts != 1 || lengths > 1 {
		return 0, fmt.Errorf("%d hosts and %d lengths", hosts, lengths)
	}
	return length, nil
}

var strictChunk = regexp.MustCompile(`^[0-9a-fA-F]{1,16}$`)

// strictBody returns what comes behind a body.
func strictBody(raw []byte, length int) (rest []byte, err error) {
	if length >= 0 {
		return raw[min(length, len(raw)):], nil
	}
	for {
		line, after, whole := bytes.Cut(raw, []byte("\r\n"))
		if !whole {
			return nil, nil
		}
		if !strictChunk.Match(line) {
			return nil, fmt.Errorf("bad chunk %q", line)
		}
		size, err := strconv.ParseUint(string(line), 16, 32)
		if err != nil {
			return nil, err
		}
		if size == 0 {
			_, rest, _ := bytes.Cut(raw, []byte("\r\n\r\n")) // with trailers
			return rest, nil
		}
		if len(after) < int(size)+2 {
			return nil, nil
		}
		if string(after[size:size+2]) != "\r\n" {
			return nil, fmt.Errorf("no line break behind a chunk of %d", size)
		}
		raw = after[size+2:]
	}
}

func TestStrictRequestsFindAmbiguousOnes(t *testing.T) {
	const host = "Host: x\r\n"
	for _, good := range []string{"GET / HTTP/1.1\r\n" + host + "\r\n", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"} {
		n, err := strictRequests([]byte(good + good))
		require.NoError(t, err)
		assert.Equal(t, 2, n)
	}
	for _, bad := range []string{
		"GET / HTTP/1.1\n" + host + "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET /a b HTTP/1.1\r\n" + host + "\r\n",
		"GET / HTTP/1.1\r\n" + host + host + "\r\n", "GET / HTTP/1.1\r\n" + host + "X : a\r\n\r\n", "GET / HTTP/1.1\r\n" + host + "X_Y: a\r\n\r\n",
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\n" + host + "Content-Length: +1\r\n\r\na", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
	} {
		_, err := strictRequests([]byte(bad))
		assert.Error(t, err, "%q", bad)
	}
}
