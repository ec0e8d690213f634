package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"rws/server/suggest"
)

// Defaults of what a URL may set.
const (
	DefaultDialTimeout = 5 * time.Second
	DefaultTimeout     = 3 * time.Second // of reading and of writing, each
	DefaultPort        = "6379"
	sentinelPort       = "26379"
)

// target is a parsed URL.
type target struct {
	goredis.UniversalOptions
	shown string // the URL without its secrets
}

// schemes that a URL may have.
var schemes = []string{"redis", "rediss", "unix", "redis+cluster", "rediss+cluster", "redis+sentinel", "rediss+sentinel"}

// escapes says how to write what has a meaning in a URL.
const escapes = `in user, password and options, write "@", "/", ":", "?", "#" and "%" as %40, %2F, %3A, %3F, %23 and %25`

// parseURL reads the forms that [Open] documents. Its errors show no password.
func parseURL(raw string) (*target, error) {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(raw), "://")
	if !ok {
		return nil, errors.New(`redis: the URL has no scheme; it looks like "redis://user:password@127.0.0.1:6379/0"`)
	}
	if !slices.Contains(schemes, scheme) {
		return nil, fmt.Errorf("redis: the scheme %q is none of %s%s", scheme, strings.Join(schemes, ", "), suggest.DidYouMean(scheme, schemes))
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	// A password with one of these in it, as it is, would be taken for host, path or option, and shown.
	if strings.ContainsAny(rest[end:], "@#") {
		return nil, fmt.Errorf("redis: the URL cannot be read, as there is \"@\" or \"#\" behind its hosts; %s", escapes)
	}
	at := strings.LastIndexByte(rest[:end], '@')
	hosts := rest[at+1 : end]
	// net/url knows only one host: it gets the rest.
	u, err := url.Parse(scheme + "://" + rest[:at+1] + "hosts" + rest[end:])
	if err != nil {
		return nil, fmt.Errorf("redis: the URL of %s is malformed; %s", hosts, escapes)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("redis: the options of the URL of %s cannot be read; write ?name=value&name=value, and \"%%\" as %%25", hosts)
	}
	t := &target{UniversalOptions: defaults(), shown: scheme + "://" + hosts + u.Path}
	t.Username = u.User.Username()
	t.Password, _ = u.User.Password()
	err = t.place(scheme, hosts, u)
	if err == nil {
		err = t.options(query)
	}
	if err == nil && t.MasterName == "" && strings.HasSuffix(scheme, "+sentinel") {
		err = errors.New("the name of the master is missing, as in redis+sentinel://a:26379,b:26379/mymaster")
	}
	if err != nil {
		return nil, fmt.Errorf("redis: %s: %w", t.shown, err)
	}
	return t, nil
}

func defaults() goredis.UniversalOptions {
	return goredis.UniversalOptions{
		Protocol:    3,
		DialTimeout: DefaultDialTimeout, ReadTimeout: DefaultTimeout, WriteTimeout: DefaultTimeout,
		// A command whose answer is lost may have been carried out: sending it again would
		// count twice. Connections that the server closed are noticed before they are used.
		MaxRetries:               -1,
		DialerRetries:            1,
		ContextTimeoutEnabled:    true,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// place sets the addresses and what the path says.
func (t *target) place(scheme, hosts string, u *url.URL) error {
	if strings.HasPrefix(scheme, "rediss") {
		t.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	path := strings.Trim(u.Path, "/")
	switch {
	case scheme == "unix":
		if hosts != "" || path == "" {
			return errors.New("a socket has the form unix:///path/to/redis.sock")
		}
		t.Addrs = []string{u.Path}
		return nil
	case strings.HasSuffix(scheme, "+cluster"):
		t.IsClusterMode = true
		if path != "" && path != "0" {
			return fmt.Errorf("a cluster has only the database 0, not %q", path)
		}
		return t.addresses(hosts, DefaultPort)
	case strings.HasSuffix(scheme, "+sentinel"):
		t.MasterName, path, _ = strings.Cut(path, "/")
		return errors.Join(t.addresses(hosts, sentinelPort), t.database(path))
	}
	if strings.Contains(hosts, ",") {
		return fmt.Errorf("several hosts need the scheme %s+cluster or %s+sentinel", scheme, scheme)
	}
	return errors.Join(t.addresses(hosts, DefaultPort), t.database(path))
}

func (t *target) addresses(hosts, port string) error {
	for host := range strings.SplitSeq(hosts, ",") {
		addr, err := address(host, port)
		if err != nil {
			return err
		}
		t.Addrs = append(t.Addrs, addr)
	}
	return nil
}

// address completes "host", "host:port", "[::1]" and "[::1]:port".
func address(host, port string) (string, error) {
	if host == "" {
		host = "localhost"
	}
	if h, p, err := net.SplitHostPort(host); err == nil {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return "", fmt.Errorf("the port %q is no number from 1 to 65535", p)
		}
		return net.JoinHostPort(h, p), nil
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.Contains(bare, ":") && bare == host {
		return "", fmt.Errorf("write the IPv6 address in brackets: [%s]", host)
	}
	return net.JoinHostPort(bare, port), nil
}

func (t *target) database(text string) error {
	if text == "" {
		return nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return fmt.Errorf("the database %q is no number", text)
	}
	t.DB = int(n)
	return nil
}

// options of the query, each a function that takes the text.
func (t *target) options(q url.Values) error {
	var ca, cert, key string
	set := map[string]func(string) error{
		"db":                t.database,
		"master":            t.master(strings.Contains(t.shown, "+sentinel://")),
		"client_name":       text(&t.ClientName),
		"sentinel_user":     text(&t.SentinelUsername),
		"sentinel_password": text(&t.SentinelPassword),
		"protocol":          number(&t.Protocol, 2, 3),
		"pool_size":         number(&t.PoolSize, 1, 10000),
		"min_idle":          number(&t.MinIdleConns, 0, 10000),
		"max_retries":       t.retries,
		"dial_timeout":      duration(&t.DialTimeout),
		"read_timeout":      duration(&t.ReadTimeout),
		"write_timeout":     duration(&t.WriteTimeout),
		"pool_timeout":      duration(&t.PoolTimeout),
		"idle_timeout":      duration(&t.ConnMaxIdleTime),
		"max_lifetime":      duration(&t.ConnMaxLifetime),
		"ca":                text(&ca),
		"cert":              text(&cert),
		"key":               text(&key),
	}
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	for name, values := range q {
		f := set[name]
		if f == nil {
			return fmt.Errorf("the option %q is none of %s%s", name, strings.Join(names, ", "), suggest.DidYouMean(name, names))
		}
		if len(values) > 1 {
			return fmt.Errorf("the option %q is given %d times", name, len(values))
		}
		if err := f(values[0]); err != nil {
			return fmt.Errorf("the option %q: %w", name, err)
		}
	}
	if t.DB != 0 && t.IsClusterMode {
		return errors.New("a cluster has only the database 0")
	}
	return t.files(ca, cert, key)
}

// master refuses the option elsewhere: go-redis would look for sentinels.
func (t *target) master(sentinel bool) func(string) error {
	return func(s string) error {
		if !sentinel {
			return errors.New("it is for the schemes redis+sentinel and rediss+sentinel")
		}
		t.MasterName = s
		return nil
	}
}

func (t *target) retries(s string) error {
	var n int
	if err := number(&n, 0, 100)(s); err != nil {
		return err
	}
	if t.MaxRetries = n; n == 0 {
		t.MaxRetries = -1
	}
	return nil
}

// files loads certificates for TLS.
func (t *target) files(ca, cert, key string) error {
	switch {
	case ca+cert+key == "":
		return nil
	case t.TLSConfig == nil:
		return errors.New(`the options "ca", "cert" and "key" are for the schemes rediss, rediss+cluster and rediss+sentinel`)
	}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return err
		}
		t.TLSConfig.RootCAs = x509.NewCertPool()
		if !t.TLSConfig.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("the file %s has no certificates in PEM", ca)
		}
	}
	if cert+key == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return err
	}
	t.TLSConfig.Certificates = []tls.Certificate{pair}
	return nil
}

func text(to *string) func(string) error {
	return func(s string) error { *to = s; return nil }
}

func number(to *int, low, high int) func(string) error {
	return func(s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < low || n > high {
			return fmt.Errorf("%q is no number from %d to %d", s, low, high)
		}
		*to = n
		return nil
	}
}

// duration reads "500ms" or a number of seconds.
func duration(to *time.Duration) func(string) error {
	return func(s string) error {
		d, err := time.ParseDuration(s)
		if n, e := strconv.ParseUint(s, 10, 31); e == nil {
			d, err = time.Duration(n)*time.Second, nil
		}
		if err != nil || d <= 0 {
			return fmt.Errorf(`%q is no time such as "500ms" or "5s"`, s)
		}
		*to = d
		return nil
	}
}
