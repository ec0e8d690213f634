package certs

import (
	"crypto/tls"
	"errors"
	"net/http"
)

// ChallengeProtocol is what connections speak by which an authority checks a domain (RFC 8737). No
// request comes over them: a server closes them after the handshake.
const ChallengeProtocol = "acme-tls/1"

// Challenger is a [Source] whose authorities come to look whether a domain is ours.
type Challenger interface {
	// ChallengeHTTP answers for HTTP-01 (RFC 8555 §8.3), and reports false without having written
	// anything when it knows no such token.
	ChallengeHTTP(w http.ResponseWriter, r *http.Request) bool
	// ChallengeTLS is the certificate for TLS-ALPN-01, or an error when it expects no such visit.
	ChallengeTLS(hello *tls.ClientHelloInfo) (*tls.Certificate, error)
}

// Challenge answers a request below /.well-known/acme-challenge/ and reports false when no source
// knows its token.
func (s *Store) Challenge(w http.ResponseWriter, r *http.Request) bool {
	for _, c := range s.challengers() {
		if c.ChallengeHTTP(w, r) {
			return true
		}
	}
	return false
}

func (s *Store) challengers() (list []Challenger) {
	for _, one := range s.sites {
		if c, ok := one.spec.Source.(Challenger); ok {
			list = append(list, c)
		}
	}
	return list
}

func isChallenge(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == ChallengeProtocol
}

// challenge is the configuration for such a visit, nil when nobody can expect one.
func (s *Store) challenge() *tls.Config {
	list := s.challengers()
	if list == nil {
		return nil
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{ChallengeProtocol}, SessionTicketsDisabled: true,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			err := errors.New("no authority is expected to check a domain")
			for _, c := range list {
				var cert *tls.Certificate
				if cert, err = c.ChallengeTLS(hello); err == nil {
					return cert, nil
				}
			}
			return nil, err
		},
	}
}
