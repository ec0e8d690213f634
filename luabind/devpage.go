package luabind

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"rws/luabind/fault"
	"rws/server"
	"rws/server/middleware"
	"rws/server/problem"
)

// Paths that exist in development only.
const (
	reloadPath = "/_rws/reload"
	errorsPath = "/_rws/errors/"
)

// keptErrors is how many failures can be looked at again.
const keptErrors = 50

// A development is what an app has in development only: pages for failures, and browsers
// that reload with the app.
type development struct {
	program *Program

	mu         sync.Mutex
	generation string          // changes when browsers are to load their pages again
	failed     []failedRequest // the last ones, oldest first
	broken     string          // why the newest version of the script does not load
	changed    chan struct{}   // closed when broken changes
}

// A failedRequest is one that ended with status 500 or above.
type failedRequest struct {
	id    string
	page  fault.PageData
	fault *fault.Error
}

func newDevelopment(p *Program) *development {
	return &development{program: p, generation: rand.Text(), changed: make(chan struct{})}
}

func (d *development) routes() []server.Route {
	return []server.Route{
		{Method: http.MethodGet, Pattern: reloadPath, Handler: d.private(d.serveReload), Kind: "rws", Summary: "tells browsers to reload"},
		{Method: http.MethodGet, Pattern: errorsPath + ":id", Handler: d.private(d.serveError), Kind: "rws", Summary: "shows a failure"},
	}
}

// Broken tells the browsers that the newest version of the script does not load; "" that
// it does again.
func (p *Program) Broken(why string) {
	if p.dev == nil {
		return
	}
	p.dev.mu.Lock()
	defer p.dev.mu.Unlock()
	if p.dev.broken != why {
		p.dev.broken = why
		close(p.dev.changed)
		p.dev.changed = make(chan struct{})
	}
}

// Refresh makes the browsers load their pages again, in development.
func (p *Program) Refresh() {
	if p.dev == nil {
		return
	}
	p.dev.mu.Lock()
	defer p.dev.mu.Unlock()
	p.dev.generation = rand.Text()
	close(p.dev.changed)
	p.dev.changed = make(chan struct{})
}

// serveReload is an event stream that sends the generation of the app, and why the newest
// one does not load. It ends when the app is replaced; the browser then asks again.
func (d *development) serveReload(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	control := http.NewResponseController(w)
	leaving := exchangeOf(r).Leaving()
	for {
		d.mu.Lock()
		broken, changed, generation := d.broken, d.changed, d.generation
		d.mu.Unlock()
		fmt.Fprintf(w, "retry: 200\nevent: app\ndata: %s\n\nevent: broken\n", generation)
		for line := range bytes.Lines([]byte(broken + "\n")) {
			fmt.Fprintf(w, "data: %s\n", bytes.TrimRight(line, "\r\n"))
		}
		fmt.Fprint(w, "\n")
		if control.Flush() != nil {
			return
		}
		select {
		case <-changed:
		case <-leaving:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// reloadScript is what pages get in development, inside of script tags.
const reloadScript = `(function(){var g,e=new EventSource("` + reloadPath + `");
e.addEventListener("app",function(m){if(g&&g!==m.data)location.reload();g=m.data});
e.addEventListener("broken",function(m){var b=document.getElementById("rws-broken");
if(!m.data){if(b)b.remove();return}
if(!b){b=document.createElement("pre");b.id="rws-broken";b.style.cssText="position:fixed;inset:auto 0 0 0;margin:0;padding:1em 1.5em;max-height:60vh;overflow:auto;background:#2b1111;color:#ffd9d9;font:13px/1.5 monospace;z-index:2147483647;white-space:pre-wrap";document.body.appendChild(b)}
b.textContent=m.data})})()`

// inject adds the script to an answer that is a page, unless the page has a policy that does not
// let it in: that of the built-in pages, or one without a nonce.
func (d *development) inject(res *response, h http.Header, r *http.Request) {
	t := res.contentType()
	if res.buf == nil || len(t) == 0 || t[0] != typeHTML[0] || res.header["Content-Security-Policy"] != nil {
		return
	}
	nonce := middleware.Nonce(r.Context())
	if h["Content-Security-Policy"] != nil && nonce == "" {
		return
	}
	*res.buf = withReload(*res.buf, nonce)
}

// withReload adds the script to a page that has a body.
func withReload(page []byte, nonce string) []byte {
	end := bytes.LastIndex(page, []byte("</body>"))
	if end < 0 {
		return page
	}
	tag := "<script"
	if nonce != "" {
		tag += ` nonce="` + nonce + `"`
	}
	return slices.Insert(page, end, []byte(tag+">"+reloadScript+"</script>")...)
}

// remember keeps a failure for its page.
func (p *Program) remember(id string, r *http.Request, e *fault.Error) {
	if p.dev == nil {
		return
	}
	d := p.dev
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.failed) == keptErrors {
		d.failed = d.failed[1:]
	}
	d.failed = append(d.failed, failedRequest{id, p.page(r, e), e})
}

func (p *Program) page(r *http.Request, e *fault.Error) fault.PageData {
	ex := exchangeOf(r)
	return fault.PageData{Method: r.Method, Path: r.URL.RequestURI(), Status: statusOf(e), ID: ex.ID(), Duration: time.Since(ex.Start), Header: r.Header}
}

// serveError shows a failure again.
func (d *development) serveError(w http.ResponseWriter, r *http.Request) {
	id, _ := paramsOf(r).Get("id")
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.failed {
		if f.id == id {
			writePage(w, f.fault.HTML(d.program.Source, f.page), http.StatusOK)
			return
		}
	}
	problem.Write(w, r, problem.Details{Status: http.StatusNotFound, Detail: "no failure with this id is kept; the last 50 are"})
}

// pagePolicy lets the page have its style and reloadScript, and nothing else.
var pagePolicy = sync.OnceValue(func() string {
	sum := sha256.Sum256([]byte(reloadScript))
	return "default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; script-src 'sha256-" +
		base64.StdEncoding.EncodeToString(sum[:]) + "'"
})

func writePage(w http.ResponseWriter, page []byte, status int) {
	h := w.Header()
	h["Content-Type"] = typeHTML
	h.Set("Content-Security-Policy", pagePolicy())
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(withReload(page, ""))
}

// writeDevelopment shows a failure of the script to its author: a page, or the text that
// the terminal shows.
func (p *Program) writeDevelopment(w http.ResponseWriter, r *http.Request, e *fault.Error, status int) {
	if problem.WantsHTML(r) {
		writePage(w, e.HTML(p.Source, p.page(r, e)), status)
		return
	}
	problem.Write(w, r, problem.Details{Status: status, ID: exchangeOf(r).ID(), Detail: e.Text(p.Source, fault.TextOptions{})})
}
