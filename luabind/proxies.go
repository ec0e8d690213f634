package luabind

import (
	"errors"
	"strings"

	"rws/luabind/fault"
	"rws/server/middleware"
)

// ProxyConfig is the part of Config that is about proxies before the server.
type ProxyConfig struct {
	Trusted []string // addresses, prefixes, and words such as "loopback"
	Header  string   // where they write the client
}

// proxySettings are the settings about proxies.
func proxySettings() []Setting {
	trusted := listSetting("trusted_proxies", "", `proxies that are believed about the client: addresses, "10.0.0.0/8", "loopback", "private", "unix"`, func(c *Config) *[]string { return &c.Proxies.Trusted })
	read := trusted.read
	trusted.read = func(c *Config, text string) error {
		if err := read(c, text); err != nil || len(c.Proxies.Trusted) == 0 {
			return err
		}
		return checkProxy(middleware.ClientIPOptions{Trusted: c.Proxies.Trusted})
	}
	header := textSetting("client_ip_header", "X-Forwarded-For", `where trusted proxies write the client: "X-Forwarded-For", "Forwarded", or a header with one address`, func(c *Config) *string { return &c.Proxies.Header })
	header.read = func(c *Config, text string) error {
		if text == "" {
			return errors.New(`a header expected, as "X-Forwarded-For"`)
		}
		c.Proxies.Header = text
		return checkProxy(middleware.ClientIPOptions{Trusted: []string{"loopback"}, Header: text})
	}
	return []Setting{trusted, header}
}

// checkProxy tries settings out.
func checkProxy(o middleware.ClientIPOptions) error {
	_, err := middleware.ClientIP(o)
	if err == nil {
		return nil
	}
	return errors.New(strings.TrimPrefix(strings.TrimPrefix(err.Error(), "client ip: "), "trusted: "))
}

// checkProxies refuses a header that nobody is believed about.
func (c *Config) checkProxies() []*fault.Error {
	if len(c.Proxies.Trusted) == 0 && c.Origin("client_ip_header") != fromDefault {
		return []*fault.Error{settingError("client_ip_header", c, errors.New(`no proxy is trusted, so nothing reads it: name the proxies, as in app:config { trusted_proxies = { "10.0.0.0/8" } }`))}
	}
	return nil
}

// clientIP is the middleware that finds the client behind trusted proxies; nil without any.
func (c *Config) clientIP() (*Middleware, error) {
	if len(c.Proxies.Trusted) == 0 {
		return nil, nil
	}
	wrap, err := middleware.ClientIP(middleware.ClientIPOptions{Trusted: c.Proxies.Trusted, Header: c.Proxies.Header})
	if err != nil {
		return nil, settingError("trusted_proxies", c, err)
	}
	return &Middleware{Name: "client_ip", Wrap: wrap}, nil
}
