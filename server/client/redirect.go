package client

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// credentials are the headers that stay with the origin they were meant for.
var credentials = []string{"Authorization", "Cookie", "Cookie2", "Proxy-Authorization", "Www-Authenticate"}

// redirect returns where the answer sends the call, or "" if it is the answer.
func (c *call) redirect(res *http.Response) string {
	switch res.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return ""
	}
	if c.MaxRedirects < 0 {
		return ""
	}
	return res.Header.Get("Location")
}

// follow turns the call to its next hop. 301, 302 and 303 continue as GET without the body
// (HEAD stays HEAD), 307 and 308 repeat the request (RFC 9110 §15.4). Credentials are dropped
// when the origin changes, for good: a later hop back does not restore them.
func (c *call) follow(status int, location string) error {
	next, err := c.url.Parse(location)
	if err != nil {
		return &Error{Code: CodeURL, Err: fmt.Errorf("the server redirects to an address that is no URL: %w", withoutURL(err))}
	}
	if err := checkURL(next); err != nil {
		return &Error{Code: CodeURL, Err: fmt.Errorf("the server redirects to %s: %w", redactURL(location), err)}
	}
	if next.Fragment == "" {
		next.Fragment = c.url.Fragment // RFC 9110 §10.2.2
	}
	if !sameOrigin(c.url, next) {
		for _, name := range credentials {
			c.header.Del(name)
		}
		c.header.Del("Host")
	} else if next.User == nil {
		next.User = c.url.User
	}
	if status != http.StatusTemporaryRedirect && status != http.StatusPermanentRedirect {
		c.dropBody()
	}
	c.url = next
	return nil
}

func (c *call) dropBody() {
	if c.method != http.MethodHead {
		c.method = http.MethodGet
	}
	c.hasBody = false
	for name := range c.header {
		if strings.HasPrefix(name, "Content-") {
			delete(c.header, name)
		}
	}
}

// sameOrigin reports whether credentials for one URL may go to the other: same scheme, host
// and port, or the step from http to https at the same host on the usual ports.
func sameOrigin(from, to *url.URL) bool {
	if !strings.EqualFold(from.Hostname(), to.Hostname()) {
		return false
	}
	if from.Scheme == to.Scheme {
		return port(from) == port(to)
	}
	return from.Scheme == "http" && to.Scheme == "https" && port(from) == "80" && port(to) == "443"
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}
