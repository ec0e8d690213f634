package luabind

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/certs"
	"rws/server/certs/acme"
	"rws/server/certs/local"
	"rws/server/listen"
)

// tlsOptions are the options of app:tls.
type tlsOptions struct {
	Domains    []string     `json:"domains"`
	Issuer     string       `json:"issuer"`
	Cert       string       `json:"cert"`
	Key        string       `json:"key"`
	ClientCA   []string     `json:"client_ca"`
	ClientCRL  []string     `json:"client_crl"`
	ClientAuth string       `json:"client_auth"`
	Min        string       `json:"min"`
	Max        string       `json:"max"`
	Email      string       `json:"email"`
	Directory  lua.LValue   `json:"directory"`
	EAB        *tlsEAB      `json:"eab"`
	CA         []string     `json:"ca"`
	Challenges []string     `json:"challenges"`
	DNS        *tlsDNS      `json:"dns"`
	OnDemand   *tlsOnDemand `json:"on_demand"`
	Stapling   *bool        `json:"stapling"`
	Storage    string       `json:"storage"`
	Redirect   []string     `json:"redirect"`
}

// tlsEAB binds an account to one that an authority has made.
type tlsEAB struct {
	KeyID string `json:"key_id"`
	Key   string `json:"key"`
}

// tlsDirectory is an authority.
type tlsDirectory struct {
	URL string  `json:"url"`
	EAB *tlsEAB `json:"eab"`
}

// tlsDNS are the functions that change the DNS.
type tlsDNS struct {
	Present   *lua.LFunction `json:"present"`
	Cleanup   *lua.LFunction `json:"cleanup"`
	Zone      string         `json:"zone"`
	Resolvers []string       `json:"resolvers"`
	Wait      *time.Duration `json:"wait"`
}

// tlsOnDemand allows certificates for names that no script knows.
type tlsOnDemand struct {
	Ask lua.LValue `json:"ask"`
}

// Where certificates come from.
const (
	fromFiles = "files"
	fromACME  = "acme"
	fromLocal = "local"
)

// Folders of the app's for what is made.
const (
	acmeFolder  = ".rws/certs"
	localFolder = ".rws/ca"
)

// tlsSite is one app:tls.
type tlsSite struct {
	at      string // of the call
	options tlsOptions
	from    string // fromFiles, fromACME or fromLocal
	acme    acme.Options
	hosts   []string // in ASCII
	min     uint16
	max     uint16
}

// declareTLS is app:tls(options).
func declareTLS(L *lua.LState, a *App) int {
	const name = "app:tls"
	a.mustLoad(L, name)
	at, s := fault.Where(L), a.state
	if a.parent != nil || a.detached {
		fault.Raisef(L, "option", "%s: certificates are those of the whole server: call it on `app`, with the hosts in domains", name)
	}
	var o tlsOptions
	site := &tlsSite{at: at}
	t := bind.Arg[*lua.LTable](L, name, 2)
	err := bind.Decode(L, t, &o)
	if err == nil {
		err = fullLists(t)
	}
	if err == nil {
		site.options = o
		err = site.read(L, s)
	}
	if err == nil {
		err = site.alone(s.program.tls[:s.tls])
	}
	if err != nil {
		fault.Raise(L, &fault.Error{Code: "option", At: s.placeOf(at, err), Message: name + ": " + err.Error()})
	}
	p, n := s.program, s.tls
	s.tls++
	if n == len(p.tls) {
		p.tls = append(p.tls, site)
	}
	L.Push(L.Get(1))
	return 1
}

// fullLists refuses lists of app:tls that are empty: one of authorities would let in clients without a
// certificate.
func fullLists(t *lua.LTable) error {
	err := noEmptyLists(t, "", "domains", "client_ca", "client_crl", "ca", "challenges", "redirect", "directory")
	if dns, ok := t.RawGetString("dns").(*lua.LTable); ok && err == nil {
		err = noEmptyLists(dns, "dns.", "resolvers")
	}
	return err
}

// read checks the options, but no file.
func (t *tlsSite) read(L *lua.LState, s *state) error {
	o := &t.options
	if err := t.source(); err != nil {
		return err
	}
	var err error
	if t.min, err = tlsVersion("min", o.Min); err != nil {
		return err
	}
	if t.max, err = tlsVersion("max", o.Max); err != nil {
		return err
	}
	if t.max != 0 && t.min > t.max {
		return fmt.Errorf("option \"max\": %q is older than min, %q", o.Max, o.Min)
	}
	if err := t.checkClients(); err != nil {
		return err
	}
	for _, address := range o.Redirect {
		if err := listen.Check(address); err != nil {
			return fmt.Errorf("option \"redirect\": %w", err)
		}
	}
	if t.from != fromACME {
		return t.checkNames()
	}
	if t.acme, err = t.readACME(L, s); err != nil {
		return err
	}
	_, err = acme.New(t.acme)
	return err
}

// source finds out where the certificates come from.
func (t *tlsSite) source() error {
	o := &t.options
	if o.Issuer != "" && o.Issuer != fromACME && o.Issuer != fromLocal {
		return fmt.Errorf("option \"issuer\": %q is neither %q nor %q%s", o.Issuer, fromACME, fromLocal, didYouMean(o.Issuer, []string{fromACME, fromLocal}))
	}
	switch {
	case o.Cert != "" || o.Key != "":
		t.from = fromFiles
		if o.Issuer != "" {
			return errors.New("option \"issuer\": the certificate is in a file; leave out cert and key, or the issuer")
		}
		if o.Cert == "" || o.Key == "" {
			given, missing := "cert", "key"
			if o.Cert == "" {
				given, missing = missing, given
			}
			return fmt.Errorf("option %q: %s is missing: both are needed, and may name the same file", given, missing)
		}
	case o.Issuer != "":
		t.from = o.Issuer
	case len(o.Domains) > 0 && !slices.ContainsFunc(o.Domains, func(name string) bool { return !isInternal(name) }):
		t.from = fromLocal
	case len(o.Domains) > 0 || o.OnDemand != nil:
		t.from = fromACME
	default:
		return errors.New(`say where certificates come from: cert and key, domains, or issuer = "local"`)
	}
	if extra := o.onlyACME(); t.from != fromACME && extra != "" {
		return fmt.Errorf("option %q: it is about certificates by ACME, and these come from %s", extra, map[string]string{fromFiles: "a file", fromLocal: "the local authority"}[t.from])
	}
	if t.from == fromFiles && o.Storage != "" {
		return errors.New("option \"storage\": the certificate is in a file of its own")
	}
	return nil
}

// onlyACME is the first option given that means something to ACME alone, or "".
func (o *tlsOptions) onlyACME() string {
	for _, option := range []struct {
		name string
		set  bool
	}{
		{"email", o.Email != ""}, {"directory", given(o.Directory)}, {"eab", o.EAB != nil}, {"ca", len(o.CA) > 0},
		{"challenges", len(o.Challenges) > 0}, {"dns", o.DNS != nil}, {"on_demand", o.OnDemand != nil}, {"stapling", o.Stapling != nil},
	} {
		if option.set {
			return option.name
		}
	}
	return ""
}

// given reports whether an option of any kind is there.
func given(v lua.LValue) bool { return v != nil && v != lua.LNil }

// isInternal reports whether no public authority gives certificates for a name.
func isInternal(name string) bool {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.IsLoopback()
	}
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

func (t *tlsSite) checkNames() error {
	t.hosts = t.options.Domains
	for _, name := range t.hosts {
		if err := local.Check(name); err != nil {
			return fmt.Errorf("option \"domains\": %w", err)
		}
	}
	if t.hosts == nil && t.from == fromLocal {
		t.hosts = []string{"localhost", "*.localhost"}
	}
	return nil
}

func (t *tlsSite) checkClients() error {
	o := &t.options
	mode := []string{string(certs.Require), string(certs.Optional)}
	switch {
	case o.ClientAuth != "" && !slices.Contains(mode, o.ClientAuth):
		return fmt.Errorf("option \"client_auth\": %q is none of %s%s", o.ClientAuth, strings.Join(mode, ", "), didYouMean(o.ClientAuth, mode))
	case o.ClientAuth != "" && len(o.ClientCA) == 0:
		return errors.New("option \"client_auth\": client_ca is missing, the file with the authorities that sign certificates of clients")
	case len(o.ClientCRL) > 0 && len(o.ClientCA) == 0:
		return errors.New("option \"client_crl\": client_ca is missing, the file with the authorities that sign certificates of clients")
	}
	return nil
}

func tlsVersion(option, text string) (uint16, error) {
	switch text {
	case "":
		return 0, nil
	case "1.2":
		return tls.VersionTLS12, nil
	case "1.3":
		return tls.VersionTLS13, nil
	}
	return 0, fmt.Errorf("option %q: %q is no version of TLS that is safe; want \"1.2\" or \"1.3\"", option, text)
}

// callTLS calls a function of app:tls.
func (s *state) callTLS(ctx context.Context, fn *lua.LFunction, args ...string) (lua.LValue, error) {
	values := make([]lua.LValue, len(args))
	for i, arg := range args {
		values[i] = lua.LString(arg)
	}
	var result lua.LValue
	err := s.isolate.Do(hookRun(ctx), func(L *lua.LState) (err error) {
		result, err = vm.Call(L, fn, values...)
		return err
	})
	if err != nil {
		return nil, placed(asFault(err))
	}
	return result, nil
}
