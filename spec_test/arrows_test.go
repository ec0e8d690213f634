package spec_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floors says on which floor of server/ a package stands. A package imports only lower
// floors, so that each can be understood with what is below it, and nothing goes in a circle.
// What a new package does decides its floor:
//
//	-1 footing: words and numbers only, without state and without waiting
//	0  ground: knows one thing, and no other package of ours but the footing
//	1  capability: one thing the server can do, on the ground
//	2  assembly: capabilities put together for HTTP
//	3  a proxy: assemblies before servers that are not ours
//	4  the whole
var floors = map[string]int{
	"suggest": -1, "status": -1, "fieldname": -1, "discard": -1,

	"secret": 0, "redis": 0, "logs": 0, "metrics": 0, "health": 0, "trace": 0, "router": 0, "certs": 0, "db": 0,
	"db/migrate": 1,
	"client":     0, "reload": 0, "schema": 0, "cancel": 0, "proxy/window": 0,

	"cookie": 1, "cache": 1, "ratelimit": 1, "jobs": 1, "storage": 1, "auth": 1, "auth/password": 1, "auth/jwt": 1, "mail": 1,
	"websocket": 1, "sse": 1, "pubsub": 1, "static": 1, "template": 1, "i18n": 1, "relay": 1,
	"http1/wire": 0, "proxy/transport": 1, "proxy/balance": 1, "proxy/health": 1, "proxy/breaker": 1, "listen": 1, "http1": 1, "http3": 1, "flood": 1,
	"proxy/discover": 1, "proxy/upstream": 2,
	"exchange": 1, "problem": 1, "rewrite": 1,
	"certs/acme": 1, "certs/local": 1,

	"auth/apikey": 2, "auth/basic": 2, "auth/bearer": 2, "auth/forward": 2, "auth/require": 2, "webhook": 2,
	"session": 2, "middleware": 2, "upgrade": 2, "httpcache": 2, "proxy/fastcgi": 2, "openapi": 2, "graphql": 2, "mcp": 2, "admin": 2,

	"proxy": 3,

	"": 4,
}

// module is the path that all packages of ours begin with.
const module = "rws"

// support is for tests: peers starts real servers, logtext keeps what is written meanwhile. They stand outside the
// floors: tests of any package of server/ and luabind/ import them, and they import nothing of ours.
var support = []string{"spec_test/peers", "spec_test/logtext"}

// A pkg is a folder with Go files.
type pkg struct {
	dir     string // below the module, "." for the top
	doc     bool   // one of its files has a package comment
	imports []edge
}

// An edge is one import.
type edge struct {
	path string
	test bool // by a test file
	at   string
}

// source is a Go file of the module.
type source struct {
	dir, name string
	ast       *ast.File
	set       *token.FileSet
}

// sources parses every Go file.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() != ".." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(name) != ".go":
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel("..", filepath.Dir(name))
		all = append(all, source{filepath.ToSlash(dir), d.Name(), file, set})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Fatalf("only %d Go files were found: is this the module?", len(all))
	}
	return all
}

// packages groups the files by folder.
func packages(t *testing.T) []*pkg {
	byDir := make(map[string]*pkg)
	for _, s := range sources(t) {
		p := byDir[s.dir]
		if p == nil {
			p = &pkg{dir: s.dir}
			byDir[s.dir] = p
		}
		test := strings.HasSuffix(s.name, "_test.go")
		p.doc = p.doc || s.ast.Doc != nil && (!test || s.dir == "spec_test")
		for _, spec := range s.ast.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			p.imports = append(p.imports, edge{to, test, path.Join(s.dir, s.name)})
		}
	}
	var all []*pkg
	for _, p := range byDir {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *pkg) int { return cmp.Compare(a.dir, b.dir) })
	return all
}

// below returns what follows "rws/" in an import of ours.
func below(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func in(dir, room string) bool { return dir == room || strings.HasPrefix(dir, room+"/") }

// TestArrows keeps main -> luabind -> server, and stdlib and spec_test apart.
func TestArrows(t *testing.T) {
	for _, p := range packages(t) {
		for _, e := range p.imports {
			if why := wrongArrow(p.dir, e); why != "" {
				t.Errorf("%s imports %s: %s", e.at, e.path, why)
			}
		}
	}
}

// wrongArrow says why a package may not have an import, or "".
func wrongArrow(dir string, e edge) string {
	to, ours := below(e.path)
	lua := strings.HasPrefix(e.path, "github.com/yuin/gopher-lua")
	switch {
	case lua && !in(dir, "luabind"):
		return "only luabind knows that scripts are Lua; the engine serves a server.App, whoever filled it"
	case !ours:
		return ""
	case slices.Contains(support, to):
		if !e.test {
			return "only tests need what helps tests"
		}
		if !in(dir, "server") && !in(dir, "luabind") && !in(dir, "spec_test") {
			return "stdlib and main have no use for what helps tests"
		}
		return ""
	case dir == ".":
		if to != "luabind/command" {
			return "main hands its arguments to luabind/command and knows nothing else"
		}
	case in(dir, "server"):
		if !in(to, "server") {
			return "the engine must be useful without Lua: luabind imports server, never the reverse"
		}
		return wrongFloor(strings.TrimPrefix(strings.TrimPrefix(dir, "server"), "/"), strings.TrimPrefix(strings.TrimPrefix(to, "server"), "/"), e.test)
	case in(dir, "luabind"):
		if !in(to, "luabind") && !in(to, "server") && !in(to, "stdlib") && to != "examples" {
			return "luabind stands on server, stdlib and examples alone"
		}
		if to == "luabind/command" && dir != "luabind/command" {
			return "commands stand on top; nothing but main may need one"
		}
	case in(dir, "stdlib"), in(dir, "examples") && !e.test:
		return dir + " is text: it imports nothing of ours"
	case in(dir, "spec_test"):
		return "specs see the binary from outside, as a user does"
	}
	return ""
}

// wrongFloor says why one package of server/ may not import another. Test files may import
// their own floor: they put siblings together to see that they fit.
func wrongFloor(from, to string, test bool) string {
	low, ok := floors[from]
	high, ok2 := floors[to]
	if from == to || !ok || !ok2 {
		return "" // TestFloors reports what has no floor
	}
	if high < low || test && high == low {
		return ""
	}
	return fmt.Sprintf("server/%s is on floor %d and server/%s on floor %d; a package imports only lower floors, see DESIGN.md §1 and the table floors in this test", from, low, to, high)
}

// TestFloors wants a floor for every package of server/.
func TestFloors(t *testing.T) {
	for _, p := range packages(t) {
		if !in(p.dir, "server") {
			continue
		}
		name := strings.TrimPrefix(strings.TrimPrefix(p.dir, "server"), "/")
		if _, ok := floors[name]; !ok {
			t.Errorf("%s has no floor: add %q to the table floors in spec_test/arrows_test.go, on the lowest floor its imports allow", p.dir, name)
		}
	}
}

// TestTop keeps the top of the module to the rooms a newcomer has to know. Other files may
// lie there while somebody tries something.
func TestTop(t *testing.T) {
	rooms := []string{"main.go", "server", "luabind", "stdlib", "examples", "spec_test"}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() && filepath.Ext(e.Name()) != ".go" || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if !slices.Contains(rooms, e.Name()) {
			t.Errorf("%s lies at the top: it belongs into one of %s", e.Name(), strings.Join(rooms, ", "))
		}
	}
}

// TestHouse keeps the rules that hold for every package.
func TestHouse(t *testing.T) {
	for _, p := range packages(t) {
		if !p.doc {
			t.Errorf("%s has no package comment: say what it is for, above the package clause of one of its files", p.dir)
		}
		if name := path.Base(p.dir); slices.Contains([]string{"util", "utils", "common", "helpers", "misc"}, name) {
			t.Errorf("%s: %q says nothing; name the package after what it does", p.dir, name)
		}
	}
	for _, s := range sources(t) {
		for _, d := range s.ast.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: func init: what runs by itself is found by nobody; put it into a list in a function", s.set.Position(f.Pos()))
			}
		}
	}
}

// TestGoVersion keeps the version in go.mod exact, so that every machine builds with the same.
func TestGoVersion(t *testing.T) {
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^module rws$`).Match(text) {
		t.Error("go.mod: the module is called rws")
	}
	if !regexp.MustCompile(`(?m)^go 1\.\d+\.\d+$`).Match(text) {
		t.Error(`go.mod: the go line names an exact version, as in "go 1.26.8"`)
	}
}

// TestArrowsFail sees that the rules do refuse what they are there for.
func TestArrowsFail(t *testing.T) {
	for _, c := range []struct {
		dir, to string
		test    bool
		wrong   bool
	}{
		{".", "rws/luabind/command", false, false},
		{".", "rws/server", false, true},
		{"server/static", "github.com/yuin/gopher-lua/parse", false, true},
		{"server/static", "rws/luabind/vm", true, true},
		{"server/router", "rws/server/suggest", false, false},
		{"server/router", "rws/server/schema", false, true},
		{"server/router", "rws/server/schema", true, false},
		{"server/exchange", "rws/server/router", false, false},
		{"server", "rws/server/listen", false, false},
		{"server/listen", "rws/server", true, true},
		{"luabind", "rws/server/client", false, false},
		{"luabind", "rws/luabind/command", true, true},
		{"luabind/bind", "rws/spec_test", true, true},
		{"stdlib", "rws/server/suggest", false, true},
		{"stdlib", "embed", false, false},
		{"spec_test", "rws/server", true, true},
		{"server/db", "rws/spec_test/peers", true, false},
		{"server/db", "rws/spec_test/peers", false, true},
		{"luabind", "rws/spec_test/peers", true, false},
		{"spec_test/peers", "rws/server/db", true, true},
		{"stdlib", "rws/spec_test/peers", true, true},
		{"server/listen", "rws/spec_test/logtext", true, false},
		{"luabind/repl", "rws/spec_test/logtext", false, true},
		{"spec_test/logtext", "rws/server/logs", true, true},
	} {
		if why := wrongArrow(c.dir, edge{path: c.to, test: c.test}); (why != "") != c.wrong {
			t.Errorf("%s -> %s (test: %v): %q", c.dir, c.to, c.test, why)
		}
	}
}
