package redis

import (
	"strings"
	"time"
)

// Target is what a URL asks for.
type Target struct {
	Addrs, User, Password, Master string
	DB, Pool                      int
	TLS, Cluster                  bool
	Read                          time.Duration
}

// Parse parses a URL without making a client.
func Parse(url string) (Target, error) {
	t, err := parseURL(url)
	if err != nil {
		return Target{}, err
	}
	return Target{strings.Join(t.Addrs, " "), t.Username, t.Password, t.MasterName, t.DB, t.PoolSize, t.TLSConfig != nil, t.IsClusterMode, t.ReadTimeout}, nil
}
