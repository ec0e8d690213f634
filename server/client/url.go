package client

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// parseURL reads the URL of a request. Its errors say what is missing.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// "localhost:3000/x" has a scheme named localhost, "127.0.0.1:3000" has none that is valid.
		if !strings.Contains(raw, "://") && !strings.ContainsAny(raw, " \t\r\n") {
			return nil, errors.New(`the URL must start with "http://" or "https://"`)
		}
		return nil, fmt.Errorf("this is no URL: %w", withoutURL(err))
	}
	return u, checkURL(u)
}

func checkURL(u *url.URL) error {
	switch {
	case u.Scheme == "" || u.Opaque != "":
		return errors.New(`the URL must start with "http://" or "https://"`)
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf(`the scheme %q is not supported; use "http" or "https"`, u.Scheme)
	case u.Hostname() == "":
		return errors.New("the URL has no host")
	}
	return nil
}

// withoutURL strips what url.Parse adds: the URL with all its secrets.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// redactURL returns a URL for people to see: without user information and fragment, the query
// reduced to "?…". Of what is no URL, everything up to the last "@" goes.
func redactURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		raw = raw[strings.LastIndexByte(raw, '@')+1:]
		if end := strings.IndexAny(raw, "?#"); end >= 0 {
			return raw[:end] + "?…"
		}
		return raw
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	if u.RawQuery != "" {
		return shown.String() + "?…"
	}
	return shown.String()
}

// withoutUser returns the URL without user name and password.
func withoutUser(u *url.URL) string {
	shown := *u
	shown.User = nil
	return shown.String()
}
