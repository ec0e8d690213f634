package acme

import (
	"context"
	"crypto/x509"
	"time"
)

// Hasty makes a manager look often for certificates to renew, and renew them when they have a share
// of their life left.
func (m *Manager) Hasty(every time.Duration, ratio float64) {
	m.options.renewCheck, m.options.renewRatio = every, ratio
}

// Impatient makes a manager whose clients wait only so long for certificates on demand.
func (m *Manager) Impatient(wait time.Duration) { m.options.demandWait = wait }

// Trust has a manager check directories by the roots.
func (m *Manager) Trust(roots *x509.CertPool) { m.roots = roots }

// Asks has a manager ask another function.
func (m *Manager) Asks(ask func(ctx context.Context, name string) error) {
	m.asker = newAsker(ask, m.options.Logger)
}
