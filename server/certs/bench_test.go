package certs_test

import (
	"crypto/tls"
	"fmt"
	"testing"

	"rws/server/certs"
)

// BenchmarkConfigFor is what a handshake pays for hosts with policies of their own.
func BenchmarkConfigFor(b *testing.B) {
	pair, err := certs.SelfSigned()
	if err != nil {
		b.Fatal(err)
	}
	var sites []certs.Site
	for i := range 100 {
		sites = append(sites, certs.Site{Hosts: []string{fmt.Sprintf("h%d.example", i), fmt.Sprintf("*.h%d.example", i)}, Source: always{pair}})
	}
	s, err := certs.Open(certs.Options{}, sites...)
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"h50.example", "a.h50.example", "unknown.example"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			hello := &tls.ClientHelloInfo{ServerName: name}
			for b.Loop() {
				if _, err := s.ConfigFor(hello); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// always has one certificate.
type always struct{ pair tls.Certificate }

func (a always) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &a.pair, nil }
