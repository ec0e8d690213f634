package acme

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	acmez "github.com/mholt/acmez/v3/acme"
)

// DNS changes the DNS for DNS01.
type DNS struct {
	// Present adds a TXT record, beside others of its name: for a domain and its wildcard there are
	// two. Cleanup removes it, also when the challenge has failed; its context goes on when that of
	// the challenge has ended.
	Present, Cleanup func(ctx context.Context, r Record) error
	Zone             string        // that all records are in; default is found out by asking for SOA records
	Resolvers        []string      // "host:port" of servers that have to know the record; default those of the zone
	Wait             time.Duration // how long they may take to; default 2 min, negative does not look
}

// Record is a TXT record.
type Record struct {
	Zone  string // "example.com"
	Name  string // "_acme-challenge.www.example.com"
	Value string
}

func (d DNS) check() error {
	if d.Present == nil || d.Cleanup == nil {
		return errors.New("certificates by ACME: dns needs both present and cleanup")
	}
	for _, server := range d.Resolvers {
		if _, _, err := net.SplitHostPort(server); err != nil {
			return fmt.Errorf(`certificates by ACME: %q is no address of a DNS server, as "127.0.0.1:53" is`, server)
		}
	}
	return nil
}

// solver lets certmagic use a DNS.
type solver struct {
	dns    *DNS
	logger *slog.Logger
}

// Present implements [acmez.Solver].
func (s *solver) Present(ctx context.Context, c acmez.Challenge) error {
	r, err := s.record(ctx, c)
	if err != nil {
		return err
	}
	if err := s.dns.Present(ctx, r); err != nil {
		return fmt.Errorf("adding the record %s: %w", r.Name, err)
	}
	return nil
}

// cleaning is how long a record may take to go.
const cleaning = 30 * time.Second

// CleanUp implements [acmez.Solver].
func (s *solver) CleanUp(ctx context.Context, c acmez.Challenge) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaning)
	defer cancel()
	r, err := s.record(ctx, c)
	if err != nil {
		return err
	}
	if err := s.dns.Cleanup(ctx, r); err != nil {
		return fmt.Errorf("removing the record %s: %w", r.Name, err)
	}
	return nil
}

func (s *solver) record(ctx context.Context, c acmez.Challenge) (Record, error) {
	r := Record{Zone: s.dns.Zone, Name: c.DNS01TXTRecordName(), Value: c.DNS01KeyAuthorization()}
	if r.Zone == "" {
		zone, err := certmagic.FindZoneByFQDN(ctx, bridge(s.logger), r.Name, certmagic.RecursiveNameservers(s.dns.Resolvers))
		if err != nil {
			return r, fmt.Errorf("finding the zone of %s (name it, if it can't be found): %w", r.Name, err)
		}
		r.Zone = strings.TrimSuffix(zone, ".")
	}
	return r, nil
}

// pollDNS is the time between two looks.
const pollDNS = time.Second

// Wait implements [acmez.Waiter]: it returns when all servers know the record.
func (s *solver) Wait(ctx context.Context, c acmez.Challenge) error {
	limit := s.dns.Wait
	if limit < 0 {
		return nil
	}
	if limit == 0 {
		limit = 2 * time.Minute
	}
	r, err := s.record(ctx, c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	servers := s.servers(ctx, r.Zone)
	tick := time.NewTicker(pollDNS)
	defer tick.Stop()
	for {
		servers = slices.DeleteFunc(servers, func(server string) bool { return knows(ctx, server, r) })
		if len(servers) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the record %s did not show up at %s: %w", r.Name, strings.Join(servers, ", "), ctx.Err())
		case <-tick.C:
		}
	}
}

// servers are those to look at, "" for whom the system asks.
func (s *solver) servers(ctx context.Context, zone string) []string {
	if len(s.dns.Resolvers) > 0 {
		return slices.Clone(s.dns.Resolvers)
	}
	found, err := net.DefaultResolver.LookupNS(ctx, zone)
	if err != nil || len(found) == 0 {
		return []string{""}
	}
	var servers []string
	for _, ns := range found {
		servers = append(servers, net.JoinHostPort(strings.TrimSuffix(ns.Host, "."), "53"))
	}
	return servers
}

func knows(ctx context.Context, server string, r Record) bool {
	resolver := &net.Resolver{PreferGo: true}
	if server != "" {
		resolver.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server)
		}
	}
	values, err := resolver.LookupTXT(ctx, r.Name+".")
	return err == nil && slices.Contains(values, r.Value)
}
