package luabind

import (
	"cmp"
	"errors"
	"fmt"
)

// checkTLS refuses a certificate without its key, and the reverse.
func (c *Config) checkTLS() error {
	given, missing := "tls.cert", "tls.key"
	switch {
	case (c.TLSCert == "") == (c.TLSKey == ""):
		return nil
	case c.TLSCert == "":
		given, missing = missing, given
	}
	wrong := fmt.Errorf("%s is missing: both are needed, and may name the same file", missing)
	switch origin := cmp.Or(c.Origin(given), fromScript); origin {
	case fromScript:
		return settingError(given, c, wrong)
	case fromFlag:
		return fmt.Errorf("reading --tls-%s: %w", given[len("tls."):], errors.New("--tls-"+missing[len("tls."):]+" is missing: both are needed, and may name the same file"))
	default:
		return fmt.Errorf("reading the variable %s: %w", origin, wrong)
	}
}
