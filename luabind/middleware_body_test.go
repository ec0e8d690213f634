package luabind_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A compressed body is held to every limit that holds for a plain one.
func TestLimitsOfBodiesHoldForThePlainForm(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 12<<10) // 192 KiB, which is much less compressed
	for source, want := range map[string]string{
		`app:config { max_body = "100kb" } app:post("/", rws.decompress { max_size = "10mb", max_ratio = 100000 }, F)`:         "larger than 100kb",
		`app:config { max_body = "100kb" } app:use(rws.decompress { max_size = "10mb", max_ratio = 100000 }) app:post("/", F)`: "larger than 100kb",
		`app:post("/", rws.decompress { max_size = "10mb", max_ratio = 100000 }, { max_body = "90kb" }, F)`:                    "larger than 90kb",
		`app:use(rws.decompress { max_ratio = 100000 }) app:post("/", { max_body = "90kb" }, F)`:                               "larger than 90kb",
		`app:use(rws.max_body "80kb") app:use(rws.decompress { max_ratio = 100000 }) app:post("/", F)`:                         "larger than 80kb",
		`app:post("/", rws.decompress { max_ratio = 100000 }, rws.max_body "80kb", F)`:                                         "larger than 80kb",
		`app:post("/", rws.decompress { max_size = "70kb", max_ratio = 100000 }, F)`:                                           "larger than 70kb",
		`app:post("/", rws.decompress { max_ratio = 2 }, F)`:                                                                   "more than 2 times",
		`app:config { max_body = "100kb" } app:post("/", rws.decompress { max_ratio = 100000 }, { max_body = "1mb" }, F)`:      "",
	} {
		h := handler(t, "local function F(c) return tostring(#c.body) end "+source)
		r := httptest.NewRequest("POST", "/", strings.NewReader(compressed(t, large)))
		r.Header.Set("Content-Encoding", "gzip")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if want == "" {
			assert.Equal(t, 200, w.Code, source)
			continue
		}
		assert.Equal(t, 413, w.Code, source)
		assert.Contains(t, w.Body.String(), want, source)
	}
}

// A body that is too large for the app, too, is told of the limit that it has to heed here.
func TestARefusalNamesTheLeastLimitOfABody(t *testing.T) {
	for source, want := range map[string]string{
		`app:config { max_body = "100kb" } app:post("/", rws.max_body "1kb", F)`:                                 "larger than 1kb",
		`app:config { max_body = "100kb" } app:use(rws.max_body "2kb") app:post("/", F)`:                         "larger than 2048 bytes",
		`app:config { max_body = "100kb" } app:post("/", rws.max_body "200kb", F)`:                               "larger than 100kb",
		`app:post("/", rws.max_body "3kb", { max_body = "90kb" }, F)`:                                            "larger than 3kb",
		`app:proxy("/*", "http://127.0.0.1:1", { max_body = "90kb" }) app:post("/other", rws.max_body "1kb", F)`: "larger than 90kb",
	} {
		h := handler(t, "local function F(c) return tostring(#c.body) end "+source)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", 192<<10))))
		assert.Equal(t, 413, w.Code, source)
		assert.Contains(t, w.Body.String(), want, source)
	}
}
