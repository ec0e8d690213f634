package logs_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/logs"
)

// formLine is the line of a request in a form.
func formLine(t *testing.T, o logs.AccessOptions, a logs.Access) string {
	t.Helper()
	var out strings.Builder
	l, err := logs.OpenAccess(&out, o)
	require.NoError(t, err)
	l.Log(a)
	require.NoError(t, l.Close())
	return out.String()
}

// asked is an access with its request.
func asked(target string, headers ...string) logs.Access {
	r := httptest.NewRequest("GET", target, nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header[http.CanonicalHeaderKey(name)] = []string{value}
	}
	a := request
	a.Status, a.Request, a.Path = 200, r, r.URL.Path
	return a
}

func TestForms(t *testing.T) {
	at := request.Time.Local().Format("02/Jan/2006:15:04:05 -0700")
	a := asked("/a%20b?q=1&token=hunter2&x=", "Authorization: Basic YW5uOnNlY3JldA==", "User-Agent: curl/8", "Referer: https://a.test/?password=x&ok=1")
	for form, want := range map[string]string{
		"common":   `192.0.2.7 - ann [` + at + `] "GET /a%20b?q=1&token=[redacted]&x= HTTP/1.1" 200 31`,
		"combined": `192.0.2.7 - ann [` + at + `] "GET /a%20b?q=1&token=[redacted]&x= HTTP/1.1" 200 31 "https://a.test/?password=[redacted]&ok=1" "curl/8"`,
		"$$$status$$ $request_time $request_id $route $uri $host $scheme $server_protocol $request_method": "$200$ 0.003 7f3a91 /api/notes/{id} /a b example.com http HTTP/1.1 GET",
		"$http_authorization $http_x_api_key $http_none":                                                   "[redacted] - -",
		"$args $msec": "q=1&token=[redacted]&x= 1767323045.006",
	} {
		assert.Equal(t, want+"\n", formLine(t, logs.AccessOptions{Form: form}, a), form)
	}
	empty := formLine(t, logs.AccessOptions{Form: "combined"}, logs.Access{Time: request.Time, Status: 200})
	assert.Equal(t, `- - - [`+at+`] "  " 200 0 "-" "-"`+"\n", strings.Replace(empty, `" - "`, `"  "`, 1))
}

func TestSecretsInQueriesAreHidden(t *testing.T) {
	for query, want := range map[string]string{
		"TOKEN=s":                             "TOKEN=[redacted]",
		"%74oken=s":                           "%74oken=[redacted]",
		"access_token=s&a=1":                  "access_token=[redacted]&a=1",
		"user[password]=s":                    "user[password]=[redacted]",
		"a=1;token=s":                         "a=1&token=[redacted]",
		"token=a=b":                           "token=[redacted]",
		"pin=s":                               "pin=[redacted]",
		"code=s&key=s&otp=s":                  "code=[redacted]&key=[redacted]&otp=[redacted]",
		"sort_key=a&status_code=2":            "sort_key=a&status_code=2",
		"SAMLAssertion=s&sig=s&credit_card=4": "SAMLAssertion=[redacted]&sig=[redacted]&credit_card=[redacted]",
		"X-Amz-Signature=s&X-Amz-Credential=s&X-Amz-Security-Token=s": "X-Amz-Signature=[redacted]&X-Amz-Credential=[redacted]&X-Amz-Security-Token=[redacted]",
		"pin[]=s&pin%5B%5D=s&pin[0]=s&pin[a][b]=s":                    "pin[]=[redacted]&pin%5B%5D=[redacted]&pin[0]=[redacted]&pin[a][b]=[redacted]",
		"user[token][]=s&a[]=1&spin[]=1":                              "user[token][]=[redacted]&a[]=1&spin[]=1",
		"spin=1":                                                      "spin=1",
		"token":                                                       "token",
		"to%20ken=1":                                                  "to%20ken=1",
		"%zz=1&api%2Dkey=s":                                           "%zz=1&api%2Dkey=[redacted]",
	} {
		a := asked("/")
		a.Request.URL.RawQuery = query
		assert.Equal(t, want+"\n", formLine(t, logs.AccessOptions{Form: "$args", Options: logs.Options{Redact: []string{"pin"}}}, a), query)
	}
}

func TestARefererShowsNoPassword(t *testing.T) {
	for referer, want := range map[string]string{
		"https://ann:hunter2@a.test/p?q=1":     "https://a.test/p?q=1",
		"https://ghp_token@a.test/p":           "https://a.test/p",
		"https://ann:p@ss@a.test":              "https://a.test",
		"//ann:hunter2@a.test/":                "//a.test/",
		"https://a.test/p@q?to=http://x/@#f=1": "https://a.test/p@q?to=http://x/@",
		"https://ann:hunter2@a.test\\x":        "https://a.test\\\\x",
	} {
		a := asked("/", "Referer: "+referer, "X-From: "+referer)
		assert.Equal(t, want+"\n", formLine(t, logs.AccessOptions{Form: "$http_referer"}, a), referer)
		assert.Contains(t, formLine(t, logs.AccessOptions{Form: "combined"}, a), `"`+want+`"`)
		if strings.Contains(referer, "://") { // which other headers are searched for
			assert.NotContains(t, formLine(t, logs.AccessOptions{Form: "$http_x_from"}, a), "hunter2")
		}
	}
}

func TestNoValueForgesALine(t *testing.T) {
	a := asked("/", "User-Agent: x\" 200 \n1.2.3.4 - \\ \x1b[2J", "Referer: \u202e")
	line := formLine(t, logs.AccessOptions{Form: "combined"}, a)
	assert.Equal(t, 1, strings.Count(line, "\n"))
	assert.Contains(t, line, `"x\" 200 \n1.2.3.4 - \\ \u001b[2J"`)
}

func TestSampling(t *testing.T) {
	var out strings.Builder
	l, err := logs.OpenAccess(&out, logs.AccessOptions{Form: "$status", Sample: 0.1})
	require.NoError(t, err)
	for range 2000 {
		l.Log(logs.Access{Status: 200})
	}
	for range 50 {
		l.Log(logs.Access{Status: 500})
	}
	require.NoError(t, l.Close())
	assert.Equal(t, 50, strings.Count(out.String(), "500"), "what fails is always there")
	assert.InDelta(t, 200, strings.Count(out.String(), "200"), 100)
}

func TestAccessOptionsAreChecked(t *testing.T) {
	for part, o := range map[string]logs.AccessOptions{
		`did you mean "status"`: {Form: "$statsu"},
		"no variables":          {Form: "combind"},
		"stands before no name": {Form: "$status $-"},
		"one line":              {Form: "$status\n"},
		"a share":               {Sample: 2},
		"sample -1":             {Sample: -1},
	} {
		_, err := logs.OpenAccess(io.Discard, o)
		assert.ErrorContains(t, err, part)
	}
}

func FuzzForm(f *testing.F) {
	f.Add("$status $http_x", "a\nb", "token=1&%", "\x1b")
	f.Add("$$ $args", "", "a[=;&=", "")
	f.Fuzz(func(t *testing.T, form, header, query, path string) {
		l, err := logs.OpenAccess(io.Discard, logs.AccessOptions{Form: form})
		if err != nil || form == "" {
			return
		}
		require.NoError(t, l.Close())
		a := asked("/", "X: "+header, "Referer: "+header+"?"+query)
		a.Path, a.Request.URL.RawQuery = path, query
		if line := formLine(t, logs.AccessOptions{Form: form}, a); strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
			t.Errorf("%q is not one line", line)
		}
	})
}

// files are the names in a folder.
func files(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestAFileMakesRoom(t *testing.T) {
	folder := t.TempDir()
	f, err := logs.OpenFile(filepath.Join(folder, "access.log"), logs.FileOptions{MaxSize: 1 << 20, Keep: 2})
	require.NoError(t, err)
	for _, letter := range "abcd" {
		for range 7 {
			_, err := io.WriteString(f, strings.Repeat(string(letter), 99<<10)+"\n")
			require.NoError(t, err)
		}
	}
	require.NoError(t, f.Close())
	var zipped int
	for _, name := range files(t, folder) {
		text, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		if strings.HasSuffix(name, ".gz") {
			zipped++
			z, err := gzip.NewReader(strings.NewReader(string(text)))
			require.NoError(t, err)
			text, err = io.ReadAll(z)
			require.NoError(t, err)
		}
		assert.LessOrEqual(t, len(text), 1<<20, name)
		assert.True(t, strings.HasSuffix(string(text), "\n"), name)
	}
	assert.GreaterOrEqual(t, zipped, 1)
	assert.LessOrEqual(t, len(files(t, folder)), 3)
	_, err = f.Write([]byte("x"))
	assert.ErrorIs(t, err, os.ErrClosed)
}

func TestAFileIsOpenedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	f, err := logs.OpenFile(path, logs.FileOptions{})
	require.NoError(t, err)
	defer f.Close()
	write := func(text string) {
		_, err := io.WriteString(f, text)
		require.NoError(t, err)
	}
	write("one\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Skipf("an open file cannot be moved here: %v", err)
	}
	write("two\n")
	require.NoError(t, f.Reopen())
	write("three\n")
	old, err := os.ReadFile(path + ".1")
	require.NoError(t, err)
	assert.Equal(t, "one\ntwo\n", string(old))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "three\n", string(text))
	require.NoError(t, f.Rotate())
	write("four\n")
	text, err = os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "four\n", string(text))
}

func TestFileOptionsAreChecked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	for part, o := range map[string]logs.FileOptions{
		"1 MiB": {MaxSize: 1000}, "a minute": {Every: time.Second}, "keep -1": {Keep: -1}, "whole days": {KeepFor: time.Hour},
	} {
		_, err := logs.OpenFile(path, o)
		assert.ErrorContains(t, err, part)
	}
	_, err := logs.OpenFile(filepath.Join(path, "missing", "a.log"), logs.FileOptions{})
	assert.ErrorContains(t, err, "create the folder")
	_, err = logs.OpenFile(t.TempDir(), logs.FileOptions{})
	assert.Error(t, err)
}
