package luadoc_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"rws/luabind/luadoc"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.ReplaceAll(string(want), "\r\n", "\n"), got); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
}

func TestText(t *testing.T) {
	p := faces(t)
	for file, name := range map[string]string{
		"app_get.txt": "app:get", "db_one.txt": "db.one", "db_first.txt": "db.first", "encode.txt": "rws.json.encode",
		"context.txt": "c", "method.txt": "rws.Method", "timeout.txt": "rws.Spec.timeout",
	} {
		s, ok := p.Lookup(name)
		if !ok {
			t.Fatalf("no %s", name)
		}
		golden(t, file, luadoc.Text(s, 72, false))
	}
}

func TestMarkdown(t *testing.T) { golden(t, "manual.md", luadoc.Markdown(faces(t))) }

func TestEveryNameIsInTheManual(t *testing.T) {
	p := faces(t)
	manual := luadoc.Markdown(p)
	for _, f := range p.Functions {
		if !strings.Contains(manual, "### `"+luadoc.Signature(f)+"`") {
			t.Errorf("%s is missing", f.Name)
		}
	}
	for _, f := range p.Fields {
		if f.Name != "app" && !strings.Contains(manual, "- `"+f.Call) {
			t.Errorf("%s is missing", f.Name)
		}
	}
}

func TestTextKeepsToItsWidth(t *testing.T) {
	s, _ := faces(t).Lookup("app:get")
	for _, width := range []int{30, 50, 72, 100} {
		for line := range strings.Lines(luadoc.Text(s, width, false)) {
			line = strings.TrimSuffix(line, "\n")
			isCode := strings.HasPrefix(line, "    app:get(") || strings.HasPrefix(line, "      return")
			isHead := strings.Contains(line, "rws.Handler|") || strings.HasPrefix(line, "app:get")
			if n := utf8.RuneCountInString(line); n > width && !isCode && !isHead {
				t.Errorf("width %d: %d columns in %q", width, n, line)
			}
		}
	}
}

func TestTextWithoutWidthBreaksNothing(t *testing.T) {
	p, err := parse("---" + strings.Repeat("word ", 100) + "\nfunction f() end")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := p.Lookup("f")
	if got := luadoc.Text(s, 0, false); !strings.Contains(got, strings.TrimSpace(strings.Repeat("word ", 100))) {
		t.Errorf("broken: %q", got)
	}
}

func TestColorAddsOnlyEscapes(t *testing.T) {
	p := faces(t)
	for _, f := range p.Functions {
		plain, colored := luadoc.Text(f, 60, false), luadoc.Text(f, 60, true)
		if strings.Contains(plain, "\x1b") || !strings.Contains(colored, "\x1b[1m") {
			t.Errorf("%s: escapes in the wrong version", f.Name)
		}
		for _, e := range []string{"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[33m", "\x1b[36m"} {
			colored = strings.ReplaceAll(colored, e, "")
		}
		if colored != plain {
			t.Errorf("%s: %s", f.Name, cmp.Diff(plain, colored))
		}
	}
}

// FuzzParse gives any text as a file: no panic, errors that name a line, and whatever is accepted
// can be looked up and shown.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/faces/*.lua")
	if err != nil || len(files) == 0 {
		f.Fatal("no faces", err)
	}
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(src))
	}
	for _, src := range []string{
		"---@class : A", "---@field [x", "---@class A\n---@field [", "---@param ", "---@return fun(", "---@alias a fun():",
		"---@type '", "x = '", "--[==[", "x = [[\n---@foo\n]]", "function", "function (", "local function", "---@class A.\nA. = {}",
		"---```\n---```lua\n---", "---@class a\na = {}\n---@type a\na.b = 1\n---@type a\na.b.c = 1", "---@", "---@class A.B\nlocal b = {}",
	} {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		p, err := parse(src)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "a.lua:") {
				t.Fatalf("no place: %v", err)
			}
			return
		}
		luadoc.Markdown(p)
		p.Undefined()
		p.Suggest("rws.x")
		for _, s := range symbols(p) {
			luadoc.Text(s, 40, true)
			p.Members(s.Head().Name)
			if _, ok := p.Lookup(s.Head().Name); !ok {
				t.Fatalf("%T %q is declared and not found", s, s.Head().Name)
			}
		}
	})
}

func symbols(p *luadoc.Package) (all []luadoc.Symbol) {
	for _, s := range p.Classes {
		all = append(all, s)
	}
	for _, s := range p.Functions {
		all = append(all, s)
	}
	for _, s := range p.Fields {
		all = append(all, s)
	}
	for _, s := range p.Aliases {
		all = append(all, s)
	}
	return all
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	fsys := os.DirFS("testdata/faces")
	for b.Loop() {
		if _, err := luadoc.ParseFS(fsys); err != nil {
			b.Fatal(err)
		}
	}
}
