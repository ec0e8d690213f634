// Package fastcgi sends HTTP requests to FastCGI applications, as PHP-FPM, by the specification 1.0
// (https://fastcgi-archives.github.io/FastCGI_Specification.html) with the variables of CGI 1.1
// (RFC 3875).
package fastcgi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"
)

// Options of a [Transport].
type Options struct {
	Network string // "tcp" or "unix"
	Address string // "127.0.0.1:9000", "/run/php/php-fpm.sock"
	// Root is the folder with the scripts, as the application sees it; it must be absolute. Paths of
	// requests are below it. Where it is on this machine too, no link leads out of it; it may be a link
	// itself.
	Root string
	// Index is the script for a path that ends with "/"; default "index.php". With a Front it has to
	// be there on this machine.
	Index string
	// Extension is what the name of a script ends with, to tell it from the path info behind it, as in
	// "/a.php/more"; default ".php". A path without it is that of Front.
	Extension string
	// Front is the script for all paths that name none, as in "/index.php", which gets them as PATH_INFO,
	// but for "/"; "" answers them 404.
	Front string
	// Env are further variables, which win over those made here.
	Env map[string]string

	Connect  time.Duration // default 3 s
	Response time.Duration // until the header of the answer is there; default 30 s
	Idle     time.Duration // without a byte of its body; default 60 s

	Logger *slog.Logger // hears what applications write to their standard error; default [slog.Default]
}

// Transport is an [http.RoundTripper]. Made by [New]; safe for concurrent use.
//
// Each request has a connection of its own: one that is kept holds a worker of PHP-FPM, which has
// few.
type Transport struct {
	o      Options
	dialer net.Dialer
}

// New checks options.
func New(o Options) (*Transport, error) {
	o.Index = cmp.Or(o.Index, "index.php")
	o.Extension = cmp.Or(o.Extension, ".php")
	o.Connect = cmp.Or(o.Connect, 3*time.Second)
	o.Response = cmp.Or(o.Response, 30*time.Second)
	o.Idle = cmp.Or(o.Idle, time.Minute)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	switch {
	case o.Network != "tcp" && o.Network != "unix":
		return nil, fmt.Errorf("fastcgi: network %q: want tcp or unix", o.Network)
	case o.Address == "":
		return nil, errors.New("fastcgi: there is no address")
	case !filepath.IsAbs(o.Root) && !strings.HasPrefix(o.Root, "/"):
		return nil, fmt.Errorf("fastcgi: root %q: want the absolute path of the folder with the scripts", o.Root)
	case strings.ContainsAny(o.Index, "/\x00") || !strings.HasSuffix(o.Index, o.Extension):
		return nil, fmt.Errorf("fastcgi: index %q: want the name of a script that ends with %q", o.Index, o.Extension)
	case !strings.HasPrefix(o.Extension, ".") || strings.ContainsAny(o.Extension, "/\x00"):
		return nil, fmt.Errorf("fastcgi: extension %q: want one as \".php\"", o.Extension)
	case o.Front != "" && (!strings.HasPrefix(o.Front, "/") || !strings.HasSuffix(o.Front, o.Extension)):
		return nil, fmt.Errorf("fastcgi: front %q: want the path of a script, as in \"/index.php\"", o.Front)
	}
	o.Root = strings.TrimRight(filepath.ToSlash(o.Root), "/")
	return &Transport{o: o, dialer: net.Dialer{Timeout: max(o.Connect, 0)}}, nil
}

// RoundTrip implements [http.RoundTripper]. The connection ends with the body of the answer, or the
// context of the request. A path that names no script, or one that may not be run, is answered 404
// without asking the application.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	script, ok := t.script(r.URL.Path)
	if !ok || !t.runs(script.name) {
		return notFound(r), closeBody(r)
	}
	body, err := measured(r)
	if err != nil {
		return nil, err
	}
	conn, err := t.dialer.DialContext(r.Context(), t.o.Network, t.o.Address)
	if err != nil {
		body.Close()
		return nil, &Error{Phase: "dial", Err: err}
	}
	c := &call{t: t, conn: conn, request: r, in: body}
	c.stop = context.AfterFunc(r.Context(), func() { _ = conn.Close() })
	go c.send(t.params(r, script, body.size))
	res, err := c.head()
	if err != nil {
		return nil, c.failed(err)
	}
	return res, nil
}

// Close does nothing: no connection outlives its request.
func (t *Transport) Close() error { return nil }

func closeBody(r *http.Request) error {
	if r.Body == nil {
		return nil
	}
	_ = r.Body.Close() // it was not wanted
	return nil
}

func notFound(r *http.Request) *http.Response {
	return &http.Response{StatusCode: http.StatusNotFound, Status: "404 Not Found", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, Request: r,
		Body: io.NopCloser(strings.NewReader("404 Not Found\n")), ContentLength: int64(len("404 Not Found\n"))}
}
