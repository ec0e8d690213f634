package cookie

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"rws/server/suggest"
)

// MaxSize is how many bytes of a Set-Cookie field are sure to be kept (RFC 6265 §6.1).
const MaxSize = 4096

// Options of a cookie. The zero value is safe: HttpOnly, SameSite=Lax, Secure under TLS, for
// the whole site and this host only, until the browser is closed.
type Options struct {
	// MaxAge is how long the browser keeps the cookie, rounded up to seconds. Zero is until it
	// is closed. Browsers cut it to 400 days.
	MaxAge time.Duration
	// Path defaults to "/".
	Path string
	// Domain gives the cookie to all hosts below it too. The default is this host alone.
	Domain string
	// HTTPOnly hides the cookie from scripts in the page; nil means yes.
	HTTPOnly *bool
	// Secure keeps the cookie off plain HTTP. nil means: if the request came over TLS, or if
	// SameSite, Partitioned or the prefix of the name need it.
	Secure *bool
	// SameSite is "lax" (the default), "strict" or "none".
	SameSite string
	// Partitioned gives the cookie a jar per top-level site (CHIPS).
	Partitioned bool
}

// Set adds a Set-Cookie field, in place of an earlier one for the same name, domain and path.
// tls says whether the client came over TLS, to us or to a proxy that is trusted. The value is
// encoded if need be, see [Encode]; an empty one is kept as such. Errors say what browsers would
// have dropped in silence.
func Set(h http.Header, name, value string, o Options, tls bool) error {
	if o.MaxAge < 0 {
		return fmt.Errorf("cookie %q: the maximum age %s is negative; to remove a cookie, delete it", name, o.MaxAge)
	}
	return add(h, name, Encode(value), int((min(o.MaxAge, century)+time.Second-1)/time.Second), o, tls)
}

// century is the most that an age counts for: beyond, times overflow and have passed.
const century = 100 * 365 * 24 * time.Hour

// Delete tells the browser to forget a cookie. Domain and Path must be those it was set with;
// MaxAge is ignored.
func Delete(h http.Header, name string, o Options, tls bool) error {
	return add(h, name, "", -1, o, tls)
}

// ErrTooLarge is the error of a cookie of more than [MaxSize] bytes.
var ErrTooLarge = fmt.Errorf("browsers keep at most %d", MaxSize)

// add formats the cookie; seconds as in [http.Cookie.MaxAge].
func add(h http.Header, name, value string, seconds int, o Options, tls bool) error {
	k, err := build(name, value, o, tls)
	if err != nil {
		return fmt.Errorf("cookie %q: %w", name, err)
	}
	k.MaxAge = seconds
	switch {
	case seconds > 0:
		k.Expires = time.Now().Add(time.Duration(seconds) * time.Second)
	case seconds < 0:
		k.Expires = time.Unix(1, 0)
	}
	line := k.String()
	if len(line) > MaxSize {
		return fmt.Errorf("cookie %q: %d bytes with its attributes; %w, so put less into it, or keep the data in a session", name, len(line), ErrTooLarge)
	}
	replace(h, k, line)
	return nil
}

func build(name, value string, o Options, tls bool) (*http.Cookie, error) {
	site, err := sameSite(o.SameSite)
	if err != nil {
		return nil, err
	}
	k := &http.Cookie{
		Name: name, Value: value, Path: o.Path, Domain: o.Domain, SameSite: site, Partitioned: o.Partitioned,
		HttpOnly: o.HTTPOnly == nil || *o.HTTPOnly,
	}
	if k.Path == "" {
		k.Path = "/"
	}
	why := needsSecure(k)
	k.Secure = tls || why != ""
	if o.Secure != nil {
		k.Secure = *o.Secure
	}
	if why != "" && !k.Secure {
		return nil, fmt.Errorf("%s needs Secure, which is switched off", why)
	}
	return k, check(k)
}

// needsSecure names what browsers accept only with Secure, or returns "".
func needsSecure(k *http.Cookie) string {
	switch {
	case k.SameSite == http.SameSiteNoneMode:
		return "SameSite=None"
	case k.Partitioned:
		return "Partitioned"
	}
	if p := prefix(k.Name); p != "" {
		return "a name that begins with " + p
	}
	return ""
}

// prefixes of names that browsers give a meaning, the longest first (RFC 6265bis §4.1.3).
var prefixes = []string{"__Host-Http-", "__Http-", "__Host-", "__Secure-"}

// prefix returns the one that a name begins with. Browsers ignore case here.
func prefix(name string) string {
	for _, p := range prefixes {
		if len(name) >= len(p) && strings.EqualFold(name[:len(p)], p) {
			return p
		}
	}
	return ""
}

func check(k *http.Cookie) error {
	p := prefix(k.Name)
	switch {
	case k.Name == "":
		return errors.New("the name is empty")
	case p != "" && k.Name[:len(p)] != p:
		return fmt.Errorf("write the prefix as %s; other servers see no prefix in this spelling", p)
	case strings.HasPrefix(p, "__Host-") && k.Domain != "":
		return fmt.Errorf("a name that begins with %s is for one host, so the domain %q cannot be set", p, k.Domain)
	case strings.HasPrefix(p, "__Host-") && k.Path != "/":
		return fmt.Errorf("a name that begins with %s is for the whole host, so the path must be \"/\", not %q", p, k.Path)
	case strings.HasSuffix(p, "Http-") && !k.HttpOnly:
		return fmt.Errorf("a name that begins with %s needs HttpOnly, which is switched off", p)
	case !strings.HasPrefix(k.Path, "/"):
		return fmt.Errorf("the path %q does not begin with \"/\"; browsers would take another", k.Path)
	}
	if err := k.Valid(); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "http: "))
	}
	return nil
}

// sameSites are the names of the modes, the default first.
var sameSites = []string{"lax", "strict", "none"}

func sameSite(mode string) (http.SameSite, error) {
	switch strings.ToLower(mode) {
	case "", "lax":
		return http.SameSiteLaxMode, nil
	case "strict":
		return http.SameSiteStrictMode, nil
	case "none":
		return http.SameSiteNoneMode, nil
	}
	return 0, fmt.Errorf("same_site %q is none of %s%s", mode, strings.Join(sameSites, ", "), suggest.DidYouMean(mode, sameSites))
}

// replace appends line to the Set-Cookie fields, without an earlier one that the browser would
// overwrite.
func replace(h http.Header, k *http.Cookie, line string) {
	domain := strings.TrimPrefix(k.Domain, ".")
	kept := slices.DeleteFunc(slices.Clone(h["Set-Cookie"]), func(line string) bool {
		old, err := http.ParseSetCookie(line)
		return err == nil && old.Name == k.Name && old.Path == k.Path && strings.EqualFold(old.Domain, domain)
	})
	h["Set-Cookie"] = append(kept, line)
}
