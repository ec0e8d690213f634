package luabind_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
	"rws/server"
)

// send posts a body of a content type.
func send(t *testing.T, p *luabind.Program, contentType, body string) *httptest.ResponseRecorder {
	t.Helper()
	h, err := server.Compile(p.App)
	require.NoError(t, err)
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const (
	ofParts = "multipart/form-data; boundary=b"
	onePart = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n"
)

func TestMultipartForms(t *testing.T) {
	p := newApp(t, `app:post("/", function(c)
		local f = c.files.f
		return { a = c.form.a, f = f and f:read(), name = f and f.name, size = f and f.size }
	end)`, nil)
	file := func(name, content string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"" + name + "\"\r\n\r\n" + content + "\r\n"
	}
	for name, test := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"whole":                {onePart + "--b--\r\n", 200, `{"a":"1"}`},
		"text around":          {"before\r\n" + onePart + "--b--\r\nafter", 200, `{"a":"1"}`},
		"a file":               {file("x.txt", "hi") + "--b--", 200, `{"f":"hi","name":"x.txt","size":2}`},
		"folders of windows":   {file(`C:\\a\\b.png`, "hi") + "--b--", 200, `"name":"b.png"`},
		"folders of unix":      {file("../../etc/passwd", "hi") + "--b--", 200, `"name":"passwd"`},
		"no file chosen":       {file("", "") + onePart + "--b--", 200, `{"a":"1"}`},
		"cut in a head":        {onePart + "--b\r\nContent-Disposition: form-da", 400, "ends in the middle"},
		"cut in the first":     {"--b\r\nContent-Dispo", 400, "missing colon"},
		"cut in a part":        {"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1", 400, "ends in the middle"},
		"cut before the end":   {onePart + "--b", 400, "ends in the middle"},
		"nothing":              {"", 400, "ends in the middle"},
		"no name":              {"--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--", 400, "part 1 of the form has no name"},
		"no disposition":       {onePart + "--b\r\nX-Y: z\r\n\r\n1\r\n--b--", 400, "part 2 of the form has no name"},
		"more than 1000 parts": {strings.Repeat(onePart, 1001) + "--b--", 413, "more than 1000 parts"},
	} {
		w := send(t, p, ofParts, test.body)
		assert.Equal(t, test.status, w.Code, "%s: %s", name, w.Body)
		assert.Contains(t, w.Body.String(), test.want, name)
	}
	assert.Equal(t, 400, send(t, p, "multipart/form-data", onePart).Code, "no boundary")
}

func TestPlainFormsOfManyFieldsAreRefused(t *testing.T) {
	p := newApp(t, `app:post("/", function(c) return { a = c.form.a } end)`, nil)
	assert.JSONEq(t, `{"a":"1"}`, send(t, p, "application/x-www-form-urlencoded", "a=1&b=2").Body.String())
	w := send(t, p, "application/x-www-form-urlencoded", strings.Repeat("a=1&", 10_001))
	assert.Equal(t, 413, w.Code)
	assert.Contains(t, w.Body.String(), "more than 10000 fields")
}

func TestLargeFilesLieOnDiskUntilTheRequestIsOver(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	p := newApp(t, `app:post("/", function(c)
		c.files.f:save("copy")
		return { c.files.f.size, #rws.fs.read("copy"), #c.files.f:read() }
	end)`, nil)
	const size = 3 << 20
	body := "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n" + strings.Repeat("x", size) + "\r\n--b--"
	assert.Equal(t, fmt.Sprintf("[%d,%d,%d]", size, size, size), send(t, p, ofParts, body).Body.String())
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestBothWaysToABodyThatIsTooLargeSayTheSame(t *testing.T) {
	p := newApp(t, `app:post("/", { max_body = "2kb" }, function(c) return c.body end)`, nil)
	h, err := server.Compile(p.App)
	require.NoError(t, err)
	for _, length := range []int64{5000, -1} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", 5000)))
		r.ContentLength = length
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		assert.Equal(t, 413, w.Code)
		assert.Contains(t, w.Body.String(), "the request body is larger than 2kb")
	}
}

func FuzzMultipart(f *testing.F) {
	f.Add("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--")
	f.Add("--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"c\"\r\n\r\n1\r\n--b--")
	f.Fuzz(func(t *testing.T, body string) {
		p := newApp(t, `app:post("/", function(c) return { c.form, #c.files } end)`, nil)
		if w := send(t, p, ofParts, body); w.Code >= 500 {
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		}
	})
}
