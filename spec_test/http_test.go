package spec_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"rws/spec_test/logtext"
)

// A call is a request of a script.
type call struct {
	method, url string
	header      http.Header
	host        string
	body        []byte
	two         bool   // HTTP/2
	as          string // the name of the server, in place of that in the URL
	cert        string // NAME.pem and NAME.key, shown to the server

	end  func() // asks a flood to end
	quit context.CancelFunc
	ctx  context.Context // of the request
	got  logtext.Buffer  // of the body, so far; of a flood, the counts
	done chan struct{}   // closed when it has ended
	res  *answer
	err  error
}

const callUsage = "METHOD PATH [-H 'Name: value'] [-d TEXT|@FILE] [-json TEXT] [-form NAME=VALUE] [-file NAME=FILE] [-as HOST] [-cert NAME] [-2]"

// newCall reads the words of a request.
func (s *spec) newCall(args []string) (*call, error) {
	if len(args) < 2 {
		return nil, usageError(callUsage)
	}
	c := &call{method: args[0], url: args[1], header: make(http.Header), done: make(chan struct{})}
	c.ctx, c.quit = context.WithCancel(context.Background())
	form, files := make(url.Values), make(url.Values)
	for i := 2; i < len(args); i++ {
		if args[i] == "-2" {
			c.two = true
			continue
		}
		if i+1 == len(args) {
			return nil, usageError(args[i] + " needs a word behind it: " + callUsage)
		}
		if err := s.option(c, form, files, args[i], args[i+1]); err != nil {
			return nil, err
		}
		i++
	}
	switch {
	case len(files) > 0:
		return c, s.multipart(c, form, files)
	case len(form) > 0:
		c.setBody("application/x-www-form-urlencoded", []byte(form.Encode()))
	}
	return c, nil
}

func (s *spec) option(c *call, form, files url.Values, name, value string) error {
	key, text, _ := strings.Cut(value, "=")
	switch name {
	case "-H":
		key, text, _ := strings.Cut(value, ":")
		if strings.EqualFold(key, "Host") {
			c.host = strings.TrimSpace(text)
		}
		c.header.Add(key, strings.TrimSpace(text))
	case "-d":
		c.body = []byte(value)
		if file, ok := strings.CutPrefix(value, "@"); ok {
			c.body = []byte(s.ts.ReadFile(file))
		}
	case "-json":
		c.setBody("application/json", []byte(value))
	case "-as":
		c.as = value
	case "-cert":
		c.cert = value
	case "-form":
		form.Add(key, text)
	case "-file":
		files.Add(key, text)
	default:
		return usageError(name + " is no option: " + callUsage)
	}
	return nil
}

// setBody keeps a type that the script has set.
func (c *call) setBody(mediaType string, body []byte) {
	if c.header.Get("Content-Type") == "" {
		c.header.Set("Content-Type", mediaType)
	}
	c.body = body
}

func (s *spec) multipart(c *call, form, files url.Values) error {
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(form)) {
		for _, v := range form[name] {
			if err := m.WriteField(name, v); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for _, file := range files[name] {
			w, err := m.CreateFormFile(name, filepath.Base(file))
			if err != nil {
				return err
			}
			if _, err := io.WriteString(w, s.ts.ReadFile(file)); err != nil {
				return err
			}
		}
	}
	if err := m.Close(); err != nil {
		return err
	}
	c.setBody(m.FormDataContentType(), b.Bytes())
	return nil
}

// client returns an http.Client for a call, and the URL to ask it for.
func (s *spec) client(c *call, conns int) (*http.Client, string) {
	base := s.ts.Getenv("URL")
	t := &http.Transport{DisableCompression: true, MaxConnsPerHost: conns, MaxIdleConnsPerHost: conns, TLSClientConfig: s.trust()}
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(!c.two)
	t.Protocols.SetHTTP2(c.two)
	t.Protocols.SetUnencryptedHTTP2(c.two)
	if socket, ok := strings.CutPrefix(base, "unix:"); ok {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", s.ts.MkAbs(socket))
		}
		base = "http://localhost"
	}
	if strings.HasPrefix(c.url, "http") {
		base = ""
	}
	if c.cert != "" {
		t.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(s.ts.MkAbs(c.cert+".pem"), s.ts.MkAbs(c.cert+".key"))
			return &pair, err
		}
	}
	if u, err := url.Parse(base); c.as != "" && err == nil {
		real := u.Host
		t.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, real)
		}
		u.Host = net.JoinHostPort(c.as, u.Port())
		base = u.String()
	}
	follow := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: t, CheckRedirect: follow, Timeout: patience}, base + c.url
}

// trust is for connections to servers with such certificates.
func (s *spec) trust() *tls.Config { return &tls.Config{RootCAs: s.roots()} }

// roots are the certificates that cert has made.
func (s *spec) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	files, _ := filepath.Glob(s.ts.MkAbs("*.pem"))
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil {
			pool.AppendCertsFromPEM(text)
		}
	}
	return pool
}

func (c *call) request(target string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(c.ctx, c.method, target, bytes.NewReader(c.body))
	if err != nil {
		return nil, usageError(err.Error())
	}
	r.Header = c.header.Clone()
	r.Header.Del("Host")
	if c.host != "" {
		r.Host = c.host
	}
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", "spec")
	}
	return r, nil
}

// do runs the call and keeps what comes.
func (c *call) do(client *http.Client, target string) {
	defer close(c.done)
	defer client.CloseIdleConnections()
	r, err := c.request(target)
	if err != nil {
		c.err = err
		return
	}
	res, err := client.Do(r)
	if err != nil {
		c.err = err
		return
	}
	defer res.Body.Close()
	_, err = io.Copy(&c.got, res.Body)
	c.res = &answer{status: res.StatusCode, proto: res.Proto, header: res.Header, body: c.got.String(), count: 1}
	if err != nil {
		c.err = fmt.Errorf("%s %s: the answer %d broke off: %w", c.method, c.url, res.StatusCode, err)
	}
}

func httpCommand(s *spec, args []string) error {
	c, err := s.newCall(args)
	if err != nil {
		return err
	}
	client, target := s.client(c, 1)
	c.do(client, target)
	return s.keep(c)
}

// keep makes the call's answer the one that matchers look at.
func (s *spec) keep(c *call) error {
	if c.res != nil {
		s.last = c.res
		fmt.Fprint(s.ts.Stdout(), c.res)
	}
	return c.err
}

func begin(s *spec, args []string) error {
	if len(args) < 1 {
		return usageError("begin NAME " + callUsage)
	}
	c, err := s.newCall(args[1:])
	if err != nil {
		return err
	}
	s.begun[args[0]] = c
	client, target := s.client(c, 1)
	go c.do(client, target)
	return nil
}

func (s *spec) started(args []string, usage string) (*call, error) {
	if len(args) == 0 || s.begun[args[0]] == nil {
		return nil, usageError(usage + "; NAME as given to begin")
	}
	return s.begun[args[0]], nil
}

func received(s *spec, args []string) error {
	const usage = "received NAME TEXT [TIMES]"
	c, err := s.started(args, usage)
	if err != nil {
		return err
	}
	times := 1
	if len(args) == 3 {
		times, err = strconv.Atoi(args[2])
	}
	if err != nil || len(args) < 2 || len(args) > 3 {
		return usageError(usage)
	}
	if got := c.got.String(); strings.Count(got, args[1]) < times {
		return fmt.Errorf("%q has not come; so far there is %q", args[1], got)
	}
	return nil
}

func finish(s *spec, args []string) error {
	c, err := s.started(args, "finish NAME")
	if err != nil {
		return err
	}
	if c.end != nil {
		c.end()
	}
	<-c.done // the client has a time limit
	if c.res == nil && c.err == nil {
		fmt.Fprint(s.ts.Stdout(), c.got.String())
	}
	return s.keep(c)
}

// abandon leaves a request, as a browser that is closed does.
func abandon(s *spec, args []string) error {
	c, err := s.started(args, "abandon NAME")
	if err != nil {
		return err
	}
	c.quit()
	<-c.done
	return nil
}

// load sends many requests and counts the answers by status.
func load(s *spec, args []string) error {
	var n, clients int64
	if len(args) < 4 {
		return usageError("load N CLIENTS " + callUsage)
	}
	if _, err := fmt.Sscan(args[0]+" "+args[1], &n, &clients); err != nil {
		return usageError(err.Error())
	}
	c, err := s.newCall(args[2:])
	if err != nil {
		return err
	}
	var sent atomic.Int64
	client, target := s.client(c, int(clients))
	fmt.Fprint(s.ts.Stdout(), c.work(client, target, int(clients), func() bool { return sent.Add(1) <= n }))
	return nil
}

// flood sends requests until it is finished.
func flood(s *spec, args []string) error {
	if len(args) < 4 {
		return usageError("flood NAME CLIENTS " + callUsage)
	}
	clients, err := strconv.Atoi(args[1])
	if err != nil {
		return usageError(err.Error())
	}
	c, err := s.newCall(args[2:])
	if err != nil {
		return err
	}
	var over atomic.Bool
	c.end = func() { over.Store(true) }
	s.begun[args[0]] = c
	client, target := s.client(c, clients)
	go func() {
		defer close(c.done)
		_, _ = io.WriteString(&c.got, c.work(client, target, clients, func() bool { return !over.Load() }))
	}()
	return nil
}

// work sends the call again and again, for as long as more says so, and returns how many
// answers of which status came.
func (c *call) work(client *http.Client, target string, clients int, more func() bool) string {
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	counts := make(map[string]int)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for more() {
				result := c.once(client, target)
				mu.Lock()
				counts[result]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	var b strings.Builder
	for _, result := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "%s %d\n", result, counts[result])
	}
	return b.String()
}

// once returns the status, or the error.
func (c *call) once(client *http.Client, target string) string {
	r, err := c.request(target)
	if err != nil {
		return err.Error()
	}
	res, err := client.Do(r)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err.Error()
	}
	return fmt.Sprint(res.StatusCode)
}
