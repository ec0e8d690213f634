package luabind

import (
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/luadoc"
	"rws/stdlib"
)

// faces reads the documentation that scripts' authors see.
func faces(t *testing.T) *luadoc.Package {
	t.Helper()
	p, err := luadoc.ParseFS(stdlib.Files())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// allTypes returns the kinds of userdata of all modules.
func allTypes() []bind.Type {
	list := types()
	for _, m := range Modules() {
		list = append(list, m.Types...)
	}
	return list
}

// bindings returns what is bound, by the names of the documentation: "rws.http.get",
// "rws.App:get".
func bindings() map[string]bind.Func {
	all := make(map[string]bind.Func)
	for _, m := range Modules() {
		for _, f := range m.Funcs {
			all[m.Name+"."+f.Name()] = f
		}
	}
	for _, t := range allTypes() {
		for _, f := range t.Methods {
			all[t.Name+":"+f.Name()] = f
		}
	}
	return all
}

func TestFacesNameTypesThatExist(t *testing.T) {
	for _, err := range faces(t).Undefined() {
		t.Error(err)
	}
}

func TestEveryBindingIsDocumented(t *testing.T) {
	documented := make(map[string]*luadoc.Function)
	for _, f := range faces(t).Functions {
		documented[f.Name] = f
	}
	for name, f := range bindings() {
		d := documented[name]
		if d == nil {
			t.Errorf("%s(%s) is bound and not documented", name, strings.Join(f.Params(), ", "))
			continue
		}
		var params []string
		for _, p := range d.Params {
			if p.Optional && p.Name != "..." {
				p.Name += "?"
			}
			params = append(params, p.Name)
		}
		if !slices.Equal(params, f.Params()) {
			t.Errorf("%s: %s is documented with the parameters (%s) and bound with (%s)", d.Pos, name, strings.Join(params, ", "), strings.Join(f.Params(), ", "))
		}
		if d.Async != f.Waits {
			t.Errorf("%s: %s: ---@async is %t, and that it waits %t", d.Pos, name, d.Async, f.Waits)
		}
	}
}

func TestEveryDocumentedFunctionIsBound(t *testing.T) {
	bound := bindings()
	for _, x := range allTypes() {
		for name := range x.Fields {
			bound[x.Name+"."+name] = bind.Func{} // t.eq is a field that holds a function
		}
	}
	for _, f := range faces(t).Functions {
		if _, ok := bound[f.Name]; !ok {
			t.Errorf("%s: %s is documented and not bound", f.Pos, f.Name)
		}
	}
}

func TestEveryTypeIsDocumented(t *testing.T) {
	p := faces(t)
	for _, x := range allTypes() {
		if _, ok := p.Lookup(x.Name); !ok {
			t.Errorf("the type %s is not documented", x.Name)
			continue
		}
		documented := fieldsOf(p, x.Name)
		if x.Index != nil {
			if !slices.Contains(documented, "[string]") {
				t.Errorf("%s has fields of any name; document them by ---@field [string]", x.Name)
			}
			documented = slices.DeleteFunc(documented, func(name string) bool { return name == "[string]" })
		}
		compare(t, x.Name, documented, slices.Collect(maps.Keys(x.Fields)))
	}
}

// fieldsOf returns the members of a class but its methods.
func fieldsOf(p *luadoc.Package, class string) []string {
	var names []string
	for _, m := range p.Members(class) {
		switch m := m.(type) {
		case *luadoc.Field:
			names = append(names, m.Member)
		case *luadoc.Function:
			if !m.Method {
				names = append(names, m.Member)
			}
		}
	}
	return names
}

// compare reports the names that only one of two lists has.
func compare(t *testing.T, what string, documented, bound []string) {
	t.Helper()
	for _, name := range documented {
		if !slices.Contains(bound, name) {
			t.Errorf("%s: %q is documented and not there", what, name)
		}
	}
	for _, name := range bound {
		if !slices.Contains(documented, name) {
			t.Errorf("%s: %q is there and not documented", what, name)
		}
	}
}

// tables are the Go structs of the tables that scripts give and get, by class.
func tables() map[string]any {
	return map[string]any{
		"rws.ApiKeyGuardOptions":     apiKeyOptions{},
		"rws.ApiKeyRecord":           apiKeyRecord{},
		"rws.Backend":                backendOptions{},
		"rws.BackendHealth":          backendHealth{},
		"rws.BackendTls":             backendTLS{},
		"rws.Balance":                balanceOptions{},
		"rws.Base64Options":          base64Options{},
		"rws.Breaker":                breakerOptions{},
		"rws.CanaryOptions":          canaryOptions{},
		"rws.CanarySticky":           canarySticky{},
		"rws.FastCgi":                fastcgiOptions{},
		"rws.MirrorOptions":          mirrorOptions{},
		"rws.MirrorShadow":           shadowLimits{},
		"rws.Rollback":               rollbackOptions{},
		"rws.Passive":                passiveOptions{},
		"rws.ProxyEdits":             editOptions{},
		"rws.ProxyHedge":             hedgeOptions{},
		"rws.ProxyOptions":           proxyOptions{},
		"rws.ProxyPaths":             pathOptions{},
		"rws.Retry":                  retryOptions{},
		"rws.Sticky":                 stickyOptions{},
		"rws.TcpOptions":             tcpOptions{},
		"rws.TcpTimeout":             tcpTimes{},
		"rws.UdpOptions":             udpOptions{},
		"rws.UpstreamOptions":        poolOptions{},
		"rws.UpstreamPool":           backendLimits{},
		"rws.UpstreamTimeout":        timeoutOptions{},
		"rws.BasicGuardOptions":      authBasicOptions{},
		"rws.CacheCountOptions":      cacheCountOptions{},
		"rws.CacheFetchOptions":      cacheFetchOptions{},
		"rws.CacheOptions":           cacheOptions{},
		"rws.CalendarParts":          calendarParts{},
		"rws.CompressOptions":        compressOptions{},
		"rws.ConcurrencyOptions":     concurrencyOptions{},
		"rws.CookieDeleteOptions":    cookieDeleteOptions{},
		"rws.CookieOptions":          cookieOptions{},
		"rws.CookieReadOptions":      cookieReadOptions{},
		"rws.CorsOptions":            corsOptions{},
		"rws.CsrfOptions":            csrfOptions{},
		"rws.DbOptions":              dbOptions{},
		"rws.DecompressOptions":      decompressOptions{},
		"rws.FieldError":             fault.Field{},
		"rws.FileOptions":            fileOptions{},
		"rws.ForwardGuardOptions":    authForwardOptions{},
		"rws.HashOptions":            hashOptions{},
		"rws.HeaderRules":            headerRuleOptions{},
		"rws.HeadersOptions":         headersOptions{},
		"rws.HealthCheck":            healthCheckOptions{},
		"rws.HealthOptions":          appHealthOptions{},
		"rws.HistogramOptions":       histogramOptions{},
		"rws.HttpCacheOptions":       httpCacheOptions{},
		"rws.HttpOptions":            httpOptions{},
		"rws.IpFilterOptions":        ipFilterOptions{},
		"rws.JsonOptions":            jsonOptions{},
		"rws.JwksOptions":            jwksOptions{},
		"rws.JwtGuardOptions":        authJWTOptions{},
		"rws.JwtSignOptions":         signOptions{},
		"rws.JwtVerifyOptions":       verifyOptions{},
		"rws.LimitOptions":           limitOptions{},
		"rws.MaintenanceOptions":     maintenanceOptions{},
		"rws.MarkdownOptions":        markdownOptions{},
		"rws.MetricOptions":          metricOptions{},
		"rws.MigrateOptions":         migrateOptions{},
		"rws.Listener":               listenerOptions{},
		"rws.ProxyProtocol":          ProxyListen{},
		"rws.Migration":              migrationOptions{},
		"rws.PageOptions":            pageOptions{},
		"rws.RedirectHttpsOptions":   redirectHTTPSOptions{},
		"rws.RedirectRule":           redirectOptions{},
		"rws.RemoveOptions":          removeOptions{},
		"rws.RequestIdOptions":       requestIDOptions{},
		"rws.RequireOptions":         authRequireOptions{},
		"rws.RewriteRule":            rewriteOptions{},
		"rws.SchemaOptions":          schemaOptions{},
		"rws.SecurityHeadersOptions": securityHeadersOptions{},
		"rws.Spec":                   specOptions{},
		"rws.StaticOptions":          staticOptions{},
		"rws.StreamOptions":          streamOptions{},
		"rws.StorageOptions":         storageOptions{},
		"rws.StorageGetOptions":      storageGetOptions{},
		"rws.StoragePutOptions":      storagePutOptions{},
		"rws.StorageSendOptions":     storageSendOptions{},
		"rws.StorageUrlOptions":      storageURLOptions{},
		"rws.StubAnswer":             stubOptions{},
		"rws.TestFile":               uploadOptions{},
		"rws.TestOptions":            callOptions{},
		"rws.TlsOptions":             tlsOptions{},
		"rws.TlsEab":                 tlsEAB{},
		"rws.TlsDirectory":           tlsDirectory{},
		"rws.TlsDns":                 tlsDNS{},
		"rws.TlsOnDemand":            tlsOnDemand{},
		"rws.TxOptions":              txOptions{},
		"rws.UrlParts":               urlParts{},
		"rws.WebhookGuardOptions":    webhookGuardOptions{},
		"rws.WebhookOptions":         webhookOptions{},
		"rws.WebhookSignOptions":     webhookSignOptions{},
	}
}

// otherTables are classes of tables that no struct describes. Tests of their own hold them, but
// rws.Error and rws.StubRequest, which Go makes field by field.
var otherTables = []string{"rws.Config", "rws.ConfigTls", "rws.ConfigAccessLog", "rws.ConfigMetrics", "rws.ConfigFs", "rws.ConfigSession", "rws.ConfigSessionCookie", "rws.ConfigCache", "rws.ConfigLimits",
	"rws.SessionInfo", "rws.CacheStats", "rws.HttpCacheStats", "rws.RedisStats", "rws.RedisMessage", "rws.ResourceHandlers", "rws.FileInfo", "rws.StoredFile", "rws.ListedFile", "rws.StubRequest", "rws.Error",
	"rws.BackendStatus", "rws.CanaryCount", "rws.CanaryState", "rws.ColumnInfo", "rws.Tls", "rws.TlsClient", "rws.DbResult", "rws.Page", "rws.PoolStats", "rws.TableInfo"}

func TestOptionsAreDocumented(t *testing.T) {
	p := faces(t)
	structs := tables()
	for class, of := range structs {
		if _, ok := p.Lookup(class); !ok {
			t.Errorf("the table %s is not documented", class)
			continue
		}
		compare(t, class, fieldsOf(p, class), bind.Names(of))
	}
	known := slices.Concat(otherTables, slices.Collect(maps.Keys(structs)))
	for _, x := range allTypes() {
		known = append(known, x.Name)
	}
	for _, m := range Modules() {
		known = append(known, m.Name)
	}
	for _, c := range p.Classes {
		if !slices.Contains(known, c.Name) {
			t.Errorf("%s: the class %s is neither a module, nor a type, nor one of the tables of this test", c.Pos, c.Name)
		}
	}
}

func TestSettingsAreDocumented(t *testing.T) {
	p := faces(t)
	var documented, bound []string
	texts := make(map[string]string)
	for prefix, class := range map[string]string{"": "rws.Config", "tls.": "rws.ConfigTls", "access_log.": "rws.ConfigAccessLog", "metrics.": "rws.ConfigMetrics", "fs.": "rws.ConfigFs",
		"session.": "rws.ConfigSession", "session.cookie.": "rws.ConfigSessionCookie", "cache.": "rws.ConfigCache", "limits.": "rws.ConfigLimits"} {
		for _, m := range p.Members(class) {
			f := m.(*luadoc.Field)
			if !strings.HasPrefix(f.Type, "rws.Config") {
				documented = append(documented, prefix+f.Member)
				texts[prefix+f.Member] = f.Text
			}
		}
	}
	for _, s := range Settings() {
		bound = append(bound, s.Name)
		if s.Default != "" && !strings.HasSuffix(texts[s.Name], "Default "+s.Default) {
			t.Errorf("rws.Config.%s: the text must end in \"Default %s\"", s.Name, s.Default)
		}
	}
	compare(t, "rws.Config", documented, bound)
}

func TestResourceActionsAreDocumented(t *testing.T) {
	var names []string
	for _, a := range actions {
		names = append(names, a.name)
	}
	compare(t, "rws.ResourceHandlers", fieldsOf(faces(t), "rws.ResourceHandlers"), names)
}

func TestFileInfoIsDocumented(t *testing.T) {
	info, err := os.Stat(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	L := lua.NewState()
	defer L.Close()
	compare(t, "rws.FileInfo", fieldsOf(faces(t), "rws.FileInfo"), bind.Keys(infoTable(L, info)))
}

// An example is a block of Lua in the documentation.
type example struct {
	of string
	luadoc.Example
}

func examples(p *luadoc.Package) []example {
	var list []example
	add := func(d *luadoc.Doc) {
		for _, e := range d.Examples {
			list = append(list, example{d.Name, e})
		}
	}
	for _, c := range p.Classes {
		add(&c.Doc)
	}
	for _, f := range p.Functions {
		add(&f.Doc)
	}
	for _, f := range p.Fields {
		add(&f.Doc)
	}
	for _, a := range p.Aliases {
		add(&a.Doc)
	}
	return list
}

// TestExamplesRun loads every example as a script of its own, with the network answered by
// answerAll, and runs the tests that it declares.
func TestExamplesRun(t *testing.T) {
	dir := exampleFolder(t)
	for _, e := range examples(faces(t)) {
		t.Run(e.of, func(t *testing.T) {
			if e.Info != "" {
				t.Fatalf("%s: unknown mark %q; every example runs", e.Pos, e.Info)
			}
			o := Options{
				File: filepath.Base(e.Pos.File), Dir: dir, Transport: answerAll{},
				Source: strings.Repeat("\n", e.Pos.Line-1) + e.Code, // so that errors have the line of the face
			}
			p, err := Load(o)
			if err != nil {
				t.Fatalf("%s: %v", e.Pos, err)
			}
			defer p.Close(t.Context())
			if len(p.Tests()) == 0 {
				return
			}
			if err := RunTests(t.Context(), o, "", func(r TestResult) {
				if r.Err != nil {
					t.Errorf("%s: test %q: %v", e.Pos, r.Name, r.Err)
				}
			}); err != nil {
				t.Errorf("%s: %v", e.Pos, err)
			}
		})
	}
}

// exampleFolder has the files that examples use.
func exampleFolder(t *testing.T) string {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"data.csv": "a,b\n1,2\n", "public/hello.txt": "hello\n", "templates/page.html": "<h1>{{ title }}</h1>\n",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// answerAll answers every request with a little JSON.
type answerAll struct{}

func (answerAll) RoundTrip(r *http.Request) (*http.Response, error) {
	body := `{"ok":true}`
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/json"}, "Content-Length": {"11"}, "Set-Cookie": {"a=1", "b=2"}},
		Body:   io.NopCloser(strings.NewReader(body)),
	}, nil
}
