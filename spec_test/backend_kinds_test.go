package spec_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// A siteKind is what a site does with its connections: bytes, or requests.
type siteKind struct {
	bytes func(s *site, conn net.Conn)
	serve http.HandlerFunc
}

// siteKinds are the ways to answer by their names.
var siteKinds = map[string]siteKind{
	"echo":         {serve: echoSite},
	"sse":          {serve: sseSite},
	"websocket":    {serve: websocketSite},
	"trailers":     {serve: trailerSite},
	"early":        {serve: earlySite},
	"slow":         {serve: slowSite},
	"hang":         {bytes: answerHead("")},
	"half-head":    {bytes: answerHead("HTTP/1.1 200 OK\r\nContent-Le")},
	"garbage":      {bytes: answerAll("\x00\x01 nonsense \xff\r\n\r\n")},
	"wrong-length": {bytes: answerAll("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")},
	"two-lengths":  {bytes: answerAll("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nshort!")},
	"smuggle":      {bytes: answerAll("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")},
	"bad-chunk":    {bytes: answerAll("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nZZ\r\n")},
	"big-head":     {bytes: answerAll("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 80<<10) + "\r\nContent-Length: 0\r\n\r\n")},
	"flood-1xx":    {bytes: answerAll(strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n", 50) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")},
	"extra":        {bytes: answerHead("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")},
	"close":        {bytes: answerAll("")},
	"until-close":  {bytes: answerAll("HTTP/1.1 200 OK\r\n\r\nuntil the end")},
	"half-close":   {bytes: halfCloseSite},
	"reset":        {bytes: resetSite("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")},
	"reset-head":   {bytes: resetSite("")},
	"bytes":        {bytes: func(_ *site, conn net.Conn) { _, _ = io.Copy(conn, conn) }}, // echo, and half-close passed back
}

// echoSite answers with the request: its line, its header in order of the names, and its body. A path
// that ends with a status is answered with that.
func echoSite(w http.ResponseWriter, r *http.Request) {
	text := fmt.Sprintf("%s %s\nHost: %s\n", r.Method, r.RequestURI, r.Host)
	var lines []string
	for name, values := range r.Header {
		for _, v := range values {
			lines = append(lines, name+": "+v+"\n")
		}
	}
	slices.Sort(lines)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if code, err := strconv.Atoi(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]); err == nil && code >= 200 && code <= 599 {
		w.WriteHeader(code)
	}
	if r.URL.Query().Has("hop") {
		w.Header().Set("Connection", "X-Private")
		w.Header().Set("X-Private", "yes")
		w.Header().Set("Keep-Alive", "timeout=5")
		w.Header().Set("Alt-Svc", `h3=":443"`)
		w.Header().Set("Server", "inner")
	}
	_, _ = io.WriteString(w, text+strings.Join(lines, "")+"\n"+string(body))
}

// sseSite sends events until the client leaves.
func sseSite(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for n := 1; ; n++ {
		if _, err := fmt.Fprintf(w, "data: %d\n\n", n); err != nil || http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// websocketSite echoes messages; it takes the first protocol that is offered.
func websocketSite(w http.ResponseWriter, r *http.Request) {
	u := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }, Subprotocols: websocket.Subprotocols(r)}
	conn, err := u.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		kind, message, err := conn.ReadMessage()
		if err != nil || conn.WriteMessage(kind, message) != nil {
			return
		}
	}
}

// trailerSite answers with the trailers of the request, and with some of its own.
func trailerSite(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Trailer", "X-Sum, Content-Length")
	fmt.Fprintf(w, "got %v", r.Trailer)
	w.Header().Set("X-Sum", "7")
}

// earlySite sends early hints.
func earlySite(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Link", "</style.css>; rel=preload")
	w.WriteHeader(http.StatusEarlyHints)
	_, _ = io.WriteString(w, "late")
}

// slowSite takes a second.
func slowSite(w http.ResponseWriter, r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-time.After(time.Second):
		_, _ = io.WriteString(w, "slow")
	}
}

// readHead reads a request up to the end of its head.
func (s *site) readHead(conn net.Conn) bool {
	var got []byte
	one := make([]byte, 4096)
	for !strings.Contains(string(got), "\r\n\r\n") {
		n, err := conn.Read(one)
		got = append(got, one[:n]...)
		_, _ = s.seen.Write(one[:n])
		if err != nil {
			return false
		}
	}
	s.asked.Add(1)
	return true
}

// answerHead answers a request by text, and then with nothing more until the client leaves.
func answerHead(text string) func(*site, net.Conn) {
	return func(s *site, conn net.Conn) {
		if s.readHead(conn) {
			_, _ = io.WriteString(conn, text)
			_, _ = io.Copy(io.Discard, conn)
		}
	}
}

// answerAll answers a request by text and closes.
func answerAll(text string) func(*site, net.Conn) {
	return func(s *site, conn net.Conn) {
		if s.readHead(conn) {
			_, _ = io.WriteString(conn, text)
		}
	}
}

// resetSite answers a request by text, and then resets the connection.
func resetSite(text string) func(*site, net.Conn) {
	return func(s *site, conn net.Conn) {
		if s.readHead(conn) {
			_, _ = io.WriteString(conn, text)
			if text != "" {
				time.Sleep(10 * time.Millisecond) // a reset overtakes what is under way
			}
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
	}
}

// halfCloseSite closes its half before it answers nothing.
func halfCloseSite(s *site, conn net.Conn) {
	if s.readHead(conn) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
	}
}
