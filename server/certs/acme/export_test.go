package acme

import "time"

// Hasty makes a manager look often for certificates to renew, and renew them when they have a share
// of their life left.
func (m *Manager) Hasty(every time.Duration, ratio float64) {
	m.options.renewCheck, m.options.renewRatio = every, ratio
}
