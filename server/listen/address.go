package listen

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// address is what an address text means.
type address struct {
	network string // "tcp", "unix" or "systemd"
	host    string // host name or address, empty for all; the path of a unix socket; the name of systemd's, empty for any
	port    string // decimal; empty without TCP
}

const addressForms = `use ":8080", "127.0.0.1:8080", "[::1]:8080", "unix:/run/app.sock" or "systemd:name"`

// Check reports what is wrong with an address as text, without opening it.
func Check(addr string) error {
	_, err := parse(addr)
	return err
}

// IsUnix reports whether an address is that of a unix socket.
func IsUnix(addr string) bool { return strings.HasPrefix(addr, "unix:") }

// parse reads an address. Its errors name the form to use.
func parse(addr string) (address, error) {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		return parseUnix(addr, path)
	}
	if name, ok := strings.CutPrefix(addr, systemd); ok {
		return address{network: "systemd", host: name}, nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return address{}, fmt.Errorf("reading the address %q: %s", addr, suggest(addr))
	}
	if strings.ContainsAny(host, "/ \x00") {
		return address{}, fmt.Errorf("reading the address %q: %q is no host; %s", addr, host, addressForms)
	}
	n, err := strconv.Atoi(port)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && (n < 0 || n > 65535):
		return address{}, fmt.Errorf("reading the address %q: the port %s is not between 0 and 65535", addr, port)
	case err != nil:
		return address{}, fmt.Errorf("reading the address %q: the port %q is not a number; %s", addr, port, addressForms)
	}
	return address{network: "tcp", host: host, port: strconv.Itoa(n)}, nil
}

func parseUnix(addr, path string) (address, error) {
	path = strings.TrimPrefix(path, "//") // unix:///run/app.sock, as other programs write it
	if path == "" || strings.ContainsRune(path, 0) {
		return address{}, fmt.Errorf(`reading the address %q: want the path of the socket, as in "unix:/run/app.sock"`, addr)
	}
	return address{network: "unix", host: path}, nil
}

// suggest guesses what was meant by an address that is not host:port.
func suggest(addr string) string {
	if addr == "" {
		return "it is empty; " + addressForms
	}
	if _, err := strconv.ParseUint(addr, 10, 16); err == nil {
		return fmt.Sprintf("did you mean %q?", ":"+addr)
	}
	if ip, err := netip.ParseAddr(strings.Trim(addr, "[]")); err == nil {
		return fmt.Sprintf("the port is missing; did you mean %q?", net.JoinHostPort(ip.String(), "8080"))
	}
	if _, rest, ok := strings.Cut(addr, "://"); ok {
		return fmt.Sprintf("an address has no scheme; did you mean %q?", strings.TrimRight(rest, "/"))
	}
	if strings.HasPrefix(addr, "/") {
		return fmt.Sprintf("did you mean %q?", "unix:"+addr)
	}
	if !strings.Contains(addr, ":") {
		return fmt.Sprintf("the port is missing; did you mean %q?", addr+":8080")
	}
	return addressForms
}
