package certs

import (
	"crypto/rand"
	"crypto/tls"
	"sync"
	"time"
)

// base is what all connections have in common: ciphers with forward secrecy and authentication
// (those of HTTP/2, RFC 9113 §9.2.2), and key exchange that is quick and, with ML-KEM, safe from
// who records today and computes tomorrow.
func base() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		CipherSuites: []uint16{ // of TLS 1.2; those of 1.3 can't be chosen
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256},
	}
}

// policy is the configuration of a site, with keys of its own for session tickets: a ticket of one
// site is worth nothing at another, which may ask for client certificates.
type policy struct {
	roots *authorities
	tls   *tls.Config

	mu   sync.Mutex
	keys [][32]byte // the newest first
	made time.Time  // when that was
}

func newPolicy(s *site, roots *authorities) *policy {
	c := base()
	c.MinVersion, c.MaxVersion = max(c.MinVersion, s.spec.Min), s.spec.Max
	c.GetCertificate = s.show
	roots.apply(c)
	return &policy{roots: roots, tls: c}
}

// Keys of session tickets change each day; old ones are good for as long as tickets are.
const (
	ticketKeyAge = 24 * time.Hour
	ticketKeys   = 7
)

// config is what a new connection gets.
func (p *policy) config(now time.Time) *tls.Config {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keys == nil || now.Sub(p.made) >= ticketKeyAge {
		var key [32]byte
		_, _ = rand.Read(key[:]) // never fails
		p.keys = append([][32]byte{key}, p.keys[:min(len(p.keys), ticketKeys-1)]...)
		p.made = now
		p.tls.SetSessionTicketKeys(p.keys)
	}
	return p.tls
}
