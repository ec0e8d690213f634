package upstream

import (
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTargets(t *testing.T) {
	for raw, want := range map[string][3]string{ // name, address to dial, host to call it by
		"http://10.0.0.7:9001":  {"http://10.0.0.7:9001", "10.0.0.7:9001", "10.0.0.7:9001"},
		"http://API.internal":   {"http://api.internal:80", "api.internal:80", "api.internal"},
		"https://api.internal/": {"https://api.internal:443", "api.internal:443", "api.internal"},
		"h2c://[fd00::1]":       {"h2c://[fd00::1]:80", "[fd00::1]:80", "[fd00::1]"},
		"grpc://a:50051":        {"grpc://a:50051", "a:50051", "a:50051"},
		"grpcs://a":             {"grpcs://a:443", "a:443", "a"},
		"ws://a":                {"ws://a:80", "a:80", "a"},
		"wss://a":               {"wss://a:443", "a:443", "a"},
		"h2://a:8443":           {"h2://a:8443", "a:8443", "a:8443"},
		"unix:/run/app.sock":    {"unix:/run/app.sock", "/run/app.sock", "localhost"},
		"unix:///run/app.sock":  {"unix:/run/app.sock", "/run/app.sock", "localhost"},
		"fastcgi://127.0.0.1":   {"fastcgi://127.0.0.1:9000", "127.0.0.1:9000", "127.0.0.1"},
		"fastcgi:/run/php.sock": {"fastcgi:/run/php.sock", "/run/php.sock", "localhost"},
		"HTTP://a:1":            {"http://a:1", "a:1", "a:1"},
	} {
		p, err := parse(Target{URL: raw}, []string{"fastcgi"})
		require.NoError(t, err, raw)
		assert.Equal(t, want, [3]string{p.name, p.address, p.url.Host}, raw)
		assert.Equal(t, 1, p.weight)
	}
	p, err := parse(Target{URL: "https://10.0.0.1", Host: "API.internal", Weight: 3, Backup: true}, nil)
	require.NoError(t, err)
	assert.Equal(t, "https://10.0.0.1:443 10.0.0.1:443 api.internal", p.name+" "+p.address+" "+p.url.Host)
	assert.Equal(t, 3, p.weight)
	assert.True(t, p.backup)
}

func TestWrongTargetsTeach(t *testing.T) {
	for raw, want := range map[string]string{
		"":                    "it has no scheme: write http://host:port",
		":80":                 "it has neither scheme nor host: write http://127.0.0.1:80",
		"/run/app.sock":       "or unix:/run/app.sock for a socket file",
		"10.0.0.1:80":         "it has no scheme: write http://10.0.0.1:80",
		"localhost:80":        "it has no scheme: write http://localhost:80",
		"[::1]:80":            "it has no scheme: write http://[::1]:80",
		"httpp://a":           `scheme "httpp" is unknown (did you mean "http"?): use one of http, https, `,
		"fastcgi://a":         `scheme "fastcgi" is unknown`,
		"http://":             "it has no host",
		"http:///x":           "it has no host",
		"http://a:0":          `port "0": give 1 to 65535`,
		"http://a:65536":      `port "65536"`,
		"http://a:http":       "is no URL",
		"http://a/base":       `the path "/base" would not be sent`,
		"http://a?x=1":        "a query or fragment has no place",
		"http://a#x":          "a query or fragment has no place",
		"http://u:secret@a":   "set the Authorization header",
		"http://u:secret@a b": "is no URL",
		"unix:":               "or unix:app.sock",
		"unix:app.sock":       "a socket is named by its path",
		"unix://app.sock":     "a socket is named by its path",
		"unix:/a%00b":         "a path with a NUL byte",
		"http://a\nb":         "is no URL",
	} {
		_, err := parse(Target{URL: raw}, nil)
		require.ErrorContains(t, err, want, raw)
		assert.NotContains(t, err.Error(), "secret", raw)
	}
	_, err := parse(Target{URL: "http://a", Weight: 1001}, nil)
	assert.ErrorContains(t, err, "weight 1001: give 1 to 1000")
	_, err = parse(Target{URL: "http://a", Weight: -1}, nil)
	assert.ErrorContains(t, err, "weight -1")
	for _, host := range []string{"a/b", "u@a", "a b", "//", "a:b", "a?x"} {
		_, err = parse(Target{URL: "http://10.0.0.1", Host: host}, nil)
		assert.ErrorContains(t, err, "write host or host:port", host)
	}
}

func FuzzTarget(f *testing.F) {
	for _, s := range []string{"http://a:1", "unix:/x", "https://[::1]:443/", "h2c://u:p@x?y#z", "://", "grpc:a", "http://a%00:80", "http://[fe80::1%25eth0]:80"} {
		f.Add(s, "")
	}
	f.Add("http://10.0.0.1", "api.test:80")
	f.Fuzz(func(t *testing.T, raw, host string) {
		p, err := parse(Target{URL: raw, Host: host}, []string{"fastcgi"})
		if err != nil {
			return
		}
		again, err := parse(Target{URL: p.name, Host: host}, []string{"fastcgi"})
		require.NoError(t, err, "the name of a backend is a target: %q", p.name)
		require.True(t, p.same(again), "%q %q", p.name, again.name)
		require.False(t, strings.ContainsAny(p.url.Host, "\r\n /@\x00"), "%q", p.url.Host)
		if !strings.HasPrefix(p.address, "/") {
			h, port, err := net.SplitHostPort(p.address)
			require.NoError(t, err)
			require.NotEmpty(t, h)
			require.NotEmpty(t, port)
		}
	})
}
