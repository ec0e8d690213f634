package client_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"rws/server/client"
)

// redirector answers /STATUS/rest with a redirect of that status to target.
func redirector(t *testing.T, target func(r *http.Request) string) *httptest.Server {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		status := 0
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &status); err != nil {
			echo(w, r)
			return
		}
		w.Header().Set("Location", target(r))
		w.WriteHeader(status)
	})
}

func TestRedirectMethods(t *testing.T) {
	s := redirector(t, func(*http.Request) string { return "/end?x=1" })
	tests := []struct {
		status       int
		method, want string
		body         string
	}{
		{301, "POST", "GET", ""}, {302, "PUT", "GET", ""}, {303, "DELETE", "GET", ""}, {302, "HEAD", "HEAD", ""},
		{307, "POST", "POST", "hello"}, {308, "PUT", "PUT", "hello"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status, tt.method), func(t *testing.T) {
			r := client.Request{Method: tt.method, URL: fmt.Sprintf("%s/%d#part", s.URL, tt.status), Body: []byte("hello")}
			res := do(t, r)
			if got := res.Header.Get("X-Seen"); got != tt.want+" /end?x=1 rws" || string(res.Body) != tt.body {
				t.Errorf("the server saw %q with %q", got, res.Body)
			}
			if res.URL != s.URL+"/end?x=1#part" || res.Attempts != 1 {
				t.Errorf("URL %q, attempts %d", res.URL, res.Attempts)
			}
		})
	}
}

func TestRedirectLimits(t *testing.T) {
	s := redirector(t, func(r *http.Request) string { return r.URL.Path + "x" })
	c := newClient(t, client.Options{})
	fails(t, c, t.Context(), client.Request{URL: s.URL + "/302/"}, client.CodeRedirects, "more than 10 times")
	fails(t, c, t.Context(), client.Request{URL: s.URL + "/302/", MaxRedirects: 2}, client.CodeRedirects, "more than 2 times", "/302/xxx")
	res := do(t, client.Request{URL: s.URL + "/302/", MaxRedirects: client.NoRedirects})
	if res.Status != 302 || res.Header.Get("Location") != "/302/x" {
		t.Errorf("without redirects: %+v", res)
	}
}

func TestRedirectsThatCannotBeFollowed(t *testing.T) {
	target := "ftp://example.com/"
	s := redirector(t, func(*http.Request) string { return target })
	c := newClient(t, client.Options{})
	fails(t, c, t.Context(), client.Request{URL: s.URL + "/302"}, client.CodeURL, `the scheme "ftp"`)
	target = "http://a b:x"
	fails(t, c, t.Context(), client.Request{URL: s.URL + "/302"}, client.CodeURL, "no URL")
	target = "/end"
	fails(t, c, t.Context(), client.Request{Method: "POST", URL: s.URL + "/307", BodyReader: strings.NewReader("x")}, client.CodeRedirects, "which was a stream")
	target = ""
	if res := do(t, client.Request{URL: s.URL + "/302"}); res.Status != 302 {
		t.Errorf("a redirect without a place: %+v", res)
	}
}

func TestCredentialsStayWithTheirOrigin(t *testing.T) {
	var seen http.Header
	record := func(w http.ResponseWriter, r *http.Request) { seen = r.Header.Clone() }
	stranger := serve(t, record)
	var back string
	home := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/out":
			http.Redirect(w, r, stranger.URL, http.StatusFound)
		case "/around":
			http.Redirect(w, r, back, http.StatusTemporaryRedirect)
		case "/same":
			http.Redirect(w, r, "/end", http.StatusFound)
		default:
			record(w, r)
		}
	})
	bounce := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, home.URL+"/end", http.StatusFound) })
	back = bounce.URL
	for path, kept := range map[string]bool{"/same": true, "/out": false, "/around": false} {
		for _, auth := range []string{"header", "url"} {
			r := client.Request{URL: home.URL + path, Header: http.Header{"cookie": {"a=b"}, "X-Own": {"1"}}}
			if auth == "header" {
				r.Header.Set("Authorization", "Bearer x")
				r.Header.Set("Proxy-Authorization", "Basic x")
			} else {
				r.URL = strings.Replace(r.URL, "://", "://u:p@", 1)
			}
			do(t, r)
			for _, name := range []string{"Authorization", "Cookie"} {
				if got := seen.Get(name) != ""; got != kept {
					t.Errorf("%s, by %s: %s sent on: %v", path, auth, name, got)
				}
			}
			if seen.Get("X-Own") != "1" {
				t.Errorf("%s: an ordinary header is lost", path)
			}
		}
	}
}

func TestCredentialsAndSchemes(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		kept     bool
	}{
		{"http://a.example/", "https://a.example/", true},
		{"https://a.example/", "http://a.example/", false},
		{"https://a.example/", "https://A.example:443/x", true},
		{"https://a.example/", "https://sub.a.example/", false},
		{"https://a.example/", "https://a.example:8443/", false},
		{"http://a.example:8080/", "https://a.example/", false},
	} {
		var last http.Header
		stub := roundTrip(func(r *http.Request) (*http.Response, error) {
			res := &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}
			if last == nil {
				res.StatusCode = 302
				res.Header.Set("Location", tt.to)
			}
			last = r.Header
			return res, nil
		})
		r := client.Request{URL: tt.from, Header: http.Header{"Authorization": {"Bearer x"}}}
		if _, err := newClient(t, client.Options{RoundTrip: stub}).Do(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if got := last.Get("Authorization") != ""; got != tt.kept {
			t.Errorf("%s to %s: sent on: %v", tt.from, tt.to, got)
		}
	}
}

func TestDenyPrivate(t *testing.T) {
	var hits atomic.Int64
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { hits.Add(1) })
	port := s.URL[strings.LastIndexByte(s.URL, ':'):]
	c := newClient(t, client.Options{})
	if _, err := c.Do(t.Context(), client.Request{URL: s.URL}); err != nil || hits.Load() != 1 {
		t.Fatalf("without the guard: %v", err)
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1.2.3", "169.254.169.254", "10.0.0.1"} {
		r := client.Request{URL: "http://" + host + port, DenyPrivate: true, Retry: client.Retry{Tries: 3}}
		e := fails(t, c, t.Context(), r, client.CodeDenied, "private address", "deny_private")
		if e.Attempts != 1 {
			t.Errorf("%s was tried %d times", host, e.Attempts)
		}
	}
	if hits.Load() != 1 {
		t.Error("a guarded call arrived, perhaps over a connection of an open one")
	}
}

func TestDenyPrivateHoldsForRedirects(t *testing.T) {
	var hits atomic.Int64
	inside := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	inside.Listener.Close()
	var err error
	if inside.Listener, err = net.Listen("tcp4", "0.0.0.0:0"); err != nil { // 127.0.0.2 as well
		t.Fatal(err)
	}
	inside.Start()
	defer inside.Close()
	port := inside.URL[strings.LastIndexByte(inside.URL, ':'):]
	outside := redirector(t, func(*http.Request) string { return "http://127.0.0.2" + port })
	c := newClient(t, client.Options{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	r := client.Request{URL: outside.URL + "/302", DenyPrivate: true}
	fails(t, c, t.Context(), r, client.CodeDenied, "GET http://127.0.0.2"+port, "127.0.0.2 is a private address")
	if hits.Load() != 0 {
		t.Error("the request arrived")
	}
	if res, err := c.Do(t.Context(), client.Request{URL: outside.URL, DenyPrivate: true}); err != nil || res.Status != 201 {
		t.Errorf("an allowed address: %+v, %v", res, err)
	}
}

func TestPublicAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"1.1.1.1": true, "93.184.215.14": true, "2606:4700::1111": true, "2001:4860:4860::8888": true, "64:ff9b::101:101": true,
		"0.0.0.0": false, "10.1.2.3": false, "100.64.0.1": false, "100.100.100.200": false, "127.0.0.1": false, "169.254.169.254": false,
		"172.31.0.1": false, "172.32.0.1": true, "192.168.1.1": false, "168.63.129.16": false, "192.0.0.192": false, "224.0.0.1": false,
		"255.255.255.255": false, "::": false, "::1": false, "::7f00:1": false, "fc00::1": false, "fd00:ec2::254": false, "fe80::1": false,
		"ff02::1": false, "64:ff9b::7f00:1": false, "64:ff9b:1::1": false, "2002:7f00:1::": false, "2001:0:1::": false,
	} {
		if got := client.IsPublic(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: public %v", text, got)
		}
	}
}
