package server

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"
)

// Settings of an [App]. The zero value is a good default; where 0 means a default, a negative
// value means none.
//
// Those marked "restart" belong to the sockets: [Server.Swap] refuses an app that changes them.
type Settings struct {
	// Listen are addresses as package listen describes them: ":3000", "unix:/run/x.sock".
	// Default ":3000". Restart.
	Listen []string
	// Listeners are addresses with more to say about each, in place of Listen. Restart.
	Listeners []Listener
	// HTTP3 also serves HTTP/3 on all TCP addresses of Listen, on the UDP port of the same number, and
	// says so in answers over TLS (Alt-Svc). It needs TLS. Restart.
	HTTP3 bool
	// EarlyData takes requests of HTTP/3 in the first flight of a client that comes again (0-RTT), which
	// others may have recorded and send again. GET, HEAD and OPTIONS without a body, cookies, Authorization
	// or a certificate are answered at once when a token proves the address of the client, with EarlyData
	// set on the exchange and "Early-Data: 1" in the header, which servers behind us get too. The rest
	// waits until the handshake is complete. Restart.
	EarlyData bool
	// TLS is spoken on all TCP addresses when it has a certificate. Unix sockets stay plain:
	// what connects to them is on the same machine. Restart; but [Server.Swap] reads the files
	// again, and takes another Store or what another Open makes.
	TLS TLS
	// H2C also accepts HTTP/2 without TLS, from clients that know beforehand. Restart.
	H2C bool

	// MaxConns are open connections for each address; default 10,000. More wait in the backlog
	// of the kernel. Restart.
	MaxConns int
	// MaxConnsPerIP are open connections of one client for each address; 0 means no limit.
	// Restart.
	MaxConnsPerIP int
	// MaxHeaderBytes is the size of the request line and header; default 16 KiB. More is answered
	// 431. HTTP/2 counts fields as RFC 9113 §10.5.1 does. Restart.
	MaxHeaderBytes int
	// MaxHeaders is the number of header fields; default 100. More is answered 431.
	MaxHeaders int
	// MaxBody is the size of a request body in bytes; default 10 MiB. More is answered 413.
	MaxBody int64

	// ReadHeader is the time for a TLS handshake, and for a request header from its first
	// byte; default 10 s. Restart.
	ReadHeader time.Duration
	// BodyIdle is how long reading a request body may wait for the client; default 30 s. The
	// waits of a request together may take this long plus one second for each 240 bytes, so
	// that dripping bytes does not help.
	BodyIdle time.Duration
	// WriteIdle is how long a write may wait for the client to take some bytes; default 30 s.
	// Restart.
	WriteIdle time.Duration
	// KeepAlive is how long a connection may wait for its next request; default 75 s. Restart.
	KeepAlive time.Duration
	// StopGrace is how long requests may go on when the app is replaced or the server stops;
	// default 30 s. Then their contexts end.
	StopGrace time.Duration

	// MemoryLimit is the memory of the process above which new requests are answered 503 with
	// Retry-After, until it is below 95 % of that. Default, where the system tells: 80 % of what
	// the cgroup or else the machine has.
	MemoryLimit int64

	// NoAccessLog writes no line for each request.
	NoAccessLog bool
}

// complete fills in the defaults and reports what makes no sense.
func (s Settings) complete() (Settings, error) {
	if len(s.Listen) == 0 && len(s.Listeners) == 0 {
		s.Listen = []string{":3000"}
	}
	s.MemoryLimit = s.Memory()
	s.MaxHeaderBytes = cmp.Or(s.MaxHeaderBytes, 16<<10)
	s.MaxHeaders = cmp.Or(s.MaxHeaders, 100)
	s.MaxBody = cmp.Or(s.MaxBody, 10<<20)
	s.ReadHeader = cmp.Or(s.ReadHeader, 10*time.Second)
	s.BodyIdle = cmp.Or(s.BodyIdle, 30*time.Second)
	s.WriteIdle = cmp.Or(s.WriteIdle, 30*time.Second)
	s.KeepAlive = cmp.Or(s.KeepAlive, 75*time.Second)
	s.StopGrace = cmp.Or(s.StopGrace, 30*time.Second)
	faults := []error{s.TLS.check()}
	for _, l := range s.listeners() {
		faults = append(faults, l.check(s.TLS.On()))
	}
	return s, errors.Join(faults...)
}

// Memory is MemoryLimit with its default filled in.
func (s Settings) Memory() int64 {
	if s.MemoryLimit == 0 {
		return machineMemory() / 5 * 4
	}
	return s.MemoryLimit
}

// RestartError says that an app has settings that only a restart applies.
type RestartError struct {
	Settings []string // their names, as in "Listen"
}

// Error names the settings.
func (e *RestartError) Error() string {
	return "the sockets are open already: restart to apply the new " + strings.Join(e.Settings, ", ")
}

// restart compares what the sockets were opened with. Both settings are complete.
func (s Settings) restart(next Settings) error {
	var names []string
	for _, setting := range []struct {
		name string
		same bool
	}{
		{"Listen", slices.Equal(s.Listen, next.Listen)},
		{"Listeners", sameListeners(s.Listeners, next.Listeners)},
		{"HTTP3", s.HTTP3 == next.HTTP3},
		{"EarlyData", s.EarlyData == next.EarlyData},
		{"TLS", s.TLS.same(next.TLS)},
		{"H2C", s.H2C == next.H2C},
		{"MaxConns", s.MaxConns == next.MaxConns},
		{"MaxConnsPerIP", s.MaxConnsPerIP == next.MaxConnsPerIP},
		{"MaxHeaderBytes", s.MaxHeaderBytes == next.MaxHeaderBytes},
		{"ReadHeader", s.ReadHeader == next.ReadHeader},
		{"WriteIdle", s.WriteIdle == next.WriteIdle},
		{"KeepAlive", s.KeepAlive == next.KeepAlive},
	} {
		if !setting.same {
			names = append(names, setting.name)
		}
	}
	if names == nil {
		return nil
	}
	return &RestartError{Settings: names}
}
