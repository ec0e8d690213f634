package middleware_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"rws/server/exchange"
	"rws/server/middleware"
)

func clientIP(t *testing.T, header string, trusted ...string) http.Handler {
	return must(middleware.ClientIP(middleware.ClientIPOptions{Trusted: trusted, Header: header}))(t)(clientOf)
}

func TestTheClientIsTheFirstThatIsNotTrustedFromTheRight(t *testing.T) {
	h := clientIP(t, "", "10.0.0.0/8", "2001:db8:1::/48")
	for _, c := range []struct{ peer, lines, want string }{
		{"10.0.0.1:80", "X-Forwarded-For: 192.0.2.7", "192.0.2.7"},
		{"10.0.0.1:80", "X-Forwarded-For: 6.6.6.6, 192.0.2.7", "192.0.2.7"},
		{"10.0.0.1:80", "X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.9.9.9", "192.0.2.7"},
		{"10.0.0.1:80", "X-Forwarded-For: 6.6.6.6|X-Forwarded-For: 192.0.2.7", "192.0.2.7"},
		{"10.0.0.1:80", "x-forwarded-for: 192.0.2.7", "192.0.2.7"},
		{"10.0.0.1:80", "X-Forwarded-For: garbage'<>, 192.0.2.7", "192.0.2.7"},
		{"10.0.0.1:80", "X-Forwarded-For: 10.2.2.2, 10.3.3.3", "10.2.2.2"},
		{"10.0.0.1:80", "X-Forwarded-For: 192.0.2.7:4711", "192.0.2.7"},
		{"10.0.0.1:80", "X-Forwarded-For: 192.0.2.7,, ,", "192.0.2.7"},
		{"10.0.0.1:80", "X-Forwarded-For: |X-Forwarded-For: 192.0.2.7", "192.0.2.7"},
		{"10.0.0.1:80", "X-Forwarded-For: 192.0.2.7|X-Forwarded-For: ", "192.0.2.7"},
		{"10.0.0.1:80", "X-Forwarded-For: [2001:db8::7]:4711", "2001:db8::7"},
		{"10.0.0.1:80", "X-Forwarded-For: 2001:db8::7", "2001:db8::7"},
		{"10.0.0.1:80", "X-Forwarded-For: fe80::1%eth0", "fe80::1"},
		{"10.0.0.1:80", "X-Forwarded-For: ::ffff:192.0.2.7", "192.0.2.7"},
		{"10.0.0.1:80", "X-Forwarded-For: 192.0.2.7, ::ffff:10.1.1.1", "192.0.2.7"},
		{"[::ffff:10.0.0.1]:80", "X-Forwarded-For: 192.0.2.7", "192.0.2.7"},
		{"[2001:db8:1::1]:80", "X-Forwarded-For: 192.0.2.7", "192.0.2.7"},
		{"10.0.0.1:80", "", "10.0.0.1"},
		{"10.0.0.1:80", "X-Forwarded-For: 10.1.1.1, unknown", "::"},
		{"10.0.0.1:80", "X-Forwarded-For: 10.1.1.1, _hidden", "::"},
		// Lies.
		{"192.0.2.1:80", "X-Forwarded-For: 10.0.0.1", "192.0.2.1"},
		{"10.0.0.1:80", "Forwarded: for=6.6.6.6|X-Real-Ip: 6.6.6.6|X_Forwarded_For: 6.6.6.6", "10.0.0.1"},
		{"[::ffff:192.0.2.1]:80", "X-Forwarded-For: 10.0.0.1", "192.0.2.1"},
	} {
		var lines []string
		if c.lines != "" {
			lines = strings.Split(c.lines, "|")
		}
		assert.Equal(t, c.want, ask(h, "/", from(c.peer), with(lines...)).Body.String(), "%s from %s", c.lines, c.peer)
	}
}

func TestForwarded(t *testing.T) {
	h := clientIP(t, "forwarded", "10.0.0.0/8")
	for line, want := range map[string]string{
		`for=192.0.2.7`:                                     "192.0.2.7",
		`For="[2001:db8:cafe::17]:4711"`:                    "2001:db8:cafe::17", // RFC 7239 §4
		`for=192.0.2.60;proto=http;by=203.0.113.43`:         "192.0.2.60",
		`for=6.6.6.6, for=198.51.100.17`:                    "198.51.100.17",
		`for=6.6.6.6, for=198.51.100.17;by=x, for=10.1.1.1`: "198.51.100.17",
		`for="6.6.6.6, for=7.7.7.7", for=198.51.100.17`:     "198.51.100.17",
		`for=_secret`:                           "::",
		`for=unknown`:                           "::",
		`for="unknown:80"`:                      "::",
		`proto=https`:                           "::",
		`for="192.0.2.7:80";host="a, b"`:        "192.0.2.7",
		`host="a\", for=6.6.6.6";for=192.0.2.7`: "192.0.2.7",
		`for=192.0.2.7:80`:                      "192.0.2.7",
	} {
		assert.Equal(t, want, ask(h, "/", from("10.0.0.1:1"), with("Forwarded: "+line)).Body.String(), line)
	}
	w := ask(h, "/", from("10.0.0.1:1"), with("X-Forwarded-For: 6.6.6.6"))
	assert.Equal(t, "10.0.0.1", w.Body.String(), "another header than the one asked for is not read")
}

func TestAMalformedHeaderIsRefused(t *testing.T) {
	for _, c := range []struct{ header, value string }{
		{"X-Forwarded-For", "nonsense"},
		{"X-Forwarded-For", "192.0.2.7:port"},
		{"X-Forwarded-For", "192.0.2.7:123456"},
		{"X-Forwarded-For", "[192.0.2.7]"},
		{"X-Forwarded-For", "[2001:db8::1"},
		{"X-Forwarded-For", "1.2.3.4.5"},
		{"X-Forwarded-For", "010.0.0.1"},
		{"X-Forwarded-For", "0x7f000001"},
		{"X-Forwarded-For", `"192.0.2.7"`},
		{"X-Forwarded-For", strings.Repeat("10.0.0.1,", 40)},
		{"Forwarded", "192.0.2.7"},
		{"Forwarded", "for=192.0.2.7;for=10.0.0.1"},
		{"Forwarded", `for="192.0.2.7`},
		{"Forwarded", `for="`},
		{"Forwarded", `for=`},
		{"Forwarded", `for="192.0.2.7"x`},
		{"Forwarded", `for="\`},
		{"Forwarded", `for=6.6.6.6;by=", for=192.0.2.7`},
	} {
		w := ask(clientIP(t, c.header, "10.0.0.0/8"), "/", from("10.0.0.1:1"), with(c.header+": "+c.value))
		assert.Equal(t, 400, w.Code, "%s: %s gave %s", c.header, c.value, w.Body)
	}
}

func TestHeadersOfProxiesAreRemovedFromOthers(t *testing.T) {
	var seen http.Header
	h := must(middleware.ClientIP(middleware.ClientIPOptions{Trusted: []string{"10.0.0.0/8"}, Header: "CF-Connecting-IP"}))(t)(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header }))
	lies := with("X-Forwarded-For: 1", "x_forwarded_for: 1", "X.Forwarded.Proto: https", "X-FORWARDED_host: x", "Forwarded: for=1",
		"x-real_ip: 1", "cf_connecting_ip: 1", "Accept: */*")
	ask(h, "/", from("192.0.2.1:1"), lies)
	assert.Equal(t, http.Header{"Accept": {"*/*"}}, seen)
	ask(h, "/", from("10.0.0.1:1"), with("Cf-Connecting-Ip: 192.0.2.7"))
	assert.Equal(t, http.Header{"Cf-Connecting-Ip": {"192.0.2.7"}}, seen)
}

func TestTLSAtTheProxyCounts(t *testing.T) {
	h := func(header string) http.Handler {
		return must(middleware.ClientIP(middleware.ClientIPOptions{Trusted: []string{"10.0.0.0/8", "unix"}, Header: header}))(t)(
			http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if exchange.From(r.Context()).Secure {
					w.WriteHeader(299)
				}
			}))
	}
	for _, c := range []struct {
		header, peer, line string
		want               int
	}{
		{"", "10.0.0.1:1", "X-Forwarded-Proto: https", 299},
		{"", "@", "X-Forwarded-Proto: HTTPS", 299},
		{"", "10.0.0.1:1", "X-Forwarded-Proto: https, http", 200},
		{"", "10.0.0.1:1", "X-Forwarded-Proto: http, https ,", 299},
		{"", "192.0.2.1:1", "X-Forwarded-Proto: https", 200},
		{"", "10.0.0.1:1", "X-Forwarded-Ssl: on", 200},
		{"forwarded", "10.0.0.1:1", "Forwarded: for=1.1.1.1;proto=https", 299},
		{"forwarded", "10.0.0.1:1", "Forwarded: proto=https, for=1.1.1.1;proto=http", 200},
		{"forwarded", "10.0.0.1:1", "X-Forwarded-Proto: https", 200},
	} {
		assert.Equal(t, c.want, ask(h(c.header), "/", from(c.peer), with(c.line)).Code, c)
	}
}

func TestAUnixSocketIsTrustedByName(t *testing.T) {
	line := with("X-Forwarded-For: 192.0.2.7")
	assert.Equal(t, "192.0.2.7", ask(clientIP(t, "", "unix"), "/", from("@"), line).Body.String())
	assert.Equal(t, netip.Addr{}.String(), ask(clientIP(t, "", "all"), "/", from("@"), line).Body.String())
}

func TestClientIPOptionsAreChecked(t *testing.T) {
	refused(t, middleware.ClientIP, map[string]middleware.ClientIPOptions{
		"no proxy is trusted":     {},
		`did you mean "loopback"`: {Trusted: []string{"lopback"}},
		"10.0.0.1/8":              {Trusted: []string{"10.0.0.1/8"}},
		"256.0.0.0":               {Trusted: []string{"256.0.0.0"}},
		"96 bits":                 {Trusted: []string{"::ffff:10.0.0.0/90"}},
		"no name of a header":     {Trusted: []string{"loopback"}, Header: "a b"},
	})
}

func TestRequestID(t *testing.T) {
	var inner string
	h := func(o middleware.RequestIDOptions) http.Handler {
		return must(middleware.RequestID(o))(t)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner = strings.Join(r.Header["X-Correlation-Id"], ",") + strings.Join(r.Header["X-Request-Id"], ",")
			assert.Equal(t, inner, exchange.From(r.Context()).ID())
			assert.NotContains(t, r.Header, "X_request_id")
		}))
	}
	own := func(w http.Header, name string) {
		assert.Regexp(t, `^[a-z2-7]{14}$`, w.Get(name))
		assert.Equal(t, w.Get(name), inner)
	}
	for _, bad := range []string{"", "a b", "a\u00e4", "<script>", strings.Repeat("x", 65), "a\r\nSet-Cookie: x"} {
		own(ask(h(middleware.RequestIDOptions{}), "/", with("X-Request-Id: "+bad)).Header(), "X-Request-Id")
	}
	own(ask(h(middleware.RequestIDOptions{}), "/", with("X-Request-Id: a", "X-Request-Id: b", "x_request_id: c")).Header(), "X-Request-Id")
	w := ask(h(middleware.RequestIDOptions{}), "/", with("x-request-id: abc"))
	assert.Equal(t, "abc", w.Header().Get("X-Request-Id"))
	w = ask(h(middleware.RequestIDOptions{Header: "X-Correlation-ID"}), "/", with("X-Correlation-Id: abc"))
	assert.Equal(t, "abc", w.Header().Get("X-Correlation-Id"))
	own(ask(h(middleware.RequestIDOptions{Trusted: []string{}}), "/", with("X-Request-Id: abc")).Header(), "X-Request-Id")
	some := middleware.RequestIDOptions{Trusted: []string{"10.0.0.0/8"}}
	own(ask(h(some), "/", from("192.0.2.1:1"), with("X-Request-Id: abc")).Header(), "X-Request-Id")
	assert.Equal(t, "abc", ask(h(some), "/", from("10.0.0.1:1"), with("X-Request-Id: abc")).Header().Get("X-Request-Id"))
}

// FuzzForwarded wants an answer for any header: an address, or 400.
func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{`for=1.2.3.4`, `for="[::1]:80";proto=x, for=_a`, `"`, `for="\`, `a=b;;`, "1.2.3.4, [::", "::ffff:1.2.3.4%x"} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	make := func(header string) http.Handler {
		m, err := middleware.ClientIP(middleware.ClientIPOptions{Trusted: []string{"10.0.0.1"}, Header: header})
		if err != nil {
			f.Fatal(err)
		}
		return m(clientOf)
	}
	rfc, list := make("Forwarded"), make("X-Forwarded-For")
	f.Fuzz(func(t *testing.T, value string, standard bool) {
		h, name := list, "X-Forwarded-For"
		if standard {
			h, name = rfc, "Forwarded"
		}
		line := func(v string) func(*http.Request) {
			return func(r *http.Request) { r.RemoteAddr = "10.0.0.1:1"; r.Header[name] = []string{v} }
		}
		w := ask(h, "/", line(value))
		if w.Code != 400 {
			if _, err := netip.ParseAddr(w.Body.String()); err != nil {
				t.Errorf("%q gave %q", value, w.Body)
			}
		}
		// What a client sends cannot reach over what the proxy appends.
		appended := ", 192.0.2.7"
		if standard {
			appended = ", for=192.0.2.7"
		}
		if w := ask(h, "/", line(value+appended)); w.Code != 400 && w.Body.String() != "192.0.2.7" {
			t.Errorf("%q made the client %q", value, w.Body)
		}
	})
}
