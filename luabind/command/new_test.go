package command_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rws/stdlib"
)

func TestNewMakesAnAppThatRuns(t *testing.T) {
	app(t)
	r := rws(t, "new", "notes")
	r.expect(t, 0, "wrote  "+filepath.Join("notes", "app.lua"), ".gitignore", ".luarc.json", filepath.Join("notes", ".rws", "types"), "cd notes && rws")
	if n := strings.Count(read(t, "notes/app.lua"), "\n"); n != 12 {
		t.Errorf("app.lua has %d lines", n)
	}
	if got := read(t, "notes/.gitignore"); !strings.Contains(got, ".rws/\n") || !strings.Contains(got, ".env\n") {
		t.Errorf(".gitignore is %q", got)
	}
	rws(t, "check", "notes").expect(t, 0, "ok: 2 routes, 1 test")
	rws(t, "test", "notes").expect(t, 0, "1 passed, 0 failed")
}

func TestNewNeverOverwrites(t *testing.T) {
	app(t, "app.lua", "-- mine\n", ".gitignore", "mine\n", ".luarc.json", "{}\n")
	rws(t, "new").expect(t, 0, "kept   app.lua", "kept   .gitignore", "kept   .luarc.json", `add ".rws/types"`)
	for name, want := range map[string]string{"app.lua": "-- mine\n", ".gitignore": "mine\n", ".luarc.json": "{}\n"} {
		if got := read(t, name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
}

func TestNewSaysWhatItCannotWrite(t *testing.T) {
	app(t, "file", "")
	r := rws(t, "new", "file")
	r.expect(t, 1, "file")
	r.refuse(t, "Next:", "goroutine")
}

func TestTypes(t *testing.T) {
	app(t, ".rws/types/rws/gone.lua", "---@meta\n")
	rws(t, "types").expect(t, 0, filepath.Join(".rws", "types"), ".luarc.json")
	if _, err := os.Stat(".rws/types/rws/gone.lua"); err == nil {
		t.Error("a file of an older version stayed")
	}
	err := fs.WalkDir(stdlib.Files(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		want, err := fs.ReadFile(stdlib.Files(), name)
		if got := read(t, filepath.Join(".rws/types", name)); got != string(want) {
			t.Errorf("%s differs", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var settings struct {
		Version string   `json:"runtime.version"`
		Library []string `json:"workspace.library"`
		Globals []string `json:"diagnostics.globals"`
	}
	if err := json.Unmarshal([]byte(read(t, ".luarc.json")), &settings); err != nil {
		t.Fatal(err)
	}
	if settings.Version != "Lua 5.1" || strings.Join(settings.Library, " ") != ".rws/types" || strings.Join(settings.Globals, " ") != "app rws env" {
		t.Errorf("%+v", settings)
	}
	rws(t, "types").expect(t, 0, "kept   .luarc.json")
}

func TestDoc(t *testing.T) {
	app(t)
	r := rws(t, "doc")
	r.expect(t, 0, "NAME", "rws.json", "rws doc NAME")
	r = rws(t, "doc", "rws.json.encode")
	r.expect(t, 0, "rws.json.encode(")
	r.refuse(t, "\x1b")
	for name, want := range map[string]string{"trusted_proxies": "proxies that are believed", "access_log": "a line per request", "session.cookie.name": "__Host-"} {
		rws(t, "doc", name).expect(t, 0, want) // settings by their names too
	}
	rws(t, "doc", "rws.json.encoed").expect(t, 2, `nothing on "rws.json.encoed"`, "did you mean rws.json.encode")
	rws(t, "doc", "upgrade").expect(t, 0, `Nothing is called "upgrade"`, "rws help upgrade", "app:proxy")
	rws(t, "doc", "DbOptions").expect(t, 0, "rws.DbOptions", "max_open")
	rws(t, "doc", "SNI").expect(t, 0, "app:tls")
	rws(t, "doc", "xyzzy").expect(t, 2, `nothing on "xyzzy"`)
	rws(t, "doc", "--markdown").expect(t, 0, "## rws.json\n", "### `rws.json.encode(")
	r = rws(t, "doc", "examples/login")
	r.expect(t, 0, "c:render(name")
	if want := "it needs templates/login.html, which rws doc examples/templates/login.html prints"; !strings.Contains(r.err, want) {
		t.Errorf("%q is missing in %q", want, r.err)
	}
	rws(t, "doc", "examples/templates/login.html").expect(t, 0, "<form")
	rws(t, "__complete", "doc", "rws.json.e").expect(t, 0, "rws.json.encode\n")
}
