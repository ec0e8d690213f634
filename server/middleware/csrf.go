package middleware

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// CSRFOptions of [CSRF].
type CSRFOptions struct {
	// TrustedOrigins may send requests beside our own, as "https://app.example.com".
	TrustedOrigins []string
	// Key signs tokens: 32 bytes or more, of package secret; it must stay the same, or forms that are
	// open become invalid. Needed.
	Key []byte
	// Session names the session of a request, "" for none. Tokens are good for that session only;
	// without one they belong to a cookie of their own. Where it fails nothing is believed.
	Session func(*http.Request) (string, error)
	// Always asks even browsers that tell where a request comes from for a token.
	Always bool
	// Cookie, Header and Field are names; default "csrf" (with "__Host-" in front over TLS),
	// "X-Csrf-Token" and "_csrf".
	Cookie, Header, Field string
}

// CSRF refuses requests that a page of another origin makes in the name of its visitor, with 403.
//
// GET, HEAD and OPTIONS pass: they must change nothing. Others pass when the browser says by
// Sec-Fetch-Site, or failing that by Origin, that they come from a page of ours or of a trusted
// origin ([http.CrossOriginProtection]). When it says nothing, being an old browser or a program, a
// request that brings cookies or the Authorization of a browser (Basic, Digest, NTLM, Negotiate) must
// also bring the token of [CSRFToken], as a header, or as a field of an urlencoded form of up to
// 1 MiB; one without them has nothing to abuse. A header that is empty says nothing, and one that
// says two things is refused.
func CSRF(o CSRFOptions) (Func, error) {
	g := &csrf{CSRFOptions: o}
	if len(o.Key) < 32 {
		return nil, fmt.Errorf("csrf: the key has %d bytes: want 32 random ones or more", len(o.Key))
	}
	g.Key = bytes.Clone(o.Key)
	for _, name := range []struct {
		is     *string
		preset string
	}{{&g.Cookie, "csrf"}, {&g.Header, "X-Csrf-Token"}, {&g.Field, "_csrf"}} {
		if *name.is == "" {
			*name.is = name.preset
		}
	}
	if (&http.Cookie{Name: g.Cookie, Value: "x"}).Valid() != nil || strings.HasPrefix(g.Cookie, "__") {
		return nil, fmt.Errorf("csrf: %q is no name for a cookie", g.Cookie)
	}
	for _, origin := range o.TrustedOrigins {
		if err := g.browsers.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("csrf: trusted origin: %w", err)
		}
	}
	return g.wrap, nil
}

type csrf struct {
	CSRFOptions
	browsers http.CrossOriginProtection
}

type csrfKey struct{}

// csrfRequest is what CSRFToken needs.
type csrfRequest struct {
	*csrf
	mu sync.Mutex
	r  *http.Request
}

func (g *csrf) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := g.check(r); err != nil {
			g.refuse(w, r, err)
			return
		}
		ctx := context.WithValue(r.Context(), csrfKey{}, &csrfRequest{csrf: g, r: r})
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (g *csrf) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		refuse(w, r, http.StatusRequestEntityTooLarge, "The form is too large.", nil)
		return
	}
	if errors.Is(err, errSession) {
		e, _ := exchanged(r)
		e.Fault = err
		refuse(w, r, http.StatusServiceUnavailable, "The form cannot be checked at the moment.", http.Header{"Retry-After": {"1"}})
		return
	}
	refuse(w, r, http.StatusForbidden, "The request comes from a page of another site, or from a form that is too old: load the page again.", nil)
}

// errSession means that the session could not be asked for.
var errSession = errors.New("csrf: the session of the request is not known")

// errTwoOrigins means that who reads the request may take either.
var errTwoOrigins = errors.New("csrf: the request says twice where it comes from, and not the same")

var errNoToken = errors.New("csrf: the token is missing or wrong")

func (g *csrf) check(r *http.Request) error {
	if err := g.browsers.Check(r); err != nil {
		return err
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	if differ(r.Header["Sec-Fetch-Site"]) || differ(r.Header["Origin"]) {
		return errTwoOrigins
	}
	silent := r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == ""
	if !g.Always && (!silent || !ambient(r.Header)) {
		return nil
	}
	token, err := g.sent(r)
	if err != nil {
		return err
	}
	binding, err := g.binding(r)
	if err != nil {
		return err
	}
	if binding == "" || !g.valid(token, binding) {
		return errNoToken
	}
	return nil
}

// differ reports whether a header that has one value has several.
func differ(values []string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return v != values[0] })
}

// ambient reports whether a request brings what a browser sends by itself, whatever page makes the
// request: cookies, or what somebody has typed into its own dialog for a name and a password. A page
// cannot make it send a Bearer.
func ambient(h http.Header) bool {
	if len(h["Cookie"]) > 0 {
		return true
	}
	return slices.ContainsFunc(h["Authorization"], func(v string) bool {
		scheme, _, _ := strings.Cut(strings.TrimSpace(v), " ")
		return slices.ContainsFunc([]string{"Basic", "Digest", "NTLM", "Negotiate"}, func(s string) bool { return strings.EqualFold(s, scheme) })
	})
}

// binding is what the tokens of a request belong to, "" for nothing yet.
func (g *csrf) binding(r *http.Request) (string, error) {
	if g.Session != nil {
		id, err := g.Session(r)
		switch {
		case err != nil:
			return "", fmt.Errorf("%w: %w", errSession, err)
		case id != "":
			return "session " + id, nil
		}
	}
	cookies := r.CookiesNamed(g.cookieName(r))
	if len(cookies) != 1 || len(cookies[0].Value) != cookieLength { // a second one was planted by a sibling domain
		return "", nil
	}
	return "cookie " + cookies[0].Value, nil
}

func (g *csrf) cookieName(r *http.Request) string {
	if secure(r) {
		return "__Host-" + g.Cookie
	}
	return g.Cookie
}

// maxForm is the largest form that is searched for a token.
const maxForm = 1 << 20

// sent is the token that came with the request. The body stays readable.
func (g *csrf) sent(r *http.Request) (string, error) {
	if values := r.Header.Values(g.Header); len(values) > 0 {
		if len(values) > 1 {
			return "", errNoToken
		}
		return values[0], nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" || r.Body == nil {
		return "", errNoToken
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	if err != nil {
		return "", err
	}
	if len(body) > maxForm {
		return "", &http.MaxBytesError{Limit: maxForm}
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(body), r.Body}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form[g.Field]) != 1 {
		return "", errNoToken
	}
	return form[g.Field][0], nil
}

// A token is a random mask and the seal of its binding under that mask, so that no two are alike and
// compression tells nothing (BREACH).
const (
	sealLength   = 16
	cookieLength = 22 // 16 bytes in base64
	tokenLength  = 43 // 32 bytes
)

var spelling = base64.RawURLEncoding.Strict()

func (g *csrf) seal(binding string) []byte {
	mac := hmac.New(sha256.New, g.Key)
	mac.Write([]byte("csrf token " + binding))
	return mac.Sum(nil)[:sealLength]
}

func (g *csrf) token(binding string) string {
	var b [2 * sealLength]byte
	_, _ = rand.Read(b[:sealLength]) // never fails
	subtle.XORBytes(b[sealLength:], b[:sealLength], g.seal(binding))
	return spelling.EncodeToString(b[:])
}

func (g *csrf) valid(token, binding string) bool {
	if len(token) != tokenLength {
		return false
	}
	b, err := spelling.DecodeString(token)
	if err != nil {
		return false
	}
	subtle.XORBytes(b[sealLength:], b[:sealLength], b[sealLength:])
	return subtle.ConstantTimeCompare(b[sealLength:], g.seal(binding)) == 1
}

// CSRFToken is a token for a form on the page that answers the request of ctx, or for scripts of that
// page to send as a header; "" when no [CSRF] stands before the handler. Without a session it adds a
// cookie to h, the header of the answer, so it must be asked before the answer begins. The error is
// that of CSRFOptions.Session.
func CSRFToken(ctx context.Context, h http.Header) (string, error) {
	c, _ := ctx.Value(csrfKey{}).(*csrfRequest)
	if c == nil {
		return "", nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	binding, err := c.binding(c.r)
	if err != nil {
		return "", err
	}
	if binding == "" {
		binding = c.issue(h)
	}
	return c.token(binding), nil
}

// CSRFField is the name of the form field for the token, "" when no [CSRF] stands before.
func CSRFField(ctx context.Context) string {
	c, _ := ctx.Value(csrfKey{}).(*csrfRequest)
	if c == nil {
		return ""
	}
	return c.Field
}

// issue adds a new cookie to h and makes it the one of the request.
func (c *csrfRequest) issue(h http.Header) string {
	var b [sealLength]byte
	_, _ = rand.Read(b[:]) // never fails
	cookie := &http.Cookie{Name: c.cookieName(c.r), Value: spelling.EncodeToString(b[:]), Path: "/",
		HttpOnly: true, Secure: secure(c.r), SameSite: http.SameSiteLaxMode}
	h.Add("Set-Cookie", cookie.String())
	c.r = c.r.Clone(c.r.Context())
	kept := c.r.CookiesNamed(cookie.Name)
	if len(kept) > 0 { // of a wrong form: they would stand beside the new one
		all := c.r.Cookies()
		c.r.Header.Del("Cookie")
		for _, other := range all {
			if other.Name != cookie.Name {
				c.r.AddCookie(other)
			}
		}
	}
	c.r.AddCookie(cookie)
	return "cookie " + cookie.Value
}
