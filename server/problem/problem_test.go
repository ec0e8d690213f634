package problem_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/problem"
)

func write(method, accept string, d problem.Details) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/", nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	w := httptest.NewRecorder()
	problem.Write(w, r, d)
	return w
}

func TestProgramsGetProblemJSON(t *testing.T) {
	w := write("GET", "", problem.Details{
		Status: 422, Detail: "the note is not valid", ID: "abc",
		Fields: []problem.Field{{Path: "tags[1]", Code: "too_long", Message: "at most 20"}},
		Extra:  http.Header{"retry-after": {"3"}},
	})
	assert.Equal(t, 422, w.Code)
	assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	assert.Equal(t, "3", w.Header().Get("Retry-After"))
	assert.JSONEq(t, `{"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"the note is not valid",
		"request_id":"abc","errors":[{"path":"tags[1]","code":"too_long","message":"at most 20"}]}`, w.Body.String())
}

func TestWhatIsEmptyIsLeftOut(t *testing.T) {
	assert.JSONEq(t, `{"type":"about:blank","title":"Not Found","status":404}`,
		write("GET", "", problem.Details{Status: 404}).Body.String())
}

func TestAccept(t *testing.T) {
	for accept, html := range map[string]bool{
		"":    false,
		"*/*": false, // curl
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": true, // a browser
		"text/html":                                  true,
		"TEXT/HTML ; Q=1":                            true,
		"text/html;q=0":                              false,
		"text/html;q=0.5, */*":                       false,
		"text/html, */*":                             true,
		"text/html, application/json":                false, // no preference
		"text/html, application/json;q=0.9":          true,
		"text/html;q=0.8, application/json;q=0.9":    false,
		"text/html;q=0.8, application/problem+json":  false,
		"text/html;q=nan":                            false,
		"text/html;q=2":                              false,
		"text/*":                                     false,
		"application/xhtml+xml":                      true,
		"text/htmlx":                                 false,
		"text/html;level=1;q=0.4, application/*;q=1": false,
	} {
		got := write("GET", accept, problem.Details{Status: 404}).Header().Get("Content-Type")
		assert.Equal(t, html, strings.HasPrefix(got, "text/html"), "Accept: %s gave %s", accept, got)
	}
}

func TestThePageRunsNothingAndShowsTextAsText(t *testing.T) {
	w := write("GET", "text/html", problem.Details{Status: 400, Title: "<b>", Detail: "<script>", ID: "id<",
		Fields: []problem.Field{{Path: "<p>", Message: "<m>"}}})
	body := w.Body.String()
	for _, bad := range []string{"<b>", "<script>", "id<", "<p><", "<m>"} {
		if bad == "id<" {
			assert.Contains(t, body, "id&lt;")
			continue
		}
		assert.NotContains(t, body, bad)
	}
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(body)
	require.NotNil(t, style)
	sum := sha256.Sum256([]byte(style[1]))
	policy := w.Header().Get("Content-Security-Policy")
	assert.Contains(t, policy, "default-src 'none'")
	assert.Contains(t, policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'", "or browsers drop the style")
}

func TestHeadHasTheHeaderWithoutTheBody(t *testing.T) {
	get, head := write("GET", "", problem.Details{Status: 404}), write("HEAD", "", problem.Details{Status: 404})
	assert.Equal(t, get.Header(), head.Header())
	assert.Empty(t, head.Body.String())
}

func TestStatusesThatAreNoErrorBecome500(t *testing.T) {
	for _, status := range []int{0, 200, 399, 600, -1} {
		assert.Equal(t, 500, write("GET", "", problem.Details{Status: status}).Code)
	}
	w := write("GET", "", problem.Details{Status: 498})
	assert.Equal(t, 498, w.Code)
	var body struct{ Title string }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
	assert.Equal(t, "Error 498", body.Title)
}

func TestHeadersOfTheIntendedAnswerAreDropped(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Content-Length", "3")
	w.Header().Set("ETag", `"x"`)
	w.Header().Set("Cache-Control", "max-age=60")
	w.Header().Set("Vary", "Origin")
	problem.Write(w, httptest.NewRequest("GET", "/", nil), problem.Details{Status: 500})
	assert.NotContains(t, w.Header(), "Content-Encoding")
	assert.NotContains(t, w.Header(), "Etag")
	assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	assert.Equal(t, "Origin", w.Header().Get("Vary"))
	assert.EqualValues(t, w.Body.Len(), w.Result().ContentLength)
}

// begun is a writer that knows its answer is under way.
type begun struct{ *httptest.ResponseRecorder }

func (begun) Started() bool { return true }

// wrapped hides everything but the way to the writer below.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestAnAnswerUnderWayIsLeftAlone(t *testing.T) {
	w := httptest.NewRecorder()
	problem.Write(wrapped{begun{w}}, httptest.NewRequest("GET", "/", nil), problem.Details{Status: 500})
	assert.Equal(t, 200, w.Code)
	assert.Empty(t, w.Body.String())
	assert.Empty(t, w.Header())
}

func FuzzAccept(f *testing.F) {
	for _, seed := range []string{"", "*/*", "text/html,*/*;q=0.8", "a;q=1e309", ";;q=,,", "text/html;q=\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		w := write("GET", accept, problem.Details{Status: 404})
		if got := w.Header().Get("Content-Type"); strings.HasPrefix(got, "text/html") &&
			!strings.Contains(strings.ToLower(accept), "html") {
			t.Errorf("Accept %q names no page but gets %s", accept, got)
		}
	})
}
