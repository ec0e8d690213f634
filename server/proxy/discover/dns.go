package discover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A lookup is what the sources in DNS share.
type lookup struct {
	resolver          *net.Resolver
	raw, scheme, name string
	port              string // "" for that of the scheme
}

func (l lookup) String() string { return l.raw }

// addresses are those of a host, sorted, so that equal answers are equal lists.
func (l lookup) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	found, err := l.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	slices.SortFunc(found, netip.Addr.Compare)
	return slices.Compact(found), nil
}

// target is one address of a host.
func (l lookup) target(host string, at netip.Addr, port string) Target {
	if port == "" {
		if at.Is6() {
			return Target{URL: l.scheme + "://[" + at.String() + "]", Host: host}
		}
		return Target{URL: l.scheme + "://" + at.String(), Host: host}
	}
	if strings.Contains(host, ":") { // a literal address
		return Target{URL: l.scheme + "://" + net.JoinHostPort(at.String(), port), Host: net.JoinHostPort(host, port)}
	}
	return Target{URL: l.scheme + "://" + net.JoinHostPort(at.String(), port), Host: host + ":" + port}
}

// dns is the A and AAAA records of a name.
type dns struct{ lookup }

func (d dns) Targets(ctx context.Context) ([]Target, error) {
	found, err := d.addresses(ctx, d.name)
	if err != nil {
		return nil, err
	}
	all := make([]Target, len(found))
	for i, at := range found {
		all[i] = d.target(strings.TrimSuffix(d.name, "."), at, d.port)
	}
	return all, nil
}

// srv is the SRV records of a name (RFC 2782), and the addresses of the hosts they name. The
// records of the lowest priority come first, the rest are backups.
type srv struct{ lookup }

func (s srv) Targets(ctx context.Context) ([]Target, error) {
	_, records, err := s.resolver.LookupSRV(ctx, "", "", s.name)
	records = slices.DeleteFunc(records, func(r *net.SRV) bool { return r.Target == "." || r.Port == 0 })
	if len(records) == 0 {
		return nil, cmp.Or(err, errors.New("its SRV records say that there is no such service"))
	}
	if len(records) > MaxTargets {
		return nil, fmt.Errorf("it has %d SRV records, more than %d", len(records), MaxTargets)
	}
	slices.SortFunc(records, func(a, b *net.SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Target, b.Target), cmp.Compare(a.Port, b.Port))
	})
	return s.hosts(ctx, records)
}

// fine is what the weight of a record is multiplied by before it is divided among the addresses
// of its host: 60 divides well.
const fine = 60

// hosts looks the hosts of the records up. One that is not found is left out.
func (s srv) hosts(ctx context.Context, records []*net.SRV) ([]Target, error) {
	var all []Target
	var failed error
	for _, r := range records {
		host := strings.TrimSuffix(strings.ToLower(r.Target), ".")
		found, err := s.addresses(ctx, r.Target)
		if err != nil {
			failed = cmp.Or(failed, fmt.Errorf("SRV host %s: %w", host, err))
			continue
		}
		for _, at := range found {
			t := s.target(host, at, strconv.Itoa(int(r.Port)))
			t.Weight = max(int(r.Weight)*fine/len(found), 1)
			t.Backup = r.Priority != records[0].Priority
			all = append(all, t)
		}
	}
	if len(all) == 0 {
		return nil, failed
	}
	simplify(all)
	return all, nil
}

// maxWeight is the largest weight that is given to a target.
const maxWeight = 1000

// simplify divides the weights by what they have in common, and until none exceeds maxWeight.
func simplify(all []Target) {
	common, most := 0, 0
	for _, t := range all {
		common = gcd(common, t.Weight)
		most = max(most, t.Weight)
	}
	for i := range all {
		w := all[i].Weight / common
		if most/common > maxWeight {
			w = w * maxWeight / (most / common)
		}
		all[i].Weight = max(w, 1)
	}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
