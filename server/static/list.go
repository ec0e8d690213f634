package static

import (
	"cmp"
	"encoding/json"
	"errors"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxEntries bounds what one listing reads and shows.
const maxEntries = 10_000

// Entry is one line of a folder listing, in HTML and in JSON.
type Entry struct {
	Name     string    `json:"name"`
	Dir      bool      `json:"dir"`
	Size     int64     `json:"size"` // bytes; 0 for a folder
	Modified time.Time `json:"modified"`
}

// Href is the relative link to the entry. It begins with "./", so that a name
// such as "javascript:x" stays a name.
func (e Entry) Href() template.URL {
	href := "./" + url.PathEscape(e.Name)
	if e.Dir {
		href += "/"
	}
	return template.URL(href)
}

type listing struct {
	Title   string
	Up      bool
	More    bool
	Entries []Entry
}

// list writes the content of the open folder f. It is never cached: a folder
// has no ETag.
func (h *Handler) list(w http.ResponseWriter, r *http.Request, root *os.Root, folder string, f *os.File) error {
	l, err := h.read(root, folder, f)
	if err != nil {
		return err
	}
	var body strings.Builder
	kind := "text/html; charset=utf-8"
	if prefersJSON(r.Header) {
		kind = "application/json"
		err = json.NewEncoder(&body).Encode(l.Entries)
	} else {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		err = page.Execute(&body, l)
	}
	if err != nil {
		return err
	}
	head := w.Header()
	head.Set("Content-Type", kind)
	head.Set("Content-Length", strconv.Itoa(body.Len()))
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Cache-Control", "no-cache")
	if !slices.Contains(head["Vary"], "Accept") {
		head.Add("Vary", "Accept")
	}
	if r.Method != http.MethodHead {
		io.WriteString(w, body.String())
	}
	return nil
}

func (h *Handler) read(root *os.Root, folder string, f *os.File) (listing, error) {
	found, err := f.ReadDir(maxEntries + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return listing{}, err
	}
	l := listing{Title: "/", Up: folder != ".", More: len(found) > maxEntries, Entries: []Entry{}}
	if l.Up {
		l.Title = "/" + folder + "/"
	}
	for _, d := range found[:min(len(found), maxEntries)] {
		if e, ok := h.entry(root, folder, d); ok {
			l.Entries = append(l.Entries, e)
		}
	}
	slices.SortFunc(l.Entries, func(a, b Entry) int {
		if a.Dir != b.Dir {
			if a.Dir {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return l, nil
}

// entry describes what a request for the name would serve. What it would not
// serve (dot files, pipes, links that leave the root) is not listed.
func (h *Handler) entry(root *os.Root, folder string, d fs.DirEntry) (Entry, bool) {
	if _, _, ok := clean(d.Name(), h.opts.DotFiles); !ok || h.opts.hides(path.Join(folder, d.Name())) || strings.HasPrefix(d.Name(), ".") && !h.opts.DotFiles {
		return Entry{}, false
	}
	info, err := root.Stat(path.Join(folder, d.Name()))
	if err != nil || !info.Mode().IsRegular() && !info.IsDir() {
		return Entry{}, false
	}
	e := Entry{Name: d.Name(), Dir: info.IsDir(), Modified: info.ModTime().UTC().Truncate(time.Second)}
	if !e.Dir {
		e.Size = info.Size()
	}
	return e, true
}

var page = template.Must(template.New("listing").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Title}}</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color-scheme: light dark }
table { border-collapse: collapse; width: 100% }
td { padding: .15rem .5rem }
td + td { text-align: right; white-space: nowrap; opacity: .7 }
</style>
</head>
<body>
<h1>{{.Title}}</h1>
<table>
{{- if .Up}}
<tr><td><a href="../">../</a></td><td></td><td></td></tr>
{{- end}}
{{- range .Entries}}
<tr><td><a href="{{.Href}}">{{.Name}}{{if .Dir}}/{{end}}</a></td><td>{{if not .Dir}}{{.Size}}{{end}}</td><td>{{.Modified.Format "2006-01-02 15:04"}}</td></tr>
{{- end}}
</table>
{{- if .More}}
<p>There are more entries than are shown.</p>
{{- end}}
</body>
</html>
`))
