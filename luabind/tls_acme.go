package luabind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/server/certs/acme"
)

// readACME reads what is about certificates by ACME, but for the authorities in files, which are read when the server starts.
func (t *tlsSite) readACME(L *lua.LState, s *state) (acme.Options, error) {
	o := &t.options
	a := acme.Options{Email: o.Email, NoStapling: o.Stapling != nil && !*o.Stapling, Storage: cmp.Or(o.Storage, acmeFolder)}
	for _, name := range o.Domains {
		ascii, err := acme.Name(name)
		if err != nil {
			return a, fmt.Errorf("option \"domains\": %w", err)
		}
		a.Domains = append(a.Domains, ascii)
		t.hosts = append(t.hosts, ascii)
	}
	for _, c := range o.Challenges {
		a.Challenges = append(a.Challenges, acme.Challenge(c))
	}
	var err error
	if a.Directories, err = o.directories(L); err != nil {
		return a, err
	}
	if a.DNS, err = o.DNS.read(s); err != nil {
		return a, err
	}
	a.Ask, err = o.OnDemand.read(s)
	return a, err
}

// directories reads directory and eab: a URL, or a list of URLs and tables.
func (o *tlsOptions) directories(L *lua.LState) (list []acme.Directory, err error) {
	add := func(v lua.LValue) error {
		switch v := v.(type) {
		case lua.LString:
			list = append(list, acme.Directory{URL: string(v)})
			return nil
		case *lua.LTable:
			var d tlsDirectory
			if err := bind.Decode(L, v, &d); err != nil {
				return err
			}
			list = append(list, d.EAB.bind(d.URL))
			return nil
		}
		return fmt.Errorf("a URL expected, or { url = …, eab = … }, got %s", v.Type())
	}
	switch v := o.Directory.(type) {
	case nil, *lua.LNilType:
	case *lua.LTable:
		if v.Len() == 0 {
			err = add(v)
		}
		for i := 1; i <= v.Len() && err == nil; i++ {
			err = add(v.RawGetInt(i))
		}
	default:
		err = add(v)
	}
	if err != nil {
		return nil, fmt.Errorf("option \"directory\": %w", err)
	}
	if o.EAB == nil {
		return list, nil
	}
	switch {
	case len(list) == 0:
		return nil, errors.New("option \"eab\": it is about an authority: name its directory")
	case len(list) > 1 || list[0].KeyID != "":
		return nil, errors.New(`option "eab": put it to its authority: directory = { { url = …, eab = … }, … }`)
	}
	return []acme.Directory{o.EAB.bind(list[0].URL)}, nil
}

func (e *tlsEAB) bind(url string) acme.Directory {
	if e == nil {
		return acme.Directory{URL: url}
	}
	return acme.Directory{URL: url, KeyID: e.KeyID, MACKey: e.Key}
}

// read makes Go functions of those that change the DNS.
func (d *tlsDNS) read(s *state) (*acme.DNS, error) {
	if d == nil {
		return nil, nil
	}
	if d.Present == nil || d.Cleanup == nil {
		return nil, errors.New(`option "dns": two functions are needed: { present = function(zone, name, value) … end, cleanup = function(zone, name, value) … end }`)
	}
	change := func(fn *lua.LFunction) func(context.Context, acme.Record) error {
		return func(ctx context.Context, r acme.Record) error {
			_, err := s.callTLS(ctx, fn, r.Zone, r.Name, r.Value)
			return err
		}
	}
	dns := &acme.DNS{Present: change(d.Present), Cleanup: change(d.Cleanup), Zone: d.Zone, Resolvers: d.Resolvers}
	if d.Wait != nil {
		if dns.Wait = *d.Wait; dns.Wait == 0 {
			dns.Wait = -time.Second // no wait at all
		}
	}
	return dns, nil
}

// read makes a Go function of one that allows certificates, or of a URL that does.
func (d *tlsOnDemand) read(s *state) (func(context.Context, string) error, error) {
	if d == nil {
		return nil, nil
	}
	switch ask := d.Ask.(type) {
	case lua.LString:
		f, err := acme.AskURL(string(ask))
		if err != nil {
			return nil, fmt.Errorf("option \"on_demand.ask\": %w", err)
		}
		return f, nil
	case *lua.LFunction:
		return func(ctx context.Context, name string) error {
			v, err := s.callTLS(ctx, ask, name)
			if err != nil {
				return err
			}
			return allowed(v, functionAt(ask), name)
		}, nil
	}
	return nil, errors.New(`option "on_demand.ask": a function expected that returns true for names that may have a certificate, or a URL: without, anybody could have any number of certificates made`)
}

// allowed is nil for true alone: what a function returns by mistake opens nothing.
func allowed(v lua.LValue, at, name string) error {
	switch v {
	case lua.LTrue:
		return nil
	case lua.LFalse, lua.LNil:
		return fmt.Errorf("%w: the function at %s does not allow %q", acme.ErrRefused, at, name)
	}
	return fmt.Errorf("the function at %s returned a %s for %q: want true or false", at, v.Type(), name)
}
