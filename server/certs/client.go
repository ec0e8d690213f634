package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Mode says whether a client needs a certificate.
type Mode string

const (
	// Require refuses clients without a certificate of one of the authorities.
	Require Mode = "require"
	// Optional lets clients without one in, and refuses those with one of another authority.
	Optional Mode = "optional"
)

// ClientAuth is what a site asks of clients. The zero value asks for nothing.
type ClientAuth struct {
	CA   []string // files with authorities, PEM; those of the system count for nothing
	CRL  []string // files with lists of revoked certificates of these authorities (RFC 5280 §5), PEM or DER
	Mode Mode     // default Require
}

func (c ClientAuth) check() error {
	if len(c.CA) == 0 {
		if c.Mode != "" || len(c.CRL) > 0 {
			return errors.New("client certificates are asked for, and no authority is named that signs them")
		}
		return nil
	}
	if c.Mode != "" && c.Mode != Require && c.Mode != Optional {
		return fmt.Errorf("client certificates are %q: want %q or %q", c.Mode, Require, Optional)
	}
	return nil
}

// complete fills in the mode.
func (c ClientAuth) complete() ClientAuth {
	if len(c.CA) > 0 && c.Mode == "" {
		c.Mode = Require
	}
	return c
}

// key is equal for sites that ask the same of clients, "" for those that ask nothing.
func (c ClientAuth) key() string {
	if len(c.CA) == 0 {
		return ""
	}
	return strings.Join(slices.Concat([]string{string(c.Mode)}, c.CA, []string{""}, c.CRL), "\x00")
}

// authorities sign the certificates of clients.
type authorities struct {
	mode    Mode
	certs   []*x509.Certificate
	revoked []revokedList
}

// revokedList is a list with the file that it is in.
type revokedList struct {
	*x509.RevocationList
	file string
}

// ranOut reports whether the list says nothing any more, so that nobody it is about gets in.
func (l revokedList) ranOut(now time.Time) bool {
	return !l.NextUpdate.IsZero() && now.After(l.NextUpdate)
}

// load reads the files; nil when nothing is asked.
func (c ClientAuth) load() (*authorities, error) {
	if len(c.CA) == 0 {
		return nil, nil
	}
	a := &authorities{mode: c.Mode}
	for _, file := range c.CA {
		certs, err := readAuthorities(file)
		if err != nil {
			return nil, err
		}
		a.certs = append(a.certs, certs...)
	}
	for _, file := range c.CRL {
		list, err := a.readRevoked(file)
		if err != nil {
			return nil, err
		}
		a.revoked = append(a.revoked, list...)
	}
	return a, nil
}

// readAuthorities reads all certificates of a file: one that can't be read is an error, not one
// authority less.
func readAuthorities(file string) ([]*x509.Certificate, error) {
	data, err := read("authority", file)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("loading authority %q: %w", file, err)
		}
		certs = append(certs, cert)
	}
	if certs == nil {
		return nil, fmt.Errorf("loading authority %q: it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", file)
	}
	return certs, nil
}

// readRevoked reads the lists of a file and checks who signed them.
func (a *authorities) readRevoked(file string) ([]revokedList, error) {
	data, err := read("list of revoked certificates", file)
	if err != nil {
		return nil, err
	}
	ders := [][]byte{}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		ders = append(ders, block.Bytes)
	}
	if len(ders) == 0 {
		ders = append(ders, data)
	}
	var lists []revokedList
	for _, der := range ders {
		list, err := x509.ParseRevocationList(der)
		if err == nil {
			err = a.signed(list)
		}
		if err != nil {
			return nil, fmt.Errorf("loading list of revoked certificates %q: %w", file, err)
		}
		lists = append(lists, revokedList{list, file})
	}
	return lists, nil
}

func (a *authorities) signed(list *x509.RevocationList) error {
	for _, ca := range a.certs {
		if bytes.Equal(ca.RawSubject, list.RawIssuer) && list.CheckSignatureFrom(ca) == nil {
			return nil
		}
	}
	return fmt.Errorf("%s has issued it, which is none of the authorities for client certificates", list.Issuer)
}

func (a *authorities) equal(b *authorities) bool {
	if a == nil || b == nil {
		return a == b
	}
	sameCert := func(x, y *x509.Certificate) bool { return x.Equal(y) }
	sameList := func(x, y revokedList) bool { return bytes.Equal(x.Raw, y.Raw) }
	return a.mode == b.mode && slices.EqualFunc(a.certs, b.certs, sameCert) && slices.EqualFunc(a.revoked, b.revoked, sameList)
}

// apply has a configuration ask for certificates.
func (a *authorities) apply(c *tls.Config) {
	if a == nil {
		return
	}
	c.ClientAuth = tls.RequireAndVerifyClientCert
	if a.mode == Optional {
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	c.ClientCAs = x509.NewCertPool()
	for _, cert := range a.certs {
		c.ClientCAs.AddCert(cert)
	}
	if len(a.revoked) > 0 {
		c.VerifyConnection = func(state tls.ConnectionState) error { return a.checkRevoked(state, time.Now()) }
	}
}

// checkRevoked is called for resumed connections too.
func (a *authorities) checkRevoked(state tls.ConnectionState, now time.Time) error {
	var why error
	for _, chain := range state.VerifiedChains {
		if why = a.checkChain(chain, now); why == nil {
			return nil
		}
	}
	return why
}

func (a *authorities) checkChain(chain []*x509.Certificate, now time.Time) error {
	for _, cert := range chain {
		for _, list := range a.revoked {
			if !bytes.Equal(list.RawIssuer, cert.RawIssuer) {
				continue
			}
			if list.ranOut(now) {
				return fmt.Errorf("the list of revoked certificates of %s ran out on %s; nobody it is about gets in until it is renewed", list.Issuer, list.NextUpdate.UTC().Format(time.DateOnly))
			}
			for _, entry := range list.RevokedCertificateEntries {
				if entry.SerialNumber.Cmp(cert.SerialNumber) == 0 {
					return fmt.Errorf("the certificate %s of the client was revoked", cert.SerialNumber.Text(16))
				}
			}
		}
	}
	return nil
}
