package luabind

import (
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"path/filepath"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/server/static"
)

// staticOptions are the options of app:static.
type staticOptions struct {
	Index         []string    `json:"index"`
	SPA           bool        `json:"spa"`
	List          bool        `json:"list"`
	Precompressed bool        `json:"precompressed"`
	Cache         *lua.LValue `json:"cache"`
	Immutable     bool        `json:"immutable"`
	DotFiles      bool        `json:"dot_files"`
}

func appStatic(L *lua.LState, a *App) int {
	a.mustLoad(L, "app:static")
	prefix := checkPrefix(L, "app:static", 2)
	folder := L.CheckString(3)
	o := bind.Options[staticOptions](L, "app:static", 4)
	so := static.Options{Index: o.Index, SPA: o.SPA, List: o.List, Precompressed: o.Precompressed, Immutable: o.Immutable, DotFiles: o.DotFiles}
	if o.Cache != nil {
		d, err := bind.ParseDuration((*o.Cache).String())
		if err != nil {
			fault.Raisef(L, "option", "app:static: option \"cache\": %s", err)
		}
		so.Cache = d
	}
	so.Name = wildcard
	so.Error = func(w http.ResponseWriter, r *http.Request, status int) { a.state.program.Miss(w, r, status, nil) }
	p := a.state.program
	if real, ok := p.lies(folder); !ok {
		fault.Raisef(L, "permission", "app:static: %s is outside of the app's folder; allow it with app:config { fs = { allow = { %q } } }", folder, real)
	}
	if p.holdsApp(folder) {
		if o.DotFiles {
			fault.Raisef(L, "permission", "app:static: dot_files would serve .env and .rws: %q is the app's own folder; keep public files in one of their own", folder)
		}
		if a.state.isolate.Number() == 0 && p.options.Source == "" {
			p.logger.Warn("app:static: this is the app's own folder: its scripts, templates, databases and keys are not served; keep public files in a folder of their own", "folder", folder, "at", fault.Where(L))
		}
	}
	so.Hide = p.hides(folder)
	h, err := static.New(p.path(folder), so)
	if err != nil {
		fault.Raisef(L, "folder", "app:static: %s", strings.TrimPrefix(err.Error(), "static: "))
	}
	if a.state.isolate.Number() == 0 {
		p.statics = append(p.statics, staticFolder{folder, fault.Where(L)})
	}
	if place := p.path(folder); a.state.isolate.Number() == 0 && (!p.holdsApp(folder) || p.options.Source != "") && isBelow(place, p.dir) {
		p.pages = append(p.pages, place)
	}
	a.add(L, "app:static", &route{method: http.MethodGet, pattern: prefix + "/*", native: slashed(p.refreshed(h)), kind: "static"})
	return 0
}

// slashed sends a request for the folder itself to the name with a slash, or relative links
// on its page would miss.
func slashed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, _ := paramsOf(r).Get("*"); name != "" || strings.HasSuffix(r.URL.Path, "/") {
			h.ServeHTTP(w, r)
			return
		}
		to := "./" + path.Base(r.URL.EscapedPath()) + "/"
		if r.URL.RawQuery != "" {
			to += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusMovedPermanently)
	})
}

// wildcard returns the part of the path that a route's "*" caught.
func wildcard(r *http.Request) string {
	name, _ := paramsOf(r).Get("*")
	return "/" + strings.TrimPrefix(path.Clean("/"+name), "/") + trailingSlash(name)
}

func trailingSlash(name string) string {
	if strings.HasSuffix(name, "/") && path.Clean("/"+name) != "/" {
		return "/"
	}
	return ""
}

// lies reports whether a folder is in the app's or in one of fs.allow, by its name and by where
// symbolic links lead, and returns where that is.
func (p *Program) lies(folder string) (real string, ok bool) {
	place := p.path(folder)
	if real = realPath(place); real == place {
		return place, p.allowed(place)
	}
	return real, p.allowed(place) && slices.ContainsFunc(append([]string{p.dir}, p.Config.FSAllow...), func(allowed string) bool {
		return isBelow(real, realPath(p.path(allowed)))
	})
}

// realPath is a place without symbolic links, as far as it exists.
func realPath(place string) string {
	if real, err := filepath.EvalSymlinks(place); err == nil {
		return real
	}
	return place
}

func isBelow(place, folder string) bool {
	below, err := filepath.Rel(folder, place)
	return err == nil && filepath.IsLocal(below)
}

// holdsApp reports whether the app itself lies in a folder.
func (p *Program) holdsApp(folder string) bool {
	return isBelow(realPath(p.dir), realPath(p.path(folder)))
}

// secretTypes are the files of an app's folder that are nobody's business.
var secretTypes = []string{".lua", ".db", ".db-wal", ".db-shm", ".db-journal", ".sqlite", ".sqlite3", ".sqlite-wal", ".sqlite-shm", ".pem", ".key"}

// public returns why a file may not be sent by c:file, whose name may be a visitor's: it is not there,
// or it is one of those of the app's own folder that app:static doesn't serve either. That is told as
// if it were not there.
func (p *Program) public(name string) error {
	if _, err := p.stat(name); err != nil {
		return err
	}
	below, err := filepath.Rel(realPath(p.dir), realPath(p.path(name)))
	if err != nil || !filepath.IsLocal(below) {
		return nil // of fs.allow
	}
	hidden := p.private(p.dir)
	at := ""
	for part := range strings.SplitSeq(filepath.ToSlash(below), "/") {
		if at += "/" + part; part[0] == '.' && part != ".well-known" || hidden(at) {
			return &fs.PathError{Op: "open", Path: name, Err: errPrivate}
		}
	}
	return nil
}

// errPrivate is for files that are nobody's business.
var errPrivate = fmt.Errorf("%w: scripts, templates, databases, keys and names that begin with a dot are not sent; read one that is meant for visitors with rws.fs.read", fs.ErrNotExist)

// private returns what is hidden of a folder in which the app lies.
func (p *Program) private(folder string) func(name string) bool {
	return func(name string) bool {
		if slices.Contains(secretTypes, strings.ToLower(path.Ext(name))) || path.Base(name) == "lua_modules" {
			return true
		}
		place := filepath.Join(p.path(folder), filepath.FromSlash(name))
		own := append(p.TLSFiles(), p.path(p.Config.Templates), filepath.Join(p.dir, p.Main()))
		return slices.Contains(own, place)
	}
}
