package luabind

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rws/luabind/fault"
	"rws/server/certs"
	"rws/server/certs/acme"
)

// alone refuses a host that another app:tls is about.
func (t *tlsSite) alone(before []*tlsSite) error {
	for _, other := range before {
		for _, host := range t.hosts {
			if slices.ContainsFunc(other.hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
				return fmt.Errorf("option \"domains\": %q is in the app:tls at %s already", host, other.at)
			}
		}
		if t.options.OnDemand != nil && other.options.OnDemand != nil {
			return fmt.Errorf("option \"on_demand\": the app:tls at %s has it already", other.at)
		}
	}
	return nil
}

// checkChallenges refuses visits to a port that nobody listens on.
func (p *Program) checkChallenges() (faults []*fault.Error) {
	if slices.ContainsFunc(p.tls, func(t *tlsSite) bool { return len(t.options.Redirect) > 0 }) {
		return nil
	}
	for _, t := range p.tls {
		if slices.Contains(t.options.Challenges, string(acme.HTTP01)) {
			err := errors.New(`option "challenges": http-01 is a visit to port 80, where nothing listens: redirect = ":80"`)
			faults = append(faults, &fault.Error{Code: "option", At: p.states[0].placeOf(t.at, err), Message: "app:tls: " + err.Error()})
		}
	}
	return faults
}

// lookAtCertificates says which files with certificates, keys and authorities could not be read at the
// start. It makes no authority, and asks none.
func (p *Program) lookAtCertificates() (faults []*fault.Error) {
	if c := p.Config; c.TLSCert != "" {
		if err := checkSite(p.configSite()); err != nil {
			faults = append(faults, settingError("tls.cert", c, err))
		}
	}
	for _, t := range p.tls {
		if err := t.look(p); err != nil {
			faults = append(faults, t.fault(err))
		}
	}
	return faults
}

// look reads the files that one call names.
func (t *tlsSite) look(p *Program) error {
	if len(t.options.CA) > 0 {
		if _, err := certs.Pool(p.paths(t.options.CA)...); err != nil {
			return err
		}
	}
	return checkSite(t.fileSite(p))
}

// fileSite is the site of one call as far as it is in files.
func (t *tlsSite) fileSite(p *Program) certs.Site {
	o := &t.options
	site := certs.Site{
		Hosts: t.hosts, Rest: o.OnDemand != nil, Min: t.min, Max: t.max,
		Client: certs.ClientAuth{CA: p.paths(o.ClientCA), CRL: p.paths(o.ClientCRL), Mode: certs.Mode(o.ClientAuth)},
	}
	if t.from == fromFiles {
		site.Pairs = []certs.Pair{{CertFile: p.path(o.Cert), KeyFile: p.path(o.Key)}}
	} else {
		site.Source = noCertificates{}
	}
	return site
}

// configSite is the site of the settings tls.cert and tls.key.
func (p *Program) configSite() certs.Site {
	return certs.Site{Pairs: []certs.Pair{{CertFile: p.path(p.Config.TLSCert), KeyFile: p.path(p.Config.TLSKey)}}}
}

// certificateDoubts are what is wrong with certificates that can be used: those that run out, or are not
// for the hosts they are to be shown for.
func (p *Program) certificateDoubts() (list []*fault.Error) {
	for _, t := range p.tls {
		store, err := certs.Open(certs.Options{}, t.fileSite(p))
		if err != nil {
			continue // told by lookAtCertificates
		}
		for _, text := range store.Warnings() {
			list = append(list, doubt(t.at, "app:tls: "+text, ""))
		}
	}
	for _, r := range p.relays {
		for _, text := range r.certificateWarnings(p) {
			list = append(list, doubt(r.source, "app:tcp: "+text, ""))
		}
	}
	return list
}

// certificateWarnings are about the one certificate that an address of app:tcp shows for all its names.
func (r *relayed) certificateWarnings(p *Program) []string {
	if !r.secure {
		return nil
	}
	names := slices.DeleteFunc(slices.Clone(r.names), func(name string) bool { return name == "" })
	store, err := certs.Open(certs.Options{}, certs.Site{Hosts: names, Pairs: []certs.Pair{{CertFile: p.path(r.cert.CertFile), KeyFile: p.path(r.cert.KeyFile)}}})
	if err != nil {
		return nil // the script did not load with it
	}
	return store.Warnings()
}

// noCertificates stands for a source that is not asked.
type noCertificates struct{}

// Certificate implements certs.Source.
func (noCertificates) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return nil, errors.New("there are none")
}

// placed is an error of the script for a log, where the place is all that leads to it.
func placed(e *fault.Error) error {
	if e.At == "" {
		return errors.New(e.Message)
	}
	return fmt.Errorf("%s: %s", e.At, e.Message)
}
