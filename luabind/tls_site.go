package luabind

import (
	"cmp"
	"slices"
	"strings"

	"rws/luabind/fault"
	"rws/server"
	"rws/server/certs"
	"rws/server/certs/acme"
	"rws/server/certs/local"
)

// site is what the engine gets. It may make the root of the local authority.
func (t *tlsSite) site(p *Program) (certs.Site, error) {
	o, site := &t.options, t.fileSite(p)
	switch t.issuer(p) {
	case fromFiles:
		return site, nil
	case fromLocal:
		if p.Config.Production() {
			p.logger.Warn("the local authority is for development: nobody else trusts its certificates", "at", t.at)
		}
		site.Rest = false
		authority, err := local.Open(p.localFolder(t), t.localNames()...)
		site.Source = authority
		return site, err
	}
	options := t.acme
	options.Logger, options.Roots, options.Storage = p.logger, p.paths(o.CA), p.path(t.acme.Storage)
	manager, err := acme.New(options)
	site.Source = manager
	return site, err
}

// issuer is who makes the certificates. In development the app is on this machine alone, where no
// public authority would see that a domain is ours: the local one stands in for the default one, which
// would count the attempts.
func (t *tlsSite) issuer(p *Program) string {
	if t.from == fromACME && t.options.Issuer == "" && !given(t.options.Directory) && !p.Config.Production() {
		return fromLocal
	}
	return t.from
}

// localNames are those that the local authority signs for beside its own.
func (t *tlsSite) localNames() []string {
	return slices.DeleteFunc(slices.Clone(t.hosts), func(name string) bool { return isInternal(strings.TrimPrefix(name, "*.")) })
}

// localFolder is where the local authority is. What is to be kept of ACME has another folder.
func (p *Program) localFolder(t *tlsSite) string {
	if t.from == fromLocal && t.options.Storage != "" {
		return p.path(t.options.Storage)
	}
	return p.path(localFolder)
}

// openTLS makes the store of what app:tls has declared. A certificate of app:config comes first: it is
// for clients that name no host, or one that no app:tls is about.
func (p *Program) openTLS() (*certs.Store, error) {
	var sites []certs.Site
	if p.Config.TLSCert != "" {
		sites = append(sites, p.configSite())
	}
	for _, t := range p.tls {
		site, err := t.site(p)
		if err != nil {
			return nil, t.fault(err)
		}
		if err := checkSite(site); err != nil {
			return nil, t.fault(err)
		}
		sites = append(sites, site)
	}
	return certs.Open(certs.Options{Logger: p.logger}, sites...)
}

// checkSite reads what one call names, so that an error has its place.
func checkSite(site certs.Site) error {
	_, err := certs.Open(certs.Options{}, site)
	return err
}

func (t *tlsSite) fault(err error) *fault.Error {
	return &fault.Error{Code: "tls", At: t.at, Message: "app:tls: " + err.Error(), Cause: err}
}

// serverTLS is what the declarations and settings say to the engine.
func (p *Program) serverTLS() server.TLS {
	if len(p.tls) == 0 {
		return server.TLS{Cert: p.optionalPath(p.Config.TLSCert), Key: p.optionalPath(p.Config.TLSKey)}
	}
	t := server.TLS{Open: p.openTLS}
	for _, site := range p.tls {
		t.Redirect = append(t.Redirect, site.options.Redirect...)
	}
	slices.Sort(t.Redirect)
	t.Redirect = slices.Compact(t.Redirect)
	return t
}

// TLSFiles are the files with certificates and keys that the app names.
func (p *Program) TLSFiles() []string {
	names := []string{p.Config.TLSCert, p.Config.TLSKey}
	for _, t := range p.tls {
		o := &t.options
		names = slices.Concat(names, []string{o.Cert, o.Key}, o.ClientCA, o.ClientCRL, o.CA)
	}
	return p.paths(slices.DeleteFunc(names, func(name string) bool { return name == "" }))
}

// TLS says in a few words where certificates come from and what is asked of clients; nothing without.
func (p *Program) TLS() []string {
	list := []string{}
	if p.Config.TLSCert != "" {
		list = append(list, p.Config.TLSCert)
	}
	for _, t := range p.tls {
		list = append(list, t.describe(p))
	}
	return list
}

// describe is how listings show it.
func (t *tlsSite) describe(p *Program) string {
	o := &t.options
	names := strings.Join(o.Domains, ", ")
	var text string
	switch t.issuer(p) {
	case fromFiles:
		text = o.Cert
		if names != "" {
			text += " for " + names
		}
	case fromLocal:
		text = cmp.Or(names, "*.localhost") + " by the local authority (rws trust)"
		if t.from == fromACME {
			text += ", in production by ACME"
		}
	default:
		text = cmp.Or(names, "names on demand") + " by ACME"
		if names != "" && o.OnDemand != nil {
			text = names + " and names on demand by ACME"
		}
	}
	if len(o.ClientCA) > 0 {
		text += ", client certificates " + map[bool]string{true: "optional", false: "required"}[o.ClientAuth == string(certs.Optional)]
	}
	return text
}

// LocalAuthority is the folder of the local authority, and whether the script uses it.
func (p *Program) LocalAuthority() (folder string, used bool) {
	for _, t := range p.tls {
		if t.issuer(p) == fromLocal {
			return p.localFolder(t), true
		}
	}
	return p.path(localFolder), false
}
