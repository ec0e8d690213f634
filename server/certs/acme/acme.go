// Package acme gets certificates from authorities that speak ACME (RFC 8555), such as Let's Encrypt,
// and renews them, by certmagic. A [Manager] is a source for package certs: it manages the domains
// it is given and, where a function allows it, any other name when a client first asks for it.
package acme

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"golang.org/x/net/idna"

	"rws/server/certs"
)

// Challenge is a way in which an authority sees that a domain is ours.
type Challenge string

// The challenges there are.
const (
	HTTP01    Challenge = "http-01"     // a visit to port 80 (RFC 8555 §8.3)
	TLSALPN01 Challenge = "tls-alpn-01" // a visit to port 443 (RFC 8737)
	DNS01     Challenge = "dns-01"      // a record in the DNS (RFC 8555 §8.4); the only one for wildcards
)

// LetsEncrypt is the directory that is asked by default.
const LetsEncrypt = certmagic.LetsEncryptProductionCA

// Directory is an authority.
type Directory struct {
	URL string // of its directory
	// KeyID and MACKey, base64 without padding for URLs, bind the account to one at the authority
	// (RFC 8555 §7.3.4); both or none.
	KeyID, MACKey string
}

// Options of a [Manager].
type Options struct {
	Domains []string // "example.com", "*.example.com" with DNS01, or addresses
	// Ask allows certificates on demand, for names that are none of Domains, by returning nil; any
	// error refuses, and one that is not [ErrRefused] is logged. nil allows none. See [AskURL].
	Ask func(ctx context.Context, name string) error

	Email       string      // for the authority to write to, which has an account for each; may be empty
	Directories []Directory // tried in their order; default [LetsEncrypt]
	Roots       []string    // PEM files with the authorities that the directories' own certificates are checked by; default the system's
	// Challenges to use; default DNS01 where DNS is set, else TLSALPN01, and HTTP01 if there is a
	// port for it.
	Challenges []Challenge
	DNS        *DNS
	Storage    string       // folder for keys, certificates and accounts; processes may share it
	NoStapling bool         // does not fetch OCSP responses (RFC 6960) for authorities that have them
	Logger     *slog.Logger // default slog.Default()

	renewCheck time.Duration // default 10 min
	demandWait time.Duration // see [demandWait]
	renewRatio float64       // how much of its life a certificate has left when it is renewed; default 1/3
}

// New makes a manager that does nothing before Start. It checks all options and reads the roots.
func New(o Options) (*Manager, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if len(o.Directories) == 0 {
		o.Directories = []Directory{{URL: LetsEncrypt}}
	}
	if err := errors.Join(o.checkNames(), o.checkDirectories(), o.checkChallenges()); err != nil {
		return nil, err
	}
	m := &Manager{options: o}
	var err error
	if len(o.Roots) > 0 {
		if m.roots, err = certs.Pool(o.Roots...); err != nil {
			return nil, err
		}
	}
	if o.Ask != nil {
		m.asker = newAsker(o.Ask, o.Logger)
	}
	return m, nil
}

// checkNames cleans the domains.
func (o *Options) checkNames() error {
	if len(o.Domains) == 0 && o.Ask == nil {
		return errors.New("certificates by ACME: no domain is named, and none is allowed on demand")
	}
	if o.Storage == "" {
		return errors.New("certificates by ACME: there is no folder to keep them in")
	}
	o.Domains = slices.Clone(o.Domains)
	for i, name := range o.Domains {
		ascii, err := Name(name)
		if err != nil {
			return err
		}
		if strings.HasPrefix(ascii, "*.") && o.DNS == nil {
			return fmt.Errorf("certificates by ACME: %q is a wildcard, which authorities give for the challenge dns-01 only: set dns", name)
		}
		o.Domains[i] = ascii
	}
	return nil
}

// domains is idna.Lookup, which also refuses labels that are empty or too long.
var domains = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.VerifyDNSLength(true))

// Name is a domain in ASCII and lower case, as servers are asked for it.
func Name(name string) (string, error) {
	if ip, err := netip.ParseAddr(name); err == nil && ip.Zone() == "" {
		return ip.String(), nil
	}
	host, wild := strings.CutPrefix(strings.TrimSuffix(name, "."), "*.")
	ascii, err := domains.ToASCII(host)
	if err != nil || ascii == "" || !certmagic.SubjectQualifiesForCert(ascii) || strings.ContainsAny(ascii, "*:/ ") || !strings.Contains(ascii, ".") {
		return "", fmt.Errorf(`certificates by ACME: %q is no domain; write it as in "example.com"`, name)
	}
	if wild {
		ascii = "*." + ascii
	}
	return ascii, nil
}

func (o Options) checkDirectories() error {
	for _, d := range o.Directories {
		u, err := url.Parse(d.URL)
		switch {
		case err != nil || u.Host == "" || u.User != nil || u.Scheme != "https":
			return fmt.Errorf("certificates by ACME: the directory %q is no URL of an authority: want https://", d.URL)
		case (d.KeyID == "") != (d.MACKey == ""):
			return fmt.Errorf("certificates by ACME: the account at %s is bound by a key id and a key; one of them is missing", d.URL)
		}
	}
	return nil
}

func (o *Options) checkChallenges() error {
	for _, c := range o.Challenges {
		if !slices.Contains([]Challenge{HTTP01, TLSALPN01, DNS01}, c) {
			return fmt.Errorf("certificates by ACME: there is no challenge %q: want %q, %q or %q", c, HTTP01, TLSALPN01, DNS01)
		}
	}
	dns := slices.Contains(o.Challenges, DNS01)
	switch {
	case dns && len(o.Challenges) > 1:
		return errors.New("certificates by ACME: with dns-01 there is no other challenge")
	case dns && o.DNS == nil:
		return errors.New("certificates by ACME: dns-01 needs functions that change the DNS: set dns")
	case !dns && o.DNS != nil && len(o.Challenges) > 0:
		return fmt.Errorf("certificates by ACME: dns is set, and the challenges are %v", o.Challenges)
	case o.DNS != nil:
		return o.DNS.check()
	}
	return nil
}

// folder makes the storage.
func (o Options) folder() error {
	if err := os.MkdirAll(o.Storage, 0o700); err != nil {
		return fmt.Errorf("making the folder for certificates: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(o.Storage, ".gitignore"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		_, err = file.WriteString("*\n")
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return fmt.Errorf("keeping the folder for certificates out of version control: %w", err)
	}
	return nil
}

// noEmail is for an account without one: where there is none, certmagic takes that of any other account.
const noEmail = " "

// issuer is the template of one authority.
func (o Options) issuer(d Directory, at certs.Ports, roots *x509.CertPool) certmagic.ACMEIssuer {
	template := certmagic.ACMEIssuer{
		CA: d.URL, Email: cmp.Or(o.Email, noEmail), Agreed: true, TrustedRoots: roots, Logger: bridge(o.Logger),
		ListenHost:  "127.0.0.1", // never used: our own listeners have the ports
		AltHTTPPort: at.HTTP, AltTLSALPNPort: at.TLS,
		DisableHTTPChallenge: !o.uses(HTTP01, at.HTTP), DisableTLSALPNChallenge: !o.uses(TLSALPN01, at.TLS),
	}
	if d.KeyID != "" {
		template.ExternalAccount = &account{KeyID: d.KeyID, MACKey: d.MACKey}
	}
	if o.DNS != nil {
		template.DNS01Solver = &solver{dns: o.DNS, logger: o.Logger}
	}
	return template
}

// uses reports whether a challenge that needs a port is used.
func (o Options) uses(c Challenge, port int) bool {
	return port != 0 && o.DNS == nil && (len(o.Challenges) == 0 || slices.Contains(o.Challenges, c))
}
