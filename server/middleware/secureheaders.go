package middleware

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"rws/server/exchange"
	"rws/server/suggest"
)

// SecureHeadersOptions say what browsers are told. Of the texts "" is a good default and "off" sends
// nothing.
type SecureHeadersOptions struct {
	// CSP is what a page may load; nil sends none. With ReportOnly browsers only report.
	CSP        CSP
	ReportOnly bool
	// HSTS is how long browsers must use TLS for this host; 0 sends nothing. Sent over TLS only.
	HSTS       time.Duration
	Subdomains bool // HSTS for all names below too
	Preload    bool // may be built into browsers: needs Subdomains and a year
	// Frame says who may show pages in a frame: "deny", the default, "sameorigin" or "off". It sets
	// X-Frame-Options; frame-ancestors of CSP is the newer form.
	Frame string
	// Referrer is the Referrer-Policy; default "strict-origin-when-cross-origin".
	Referrer string
	// Permissions is the Permissions-Policy, as "camera=(), geolocation=(self)"; default none.
	Permissions string
	// Opener is the Cross-Origin-Opener-Policy; default "same-origin".
	Opener string
	// Resource is the Cross-Origin-Resource-Policy; default "same-origin". Files that pages of
	// others may use want "cross-origin".
	Resource string
	// Embedder is the Cross-Origin-Embedder-Policy; default none.
	Embedder string
	// Sniff leaves out X-Content-Type-Options: nosniff.
	Sniff bool
}

// policies are the values that are known.
var policies = map[string][]string{
	"frame": {"deny", "sameorigin", "off"},
	"referrer": {"no-referrer", "no-referrer-when-downgrade", "origin", "origin-when-cross-origin", "same-origin", "strict-origin",
		"strict-origin-when-cross-origin", "unsafe-url", "off"},
	"opener":   {"same-origin", "same-origin-allow-popups", "noopener-allow-popups", "unsafe-none", "off"},
	"resource": {"same-origin", "same-site", "cross-origin", "off"},
	"embedder": {"require-corp", "credentialless", "unsafe-none", "off"},
}

// SecureHeaders tells browsers to be careful. A handler may set other values for its answer.
func SecureHeaders(o SecureHeadersOptions) (Func, error) {
	s, err := newSecureHeaders(o)
	if err != nil {
		return nil, fmt.Errorf("secure headers: %w", err)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			for _, f := range s.fixed {
				h[f.name] = f.value[:1:1]
			}
			if s.hsts != nil && secure(r) {
				h["Strict-Transport-Security"] = s.hsts[:1:1]
			}
			if s.nonced != nil {
				nonce := newNonce()
				h[s.cspName] = []string{strings.Join(s.nonced, "'nonce-"+nonce+"'")}
				r = r.WithContext(context.WithValue(r.Context(), nonceKey{}, nonce))
			}
			next.ServeHTTP(w, r)
		})
	}, nil
}

type secureHeaders struct {
	fixed   []field
	hsts    []string
	cspName string
	nonced  []string // the policy, cut where the nonce goes; nil when it has none
}

// field is a header with one value.
type field struct {
	name  string
	value []string
}

func newSecureHeaders(o SecureHeadersOptions) (*secureHeaders, error) {
	s := &secureHeaders{}
	for _, p := range []struct{ option, name, value, preset string }{
		{"frame", "X-Frame-Options", o.Frame, "deny"},
		{"referrer", "Referrer-Policy", o.Referrer, "strict-origin-when-cross-origin"},
		{"opener", "Cross-Origin-Opener-Policy", o.Opener, "same-origin"},
		{"resource", "Cross-Origin-Resource-Policy", o.Resource, "same-origin"},
		{"embedder", "Cross-Origin-Embedder-Policy", o.Embedder, "off"},
	} {
		if p.value == "" {
			p.value = p.preset
		}
		if known := policies[p.option]; !slices.Contains(known, p.value) {
			return nil, fmt.Errorf("%s %q%s: want one of %s", p.option, p.value, suggest.DidYouMean(p.value, known), strings.Join(known, ", "))
		}
		if p.value != "off" {
			s.add(p.name, p.value)
		}
	}
	if !o.Sniff {
		s.add("X-Content-Type-Options", "nosniff")
	}
	return s, errors.Join(s.addPermissions(o.Permissions), s.addHSTS(o), s.addCSP(o))
}

func (s *secureHeaders) add(name, value string) {
	s.fixed = append(s.fixed, field{name, []string{value}})
}

func (s *secureHeaders) addPermissions(text string) error {
	switch {
	case text == "" || text == "off":
		return nil
	case !strings.Contains(text, "=") || strings.Contains(text, ";") || !httpguts.ValidHeaderFieldValue(text):
		return fmt.Errorf(`permissions %q: want features with who may use them, as "camera=(), geolocation=(self)"`, text)
	}
	s.add("Permissions-Policy", text)
	return nil
}

const year = 365 * 24 * time.Hour

func (s *secureHeaders) addHSTS(o SecureHeadersOptions) error {
	switch {
	case o.HSTS < 0:
		return fmt.Errorf("hsts %s: must not be negative", o.HSTS)
	case o.HSTS == 0 && (o.Subdomains || o.Preload):
		return errors.New("hsts: subdomains and preload do nothing without a time")
	case o.Preload && (!o.Subdomains || o.HSTS < year):
		return errors.New("hsts: the list of browsers takes only a year or more, with subdomains")
	case o.HSTS == 0:
		return nil
	}
	value := "max-age=" + strconv.FormatInt(int64(o.HSTS/time.Second), 10)
	if o.Subdomains {
		value += "; includeSubDomains"
	}
	if o.Preload {
		value += "; preload"
	}
	s.hsts = []string{value}
	return nil
}

func (s *secureHeaders) addCSP(o SecureHeadersOptions) error {
	s.cspName = "Content-Security-Policy"
	if o.ReportOnly {
		s.cspName += "-Report-Only"
	}
	switch {
	case o.CSP == nil && o.ReportOnly:
		return errors.New("report only: there is no csp")
	case o.CSP == nil:
		return nil
	}
	if err := o.CSP.check(); err != nil {
		return err
	}
	parts := strings.Split(o.CSP.String(), nonceSource)
	if len(parts) == 1 {
		s.add(s.cspName, parts[0])
		return nil
	}
	s.nonced = parts
	return nil
}

type nonceKey struct{}

func newNonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.StdEncoding.EncodeToString(b[:])
}

// Nonce is what a template writes into <script nonce="…"> of the page that answers the request of
// ctx; "" when its policy has no 'nonce'.
//
// The answer is then for one client, and no cache keeps it: see [exchange.Exchange.Private].
func Nonce(ctx context.Context) string {
	nonce, _ := ctx.Value(nonceKey{}).(string)
	if e := exchange.From(ctx); e != nil && nonce != "" {
		e.Private = true
	}
	return nonce
}
