package listen

import "io"

// Hint is what an error of listening on addr would advise.
func Hint(addr string, err error) string {
	a, parseErr := parse(addr)
	if parseErr != nil {
		panic(parseErr)
	}
	return hint(a, err)
}

// Parse reports whether addr is understood.
func Parse(addr string) (network, host, port string, err error) {
	a, err := parse(addr)
	return a.network, a.host, a.port, err
}

// ReadProxyHeader reads a header of the PROXY protocol.
func ReadProxyHeader(src io.Reader) error {
	_, err := readProxyHeader(src)
	return err
}
