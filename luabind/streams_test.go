package luabind_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
	"rws/luabind/luadoc"
	"rws/server/listen"
	"rws/stdlib"
)

// lines serves a listener: each line is answered by name.
func lines(t *testing.T, name string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for s := bufio.NewScanner(conn); s.Scan(); {
					_, _ = fmt.Fprintln(conn, name, s.Text())
				}
			}()
		}
	}()
	return l.Addr().String()
}

// through sends a line through the n-th stream of a program.
func through(t *testing.T, p *luabind.Program, n int) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	served, err := l.Accept()
	require.NoError(t, err)
	done := make(chan struct{})
	go func() { p.App.Streams[n].Conn(t.Context(), served); close(done) }()
	_, err = io.WriteString(client, "hello\n")
	require.NoError(t, err)
	require.NoError(t, client.(*net.TCPConn).CloseWrite())
	answer, err := io.ReadAll(client)
	require.NoError(t, err)
	<-done
	return strings.TrimSpace(string(answer))
}

func TestTCPGoesToBackends(t *testing.T) {
	a, b := lines(t, "a"), lines(t, "b")
	p, err := loadScript(t, fmt.Sprintf(`
		app:config { isolates = 2 }
		app:tcp("127.0.0.1:7001", { to = { %q, %q } })
		app:tcp("127.0.0.1:7002", { to = { "127.0.0.1:1", { url = %q, backup = true } } })
		app:tcp("127.0.0.1:7003", { to = function() return { %q } end, names = { ["a.example"] = %q } })
		app:udp("127.0.0.1:7001", { to = "127.0.0.1:1" })
	`, a, b, b, b, a), nil)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context()))
	require.Len(t, p.App.Streams, 4)
	first, second := through(t, p, 0), through(t, p, 0)
	assert.ElementsMatch(t, []string{"a hello", "b hello"}, []string{first, second}, "in turn")
	assert.Equal(t, "b hello", through(t, p, 1), "where the first refuses")
	assert.Equal(t, "b hello", through(t, p, 2), "where a function says")
	assert.Equal(t, "app.lua:3", p.App.Streams[0].Source)
}

func TestUDPGoesToBackends(t *testing.T) {
	echo, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer echo.Close()
	go func() {
		buffer := make([]byte, 100)
		for {
			n, from, err := echo.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			_, _ = echo.WriteToUDPAddrPort(append([]byte("echo "), buffer[:n]...), from)
		}
	}()
	p, err := loadScript(t, fmt.Sprintf(`app:udp("127.0.0.1:7001", { to = %q, idle = "5s" })`, echo.LocalAddr()), nil)
	require.NoError(t, err)
	front, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { _ = p.App.Streams[0].Packets(ctx, front); close(done) }()
	defer func() { cancel(); <-done; _ = front.Close() }()
	client, err := net.Dial("udp", front.LocalAddr().String())
	require.NoError(t, err)
	defer client.Close()
	_, err = io.WriteString(client, "x")
	require.NoError(t, err)
	require.NoError(t, client.SetReadDeadline(time.Now().Add(10*time.Second)))
	buffer := make([]byte, 100)
	n, err := client.Read(buffer)
	require.NoError(t, err)
	assert.Equal(t, "echo x", string(buffer[:n]))
}

func TestWhatStreamsAndUpstreamsAreToldWrongly(t *testing.T) {
	for source, want := range map[string]string{
		"\napp:tcp(':5432', {})":                                                                 "app.lua:2: app:tcp: there are no backends",
		"\napp:tcp(':5432', { to = '10.0.0.1' })":                                                "an address with a port expected",
		"\napp:tcp(':5432', { to = 'http://10.0.0.1:1' })":                                       `an address such as "127.0.0.1:15432" expected`,
		"\napp:tcp(':5432', { to = {} })":                                                        "app.lua:2",
		"\napp:tcp(':5432', { too = '10.0.0.1:1' })":                                             `did you mean "to"`,
		"\napp:tcp(':5432', { retry = {}, to = '10.0.0.1:1' })":                                  `unknown option "retry"`,
		"\napp:tcp(':5432', { cert = 'a.pem', to = '10.0.0.1:1' })":                              "both files are needed",
		"\napp:tcp(':5432', { cert = 'a.pem', key = 'a.pem', to = '10.0.0.1:1' })":               "a.pem",
		"\napp:tcp(':5432', { names = { ['a b'] = '10.0.0.1:1' } })":                             `"a b" is no server name`,
		"\napp:tcp(':5432', { balance = 'random', names = { a = '10.0.0.1:1' } })":               `option "balance"`,
		"\napp:tcp(':5432', { to = '10.0.0.1:1' })\napp:tcp(':5432', { to = '10.0.0.1:1' })":     "declared already (app.lua:2)",
		"\napp:group('/a'):tcp(':5432', { to = '10.0.0.1:1' })":                                  "belongs to the whole app",
		"\napp:tcp('5432', { to = '10.0.0.1:1' })":                                               "app.lua:2",
		"\napp:tcp(':5432', { to = '10.0.0.1:1', accept_proxy = {} })":                           "nobody is trusted",
		"\napp:udp(':53', {})":                                                                   "the backends are missing",
		"\napp:udp(':53', { to = '10.0.0.1:53', idle = 5 })":                                     "idle",
		"\napp:tcp(':5432', { to = { url = '10.0.0.1:1', host = 'b.example' } })":                `nobody is told the host "b.example"`,
		"\napp:tcp(':5432', { names = { a = { { url = '10.0.0.1:1', host = 'b.example' } } } })": `nobody is told the host "b.example"`,
		"\napp:udp(':53', { to = { url = '10.0.0.1:53', host = 'b.example' } })":                 `nobody is told the host "b.example"`,
		"\napp:udp(':53', { to = 'unix:/x' })":                                                   "no unix socket",
		"\napp:udp('unix:/x', { to = '10.0.0.1:53' })":                                           "app.lua:2",
		"\napp:upstream('api', { to = 'ftp://10.0.0.1' })":                                       `scheme "ftp"`,
		"\napp:upstream('api', {})":                                                              `"to"`,
		"\napp:upstream('api', { to = 'http://a', balance = 'robin' })":                          "round_robin",
		"\napp:upstream('api', { to = 'http://a', balance = 'header_hash' })":                    "header",
		"\napp:upstream('api', { to = 'http://a', health = { status = '9xx' } })":                `option "health"`,
		"\napp:upstream('api', { to = 'http://a', health = { every = 5 } })":                     "every",
		"\napp:upstream('api', { to = 'http://a', passive = { max_ejected = '150%' } })":         "max_ejected",
		"\napp:upstream('api', { to = 'http://a', breaker = { store = 'sql' } })":                "call app:db before",
		"\napp:upstream('api', { to = 'http://a', breaker = { store = 'rediss' } })":             "store",
		"\napp:upstream('api', { to = 'https://a', tls = { ca = 'none.pem' } })":                 "none.pem",
		"\napp:upstream('api', { to = 'fastcgi://127.0.0.1:9000' })":                             "fastcgi.root",
		"\napp:upstream('api', { to = { 'http://a', x = 1 } })":                                  `the key "x"`,
		"\napp:upstream('api', { to = 'http://a' })\napp:upstream('api', { to = 'http://a' })":   "declared at app.lua:2 already",
	} {
		_, err := loadScript(t, source, nil)
		assert.ErrorContains(t, err, want, source)
		if err != nil {
			assert.Contains(t, err.Error(), "app.lua:", source)
		}
	}
}

func TestUpstreamsTellHowTheyAre(t *testing.T) {
	p := script(t, `
		local api = app:upstream("api", { to = { "http://127.0.0.1:1", { url = "http://127.0.0.1:2", weight = 3 } }, breaker = true })
		app:get("/", function() return api:status() end)
		app:post("/update", function(c) api:update(c:read_json()) return 204 end)
		app:post("/drain", function(c) api:drain("http://127.0.0.1:2") return 204 end)
		app:post("/wrong", function(c) api:drain("http://127.0.0.1:7") end)
	`)
	read := func() (list []map[string]any) {
		require.NoError(t, json.Unmarshal([]byte(do(t, p, "GET /").Body), &list))
		return list
	}
	list := read()
	require.Len(t, list, 2)
	faces, err := luadoc.ParseFS(stdlib.Files())
	require.NoError(t, err)
	var documented []string
	for _, m := range faces.Members("rws.BackendStatus") {
		documented = append(documented, m.(*luadoc.Field).Member)
	}
	assert.Subset(t, documented, slices.Collect(maps.Keys(list[0])))
	assert.Equal(t, 204, do(t, p, "POST /drain").Status)
	assert.Equal(t, "drained", read()[1]["state"])
	assert.Equal(t, 204, do(t, p, "POST /update", luabind.Call{Body: `["http://127.0.0.1:3"]`}).Status)
	assert.Len(t, read(), 1)
	assert.Equal(t, 500, do(t, p, "POST /wrong").Status)
}

// Whom app:tcp refuses for want of the PROXY protocol is in the metrics, and what it expects in listings.
func TestWhatAcceptProxyRefusesIsCounted(t *testing.T) {
	p := newApp(t, `
		app:metrics("/metrics")
		app:config { listen = { { address = "127.0.0.1:7002", proxy_protocol = { trusted = { "10.0.0.9" } } } } }
		app:tcp("127.0.0.1:7001", { to = "127.0.0.1:1", accept_proxy = { trusted = { "10.0.0.9" } } })
	`, nil)
	require.Len(t, p.Streams(), 1)
	assert.Contains(t, p.Streams()[0].String(), "PROXY protocol")
	options := p.App.Streams[0].Options
	options.Logger = slog.New(slog.DiscardHandler)
	l, err := listen.Open(t.Context(), "127.0.0.1:0", options)
	require.NoError(t, err)
	go func() { _, _ = l.Accept() }()
	if conn, err := net.Dial("tcp", l.Addr().String()); err == nil {
		_, _ = conn.Read(make([]byte, 1))
		_ = conn.Close()
	}
	require.Eventually(t, func() bool { return options.Proxy.Refused.Untrusted() == 1 }, 5*time.Second, time.Millisecond)
	require.NoError(t, l.Close())
	text := string(do(t, p, "GET /metrics").Body)
	assert.Contains(t, text, `rws_proxy_protocol_refused_total{listen="127.0.0.1:7001",reason="untrusted"} 1`)
	assert.Contains(t, text, `rws_proxy_protocol_refused_total{listen="127.0.0.1:7002",reason="header"} 0`)
}
