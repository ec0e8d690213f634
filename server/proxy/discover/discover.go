// Package discover finds the backends of an upstream: the addresses of a name in DNS, the
// records of a service in DNS, the lines of a file, or what a function returns.
package discover

// A Target is where one backend answers.
type Target struct {
	// URL is "scheme://host:port" or "unix:/path".
	URL string `json:"url"`
	// Weight is the share of the requests among the others; 0 means 1.
	Weight int `json:"weight,omitempty"`
	// Backup says that it gets requests only while every other one is unable.
	Backup bool `json:"backup,omitempty"`
	// Host is the name that URL's address was looked up from, as "host" or "host:port": what
	// the Host header and the certificate go by. Empty means the host of URL.
	Host string `json:"host,omitempty"`
}
