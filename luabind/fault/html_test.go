package fault_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"rws/luabind/fault"
)

const notes = `local db = db

-- rows of <users> are cached
local function show(c)
	local id   = c.params.id
	local user = db:one("select * from users where id = ? and name <> '<b>'", id)
	local token = ("hunter"):rep(2)
	if not id then return 404 end
	return { name = user.name .. " & friends", age = 42 }
end

local app = { show = show }

return function(c)
  local note = app.show(c)
  return note
end
`

func notesPage(t *testing.T) string {
	w := newWorld(t)
	e := w.run(notes)
	if e == nil {
		t.Fatal("the script did not fail")
	}
	return string(e.HTML(w.source, fault.PageData{
		Method: "GET", Path: "/api/notes/9?q=<script>", Status: 500, ID: "7f3a91", Duration: 3217 * time.Microsecond,
		Header: http.Header{
			"Accept": {"text/html"}, "Cookie": {"sid=hunter2"}, "Authorization": {"Bearer hunter2"}, "X-Api-Key": {"hunter2"},
			"User-Agent": {"Mozilla/5.0 \u202etest"},
		},
	}))
}

func TestPage(t *testing.T) {
	page := notesPage(t)
	if file := os.Getenv("FAULT_PAGE"); file != "" { // to look at it
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		"GET /api/notes/9?q=&lt;script&gt;", ">500<", "7f3a91", "3.22ms", "app.lua:9", "attempt to index `user` (nil)",
		"db:one returns nil when no row matches", "&lt;users&gt;", "app.show", "function at line 14", "[redacted]", "text/html",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, never := range []string{"<script", "hunterhunter", "hunter2", "Bearer", "\u202e", "http-equiv", "src=", "href=", "url("} {
		if strings.Contains(page, never) {
			t.Errorf("the page has %q", never)
		}
	}
}

func TestPageWithoutSource(t *testing.T) {
	page := string((&fault.Error{Message: "no <b>database</b>"}).HTML(nil, fault.PageData{}))
	if !strings.Contains(page, "no &lt;b&gt;database&lt;/b&gt;") || strings.Contains(page, "<h2>") {
		t.Errorf("page: %s", page)
	}
}
