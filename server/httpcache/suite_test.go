package httpcache_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The tests of cache-tests.fyi by Mark Nottingham (testdata/LICENSE.cache-tests), as its program
// exports them, run by a client and an origin that do as those of the project, with a clock that
// needs no waiting. The cache stands before a reverse proxy.

type suite struct {
	ID    string      `json:"id"`
	Tests []suiteTest `json:"tests"`
}

type suiteTest struct {
	ID          string         `json:"id"`
	Kind        string         `json:"kind"` // "" is required
	BrowserOnly bool           `json:"browser_only"`
	DependsOn   []string       `json:"depends_on"`
	Requests    []suiteRequest `json:"requests"`
}

// field is [name, value, whether to check it], where the value of a date may be an offset.
type field []any

type suiteRequest struct {
	Method            string   `json:"request_method"`
	Headers           []field  `json:"request_headers"`
	Body              string   `json:"request_body"`
	Query             string   `json:"query_arg"`
	Filename          string   `json:"filename"`
	Redirect          string   `json:"redirect"`
	MagicIMS          bool     `json:"magic_ims"`
	MagicLocations    bool     `json:"magic_locations"`
	RFC850            []string `json:"rfc850date"`
	Disconnect        bool     `json:"disconnect"`
	Pause             bool     `json:"pause_after"`
	ResponsePause     float64  `json:"response_pause"`
	Status            []any    `json:"response_status"`
	ResponseHeaders   []field  `json:"response_headers"`
	ResponseBody      *string  `json:"response_body"`
	Interim           [][]any  `json:"interim_responses"`
	ExpectInterim     [][]any  `json:"expected_interim_responses"`
	ExpectType        string   `json:"expected_type"`
	ExpectStatus      *int     `json:"expected_status"`
	ExpectMethod      string   `json:"expected_method"`
	ExpectHeaders     []any    `json:"expected_response_headers"`
	ExpectMissing     []any    `json:"expected_response_headers_missing"`
	ExpectRequest     []any    `json:"expected_request_headers"`
	ExpectRequestMiss []any    `json:"expected_request_headers_missing"`
	ExpectText        *string  `json:"expected_response_text"`
	CheckBody         *bool    `json:"check_body"`

	expectsStatus bool
}

// UnmarshalJSON notes whether a status is expected at all: null is none.
func (q *suiteRequest) UnmarshalJSON(b []byte) error {
	type plain suiteRequest
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(b, (*plain)(q)); err != nil {
		return err
	}
	err := json.Unmarshal(b, &keys)
	_, q.expectsStatus = keys["expected_status"]
	return err
}

func readSuites(t *testing.T) []suite {
	f, err := os.Open("testdata/cache-tests.json.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	var all []suite
	require.NoError(t, json.NewDecoder(z).Decode(&all))
	return all
}

var dateFields = []string{"date", "expires", "last-modified", "if-modified-since", "if-unmodified-since"}

// fixed is the value of a header: offsets become dates and locations absolute.
func fixed(f field, now time.Time, base string, q *suiteRequest) string {
	name := strings.ToLower(f[0].(string))
	if offset, ok := f[1].(float64); ok && slices.Contains(dateFields, name) {
		at := now.Add(time.Duration(offset) * time.Second).UTC()
		if slices.Contains(q.RFC850, name) {
			return at.Format("Monday, 02-Jan-06 15:04:05 GMT")
		}
		return at.Format(http.TimeFormat)
	}
	value := text(f[1])
	if q.MagicLocations && (name == "location" || name == "content-location") {
		if value == "" {
			return base
		}
		return base + "/" + value
	}
	return value
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
