// Package discover finds the backends of an upstream: the addresses of a name in DNS, the
// records of a service in DNS, the lines of a file, or what a function returns.
//
// A [Source] is asked once; [Follow] asks it again and again, and reports each change. A source
// that fails, or that finds nothing, changes nothing: yesterday's backends are a better guess
// than none.
package discover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"rws/server/suggest"
)

// MaxTargets is how many targets a source may name. More are an error.
const MaxTargets = 1024

// A Target is where one backend answers.
type Target struct {
	// URL is "scheme://host:port" or "unix:/path".
	URL string `json:"url"`
	// Weight is the share of the requests among the others; 0 means 1.
	Weight int `json:"weight,omitzero"`
	// Backup says that it gets requests only while every other one is unable.
	Backup bool `json:"backup,omitzero"`
	// Host is the name that the address in URL was looked up from, as "host" or "host:port":
	// what the Host header and the certificate go by. Empty means the host of URL.
	Host string `json:"host,omitzero"`
}

// A Source finds targets. String names it in logs and pages.
type Source interface {
	Targets(ctx context.Context) ([]Target, error)
	String() string
}

// IsSource says whether a URL of a target names a source: "srv+…", "dns+…" or "file:…".
func IsSource(rawURL string) bool {
	kind, _, ok := strings.Cut(rawURL, ":")
	kind, _, plus := strings.Cut(kind, "+")
	return ok && (plus && (kind == "srv" || kind == "dns") || kind == "file")
}

// kinds are the sources that a URL can name.
func kinds() []string { return []string{"srv", "dns", "file"} }

// Parse makes the source that a URL names, nil resolver for the one of the system:
//
//	srv+http://api.internal         the SRV records of that name, and the addresses of their hosts
//	srv+https://_https._tcp.api.lan the same
//	dns+http://api.internal:8080    the A and AAAA records of that name
//	file:/etc/backends              lines or JSON; see [File]
func Parse(rawURL string, resolver *net.Resolver) (Source, error) {
	if path, ok := strings.CutPrefix(rawURL, "file:"); ok {
		return parseFile(path)
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("source %q is no URL: %w", rawURL, errors.Unwrap(err))
	}
	kind, scheme, _ := strings.Cut(u.Scheme, "+")
	switch {
	case !slices.Contains(kinds()[:2], kind) || scheme == "":
		return nil, fmt.Errorf("source %q is unknown%s: use srv+http://name, dns+http://name:port or file:/path", rawURL, suggest.DidYouMean(kind, kinds()))
	case u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/":
		return nil, fmt.Errorf("source %q: write only the scheme, the name and a port, as in %s+http://api.internal", rawURL, kind)
	case kind == "srv" && u.Port() != "":
		return nil, fmt.Errorf("source %q: the ports stand in the SRV records: leave :%s out, or use dns+%s", rawURL, u.Port(), scheme)
	}
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	l := lookup{resolver: resolver, raw: rawURL, scheme: scheme, name: strings.ToLower(u.Hostname()), port: u.Port()}
	if kind == "srv" {
		return srv{l}, nil
	}
	return dns{l}, nil
}

func parseFile(path string) (Source, error) {
	path = strings.TrimPrefix(path, "//")
	if path == "" || strings.ContainsRune(path, 0) {
		return nil, errors.New("source file: write the path of a file, as in file:/etc/backends")
	}
	return File(path), nil
}

// Func makes a source of a function.
func Func(name string, f func(ctx context.Context) ([]Target, error)) Source {
	return function{name, f}
}

type function struct {
	name string
	f    func(ctx context.Context) ([]Target, error)
}

func (f function) Targets(ctx context.Context) ([]Target, error) { return f.f(ctx) }
func (f function) String() string                                { return f.name }

// errNone is why an empty list is not taken: it is more often an accident than a wish.
var errNone = errors.New("it names no backend")

// ask asks a source and checks the answer.
func ask(ctx context.Context, s Source) ([]Target, error) {
	targets, err := s.Targets(ctx)
	switch {
	case err != nil:
		return nil, err
	case len(targets) == 0:
		return nil, errNone
	case len(targets) > MaxTargets:
		return nil, fmt.Errorf("it names %d backends, more than %d", len(targets), MaxTargets)
	}
	return targets, nil
}
