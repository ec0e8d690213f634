package httpcache_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// differing are tests that must fail or may, with the reason.
var differing = map[string]string{
	"headers-store-Set-Cookie":                      "an answer with a cookie is for one client, and not kept",
	"headers-store-Set-Cookie2":                     "as Set-Cookie",
	"headers-store-Content-Length":                  "the origin of the test sends a wrong length, which Go's server refuses to",
	"304-etag-update-response-Content-Length":       "as above",
	"headers-store-Transfer-Encoding":               "the proxy behind the cache refuses this one",
	"other-set-cookie":                              "an answer with a cookie is not kept",
	"other-cookie":                                  "as above",
	"method-POST":                                   "answers to POST are not kept",
	"conditional-lm-fresh-no-lm":                    "without Last-Modified there is nothing to compare with; Date is when it was sent",
	"vary-normalise-lang-order":                     "only Accept-Encoding and spaces are made equal",
	"vary-normalise-lang-case":                      "as above",
	"vary-normalise-lang-select":                    "as above",
	"partial-store-partial-reuse-partial":           "parts are not kept, only given out",
	"partial-store-partial-reuse-partial-byterange": "as above",
	"partial-store-partial-reuse-partial-absent":    "as above",
	"partial-store-partial-reuse-partial-suffix":    "as above",
	"partial-store-partial-complete":                "as above",
}

// TestCacheTests wants all of the suite but what differs on purpose. Tests of the kind "check" ask
// what a cache does, and neither way is wrong; they are counted.
func TestCacheTests(t *testing.T) {
	passed, total := map[string]int{}, map[string]int{}
	for _, s := range readSuites(t) {
		for _, test := range s.Tests {
			if test.BrowserOnly {
				continue
			}
			kind := test.Kind
			if kind == "" {
				kind = "required"
			}
			err := runSuiteTest(t, test)
			total[kind]++
			if err == nil {
				passed[kind]++
			}
			if kind == "check" {
				continue
			}
			if _, ok := differing[test.ID]; ok {
				assert.Error(t, err, "%s is expected to differ", test.ID)
				continue
			}
			assert.NoError(t, err, "%s %s", kind, test.ID)
		}
	}
	for kind, n := range total {
		t.Logf("%s: %d of %d", kind, passed[kind], n)
	}
}
