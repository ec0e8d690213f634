package luabind

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"rws/server/router"
)

// checkAppHost refuses what app:host could not tell apart: no name would be every host, and a name with
// a port would be that host on all ports.
func checkAppHost(host string) error {
	if host == "" {
		return errors.New(`the host is empty, which would be every host: name one, as in "api.example.com", or use app:group("/")`)
	}
	if name, port, err := net.SplitHostPort(host); err == nil && strings.Trim(port, "0123456789") == "" {
		return fmt.Errorf("host %q: routes go by the name of the host and answer on every port: leave out %q, as in %q", host, ":"+port, name)
	}
	return router.CheckHost(host)
}
