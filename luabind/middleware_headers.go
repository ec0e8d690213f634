package luabind

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/server/middleware"
)

// headerFuncs make middleware that works on header fields.
func headerFuncs() []bind.Func {
	return []bind.Func{
		bind.Raw("request_id(options?)", requestID),
		bind.Raw("security_headers(options?)", securityHeaders),
		bind.Raw("cors(options)", cors),
		bind.Raw("headers(options)", headers),
	}
}

// requestIDOptions are the options of rws.request_id.
type requestIDOptions struct {
	Header  string   `json:"header"`
	Trusted []string `json:"trusted"`
}

func requestID(L *lua.LState) int {
	o := bind.Options[requestIDOptions](L, "rws.request_id", 1)
	return native(L, "request_id", func(*Program) (func(http.Handler) http.Handler, error) {
		return middleware.RequestID(middleware.RequestIDOptions{Header: o.Header, Trusted: o.Trusted})
	})
}

// securityHeadersOptions are the options of rws.security_headers.
type securityHeadersOptions struct {
	CSP         *lua.LValue    `json:"csp"`
	ReportOnly  bool           `json:"report_only"`
	HSTS        *time.Duration `json:"hsts"`
	Subdomains  bool           `json:"subdomains"`
	Preload     bool           `json:"preload"`
	Frame       string         `json:"frame"`
	Referrer    string         `json:"referrer"`
	Permissions string         `json:"permissions"`
	Opener      string         `json:"opener"`
	Resource    string         `json:"resource"`
	Embedder    string         `json:"embedder"`
	Sniff       bool           `json:"sniff"`
}

func securityHeaders(L *lua.LState) int {
	o := bind.Options[securityHeadersOptions](L, "rws.security_headers", 1)
	policy, err := o.policy()
	if err == nil && o.HSTS != nil && *o.HSTS < time.Second {
		err = fmt.Errorf("option \"hsts\": %s: a second or more expected; leave it out to send none", *o.HSTS)
	}
	if err != nil {
		raiseOption(L, "rws.security_headers", err)
	}
	so := middleware.SecureHeadersOptions{
		CSP: policy, ReportOnly: o.ReportOnly, Subdomains: o.Subdomains, Preload: o.Preload, Frame: o.Frame, Referrer: o.Referrer,
		Permissions: o.Permissions, Opener: o.Opener, Resource: o.Resource, Embedder: o.Embedder, Sniff: o.Sniff,
	}
	if o.HSTS != nil {
		so.HSTS = *o.HSTS
	}
	return native(L, "security_headers", func(*Program) (func(http.Handler) http.Handler, error) {
		wrap, err := middleware.SecureHeaders(so)
		if err != nil {
			return nil, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "secure headers: "))
		}
		return wrap, nil
	})
}

// policy reads the option csp, a text or a table of directives.
func (o *securityHeadersOptions) policy() (middleware.CSP, error) {
	if o.CSP == nil {
		return nil, nil
	}
	switch v := (*o.CSP).(type) {
	case lua.LString:
		return middleware.ParseCSP(string(v))
	case *lua.LTable:
		return policyOf(v)
	}
	return nil, fmt.Errorf("option \"csp\": a text or a table of directives expected, got %s", (*o.CSP).Type())
}

// policyOf reads { ["default-src"] = "'self'", img_src = { "'self'", "data:" }, upgrade_insecure_requests = true }.
func policyOf(t *lua.LTable) (middleware.CSP, error) {
	policy := middleware.CSP{}
	if t.Len() > 0 {
		return nil, fmt.Errorf("option \"csp\": directives have names, as { default_src = \"'self'\" }")
	}
	for _, key := range bind.Keys(t) {
		name := strings.ReplaceAll(key, "_", "-")
		if _, twice := policy[name]; twice {
			return nil, fmt.Errorf("option \"csp\": %s stands twice, with \"_\" and with \"-\"", name)
		}
		sources, err := sourcesOf(t.RawGetString(key))
		if err != nil {
			return nil, fmt.Errorf("option \"csp\": %s: %w", name, err)
		}
		policy[name] = sources
	}
	// What the middleware makes of it is what browsers read.
	return middleware.ParseCSP(policy.String())
}

func sourcesOf(v lua.LValue) ([]string, error) {
	switch v := v.(type) {
	case lua.LString:
		if strings.ContainsAny(string(v), ";,") {
			return nil, fmt.Errorf("sources expected, with spaces between them, got %q", string(v))
		}
		return strings.Fields(string(v)), nil
	case lua.LBool:
		if v {
			return nil, nil
		}
	case *lua.LTable:
		list := make([]string, v.Len())
		for n := range list {
			source, ok := v.RawGetInt(n + 1).(lua.LString)
			if !ok || strings.ContainsAny(string(source), " ;,") {
				return nil, fmt.Errorf("source %d: one source expected, as \"'self'\", got %s", n+1, v.RawGetInt(n+1))
			}
			list[n] = string(source)
		}
		return list, nil
	}
	return nil, fmt.Errorf("sources expected, as a text or a list, or true for a directive without any, got %s", v)
}

// corsOptions are the options of rws.cors.
type corsOptions struct {
	Origins     []string       `json:"origins"`
	Credentials bool           `json:"credentials"`
	Methods     []string       `json:"methods"`
	Headers     []string       `json:"headers"`
	Expose      []string       `json:"expose"`
	MaxAge      *time.Duration `json:"max_age"`
}

func cors(L *lua.LState) int {
	o := options[corsOptions](L, "cors", `{ origins = { "https://app.example.com" } }`)
	co := middleware.CORSOptions{Origins: o.Origins, Credentials: o.Credentials, Methods: o.Methods, Headers: o.Headers, Expose: o.Expose}
	if o.MaxAge != nil {
		if co.MaxAge = *o.MaxAge; co.MaxAge < time.Second { // which browsers count in
			co.MaxAge = -1
		}
	}
	return push(L, &Middleware{Name: "cors", Preflight: true}, func(*Program) (func(http.Handler) http.Handler, error) {
		return middleware.CORS(co)
	})
}

// headersOptions are the options of rws.headers.
type headersOptions struct {
	Request  headerRuleOptions `json:"request"`
	Response headerRuleOptions `json:"response"`
}

// headerRuleOptions are the rules for one direction.
type headerRuleOptions struct {
	Remove []string          `json:"remove"`
	Set    map[string]string `json:"set"`
	Add    map[string]string `json:"add"`
}

func (o headerRuleOptions) rules() middleware.HeaderRules {
	return middleware.HeaderRules{Remove: o.Remove, Set: o.Set, Add: o.Add}
}

func headers(L *lua.LState) int {
	o := options[headersOptions](L, "headers", `{ response = { remove = { "Server" } } }`)
	for _, direction := range []string{"request", "response"} {
		if t, ok := L.CheckTable(1).RawGetString(direction).(*lua.LTable); ok {
			if err := checkHeaderMaps(direction, t); err != nil {
				raiseOption(L, "rws.headers", err)
			}
		}
	}
	return native(L, "headers", func(*Program) (func(http.Handler) http.Handler, error) {
		return middleware.Headers(middleware.HeadersOptions{Request: o.Request.rules(), Response: o.Response.rules()})
	})
}
