package certs

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"time"
)

// soon is how long before its end a certificate is warned about.
const soon = 14 * 24 * time.Hour

// Warnings returns what is wrong with the certificates in use although they loaded: expired,
// not valid yet, expiring within 14 days, each with its file and date, or not for a host of its site;
// and with lists of revoked certificates: run out.
func (s *Store) Warnings() []string {
	var warnings []string
	for _, one := range s.sites {
		warnings = append(warnings, one.warnings(time.Now())...)
	}
	return warnings
}

func (s *site) warnings(now time.Time) []string {
	return append(s.certificateWarnings(now), s.policy.Load().roots.warnings(now)...)
}

// warnings are about lists that lock clients out.
func (a *authorities) warnings(now time.Time) (warnings []string) {
	if a == nil {
		return nil
	}
	for _, list := range a.revoked {
		if list.ranOut(now) {
			warnings = append(warnings, fmt.Sprintf("list of revoked certificates %q ran out on %s; no client gets in whose certificate %s has signed, renew it",
				list.file, list.NextUpdate.UTC().Format(time.DateOnly), list.Issuer))
		}
	}
	return warnings
}

// listEnds is when the next list of revoked certificates runs out; zero for never.
func (s *Store) listEnds(now time.Time) (next time.Time) {
	for _, one := range s.sites {
		roots := one.policy.Load().roots
		if roots == nil {
			continue
		}
		for _, list := range roots.revoked {
			if end := list.NextUpdate; end.After(now) && (next.IsZero() || end.Before(next)) {
				next = end
			}
		}
	}
	return next
}

func (s *site) certificateWarnings(now time.Time) (warnings []string) {
	t := s.table.Load()
	if t == nil {
		return nil
	}
	for i, c := range t.certs {
		if c.Leaf == nil {
			continue
		}
		name := strings.Join(certNames(c), ", ")
		if i < len(s.spec.Pairs) {
			name = fmt.Sprintf("%q", s.spec.Pairs[i].CertFile)
		}
		if w := validity(c, now); w != "" {
			warnings = append(warnings, fmt.Sprintf("certificate %s %s", name, w))
		}
	}
	for _, host := range s.spec.Hosts {
		if len(s.spec.Pairs) > 0 && !t.covers(host) {
			warnings = append(warnings, fmt.Sprintf("certificate %q is not for the host %q, for which it is to be shown; clients will refuse it", s.spec.Pairs[0].CertFile, host))
		}
	}
	return warnings
}

// covers reports whether a certificate is for a host, or for the wildcard itself.
func (t *table) covers(host string) bool {
	if _, ok := t.byName[CleanName(host)]; ok {
		return true
	}
	return slices.ContainsFunc(t.certs, func(c *tls.Certificate) bool { return c.Leaf == nil || c.Leaf.VerifyHostname(host) == nil })
}

// validity says what is wrong with the dates of a certificate, if anything.
func validity(c *tls.Certificate, now time.Time) string {
	from, until := c.Leaf.NotBefore.UTC(), c.Leaf.NotAfter.UTC()
	switch {
	case now.After(until):
		return "expired on " + until.Format(time.DateOnly) + "; clients will refuse it, renew it"
	case now.Before(from):
		return "is not valid before " + from.Format(time.RFC3339) + "; is the clock of this machine right?"
	case until.Sub(now) < soon:
		return "expires on " + until.Format(time.DateOnly) + "; renew it"
	}
	return ""
}
