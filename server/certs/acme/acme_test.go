package acme_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"

	"rws/server/certs"
	"rws/server/certs/acme"
)

func nothing(context.Context, acme.Record) error { return nil }

func TestOptionsThatMakeNoSense(t *testing.T) {
	dns := &acme.DNS{Present: nothing, Cleanup: nothing}
	one := []string{"a.example"}
	for want, o := range map[string]acme.Options{
		"no domain is named":     {Storage: "x"},
		"no folder":              {Domains: one},
		`"a b"`:                  {Storage: "x", Domains: []string{"a b"}},
		`"https://a.example"`:    {Storage: "x", Domains: []string{"https://a.example"}},
		`"localhost"`:            {Storage: "x", Domains: []string{"localhost"}},
		"dns-01 only":            {Storage: "x", Domains: []string{"*.a.example"}},
		`no challenge "dns"`:     {Storage: "x", Domains: one, Challenges: []acme.Challenge{"dns"}},
		"no other challenge":     {Storage: "x", Domains: one, DNS: dns, Challenges: []acme.Challenge{acme.DNS01, acme.HTTP01}},
		"set dns":                {Storage: "x", Domains: one, Challenges: []acme.Challenge{acme.DNS01}},
		"dns is set":             {Storage: "x", Domains: one, DNS: dns, Challenges: []acme.Challenge{acme.HTTP01}},
		"present and cleanup":    {Storage: "x", Domains: one, DNS: &acme.DNS{Present: nothing}},
		`"8.8.8.8"`:              {Storage: "x", Domains: one, DNS: &acme.DNS{Present: nothing, Cleanup: nothing, Resolvers: []string{"8.8.8.8"}}},
		"want https":             {Storage: "x", Domains: one, Directories: []acme.Directory{{URL: "http://ca.example/dir"}}},
		"one of them is missing": {Storage: "x", Domains: one, Directories: []acme.Directory{{URL: "https://ca.example/dir", KeyID: "a"}}},
		`"none.pem"`:             {Storage: "x", Domains: one, Roots: []string{"none.pem"}},
	} {
		_, err := acme.New(o)
		assert.ErrorContains(t, err, want)
	}
}

func TestChallengesNeedTheirPorts(t *testing.T) {
	for want, c := range map[string][]acme.Challenge{"set redirect": {acme.HTTP01}, "TCP port": {acme.TLSALPN01}, "no TCP port": nil} {
		m, err := acme.New(acme.Options{Domains: []string{"a.example"}, Storage: t.TempDir(), Challenges: c})
		assert.NoError(t, err)
		assert.ErrorContains(t, m.Start(t.Context(), certs.Ports{}), want)
	}
}

func FuzzDomains(f *testing.F) {
	for _, name := range []string{"a.example", "*.a.example", "ä.example", "::1", "a..b", "\x00"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		dns := &acme.DNS{Present: nothing, Cleanup: nothing}
		if _, err := acme.New(acme.Options{Storage: "x", Domains: []string{name}, DNS: dns}); err != nil {
			assert.ErrorContains(t, err, "certificates by ACME")
		}
	})
}
