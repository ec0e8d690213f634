package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/storage"
	"rws/spec_test/peers"
)

// with opens a URL in an environment.
func with(t *testing.T, url string, environment map[string]string) *storage.S3 {
	t.Helper()
	l, err := storage.Parse(url)
	require.NoError(t, err)
	s, err := storage.Open(l, storage.Options{Getenv: func(name string) string { return environment[name] }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s.(*storage.S3)
}

// all calls each method that asks the server.
func all(ctx context.Context, s storage.Store) map[string]error {
	_, stat := s.Stat(ctx, "a")
	_, get := s.Get(ctx, "a", storage.GetOptions{})
	lister, list := s.List("")
	if list == nil {
		_, list = lister.Next(ctx)
	}
	_, exists := storage.Exists(ctx, s, "a")
	return map[string]error{
		"stat": stat, "get": get, "list": list, "exists": exists, "put": s.Put(ctx, "a", strings.NewReader("x"), storage.PutOptions{}),
		"large": s.Put(ctx, "a", strings.NewReader(strings.Repeat("x", storage.PartSize+1)), storage.PutOptions{}), "copy": s.Copy(ctx, "a", "b"),
	}
}

func TestABucketThatDoesNotExistIsSaid(t *testing.T) {
	s := open(t, strings.Replace(peers.S3(t), "@test-", "@missing-", 1))
	for name, err := range all(t.Context(), s) {
		assert.Equal(t, storage.CodeUnavailable, storage.CodeOf(err), "%s: %v", name, err)
		assert.ErrorContains(t, err, "does not exist", name)
		assert.ErrorContains(t, err, "missing-", name)
	}
}

func TestWrongCredentialsAreDenied(t *testing.T) {
	url := peers.S3(t)
	secret := url[strings.Index(url, "tests:")+6 : strings.Index(url, "@")]
	for _, wrong := range []string{strings.Replace(url, "tests:", "others:", 1), strings.Replace(url, secret, "wrong"+secret, 1)} {
		for name, err := range all(t.Context(), open(t, wrong)) {
			if name == "stat" || name == "exists" {
				continue // this server answers 404 to HEAD with a key that it does not know
			}
			assert.Equal(t, storage.CodeDenied, storage.CodeOf(err), "%s: %v", name, err)
			assert.NotContains(t, err.Error(), secret)
		}
	}
	plain := strings.Replace(url, "tests:"+secret+"@", "", 1)
	s := with(t, plain, map[string]string{"AWS_EC2_METADATA_DISABLED": "true"})
	for name, err := range all(t.Context(), s) {
		assert.Equal(t, storage.CodeDenied, storage.CodeOf(err), "%s: %v", name, err)
		assert.ErrorContains(t, err, "AWS_ACCESS_KEY_ID")
	}
	s = with(t, plain, map[string]string{"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": secret})
	put(t, s, "a", "x")
	assert.Equal(t, "x", get(t, s, "a"))
}

func TestAServerThatIsAwayComesBack(t *testing.T) {
	server := peers.S3Server(t)
	s := open(t, server.URL())
	put(t, s, "a", "x")
	server.Stop(t)
	_, err := s.Stat(t.Context(), "a")
	assert.Equal(t, storage.CodeUnavailable, storage.CodeOf(err), "%v", err)
	assert.True(t, storage.Unavailable(err))
	server.Start(t)
	assert.Equal(t, "x", get(t, s, "a"))

	server.Pause(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	for name, err := range all(ctx, s) {
		assert.Equal(t, storage.CodeTimeout, storage.CodeOf(err), "%s: %v", name, err)
	}
	server.Resume(t)
	assert.Equal(t, "x", get(t, s, "a"))
}

// counting reads zeros and looks at the memory.
type counting struct {
	left int64
	peak uint64
}

func (c *counting) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	if c.left%(8<<20) < 32<<10 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		c.peak = max(c.peak, m.HeapInuse)
	}
	n := min(int64(len(p)), c.left)
	c.left -= n
	return int(n), nil
}

func TestALargeFileIsNotHeldInMemory(t *testing.T) {
	const size = 256 << 20
	s := open(t, peers.S3(t))
	put(t, s, "warm", "x")
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	r := &counting{left: size}
	require.NoError(t, s.Put(t.Context(), "large", r, storage.PutOptions{}))
	grown := int64(r.peak) - int64(before.HeapInuse)
	t.Logf("%d MB in use for %d MB", grown>>20, size>>20)
	assert.Less(t, grown, int64(100<<20))
	info, err := s.Stat(t.Context(), "large")
	require.NoError(t, err)
	assert.Equal(t, int64(size), info.Size)
}

// aBucket answers as S3 does, and keeps the last request.
func aBucket(t *testing.T, status int, body string) (url string, last *atomic.Pointer[http.Request]) {
	t.Helper()
	last = new(atomic.Pointer[http.Request])
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last.Store(r)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return "s3://bucket?endpoint=" + server.URL, last
}

func TestAnswersHaveCodes(t *testing.T) {
	for code, c := range map[string]struct {
		status int
		want   storage.Code
		text   string
	}{
		"AccessDenied":                 {403, storage.CodeDenied, "do not allow it"},
		"ExpiredToken":                 {400, storage.CodeDenied, "session token"},
		"AuthorizationHeaderMalformed": {400, storage.CodeUnavailable, "?region="},
		"PermanentRedirect":            {301, storage.CodeUnavailable, "?region="},
		"EntityTooLarge":               {400, storage.CodeTooLarge, "larger"},
		"NotImplemented":               {501, storage.CodeUnavailable, "501"},
		"RequestTimeout":               {400, storage.CodeTimeout, "RequestTimeout"},
		"KeyTooLongError":              {400, storage.CodeInvalidKey, ""},
	} {
		url, _ := aBucket(t, c.status, "<Error><Code>"+code+"</Code><Message>text\nof it</Message></Error>")
		s := with(t, url, map[string]string{"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"})
		err := s.Put(t.Context(), "a", strings.NewReader("x"), storage.PutOptions{})
		assert.Equal(t, c.want, storage.CodeOf(err), "%s: %v", code, err)
		assert.ErrorContains(t, err, c.text)
		assert.NotContains(t, err.Error(), "\n")
	}
}

// TestCredentials takes them from where each platform gives them.
func TestCredentials(t *testing.T) {
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	const token = "token of the machine"
	asked := make(map[string]int)
	gives := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path]++
		document := fmt.Sprintf(`{"Code":"Success","AccessKeyId":"FROM%s","SecretAccessKey":"s","Token":"session","Expiration":%q}`, strings.ToUpper(filepath.Base(r.URL.Path)), later)
		switch r.URL.Path {
		case "/ecs":
			if r.Header.Get("Authorization") != "Bearer x" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			_, _ = io.WriteString(w, document)
		case "/latest/api/token":
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
			_, _ = io.WriteString(w, token)
		case "/latest/meta-data/iam/security-credentials/":
			_, _ = io.WriteString(w, "role")
		case "/latest/meta-data/iam/security-credentials/role":
			if r.Header.Get("X-Aws-Ec2-Metadata-Token") != token {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_, _ = io.WriteString(w, document)
		default: // STS
			_ = r.ParseForm()
			if r.Form.Get("WebIdentityToken") != "jwt" || r.Form.Get("RoleArn") != "arn:aws:iam::1:role/r" || r.Form.Get("RoleSessionName") != "rws-s3" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			w.Header().Set("Content-Type", "text/xml")
			_, _ = fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>FROMSTS</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>session</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, later)
		}
	}))
	t.Cleanup(gives.Close)
	jwt := filepath.Join(t.TempDir(), "jwt")
	require.NoError(t, os.WriteFile(jwt, []byte("jwt"), 0o600))

	for want, environment := range map[string]map[string]string{
		"FROMENV":  {"AWS_ACCESS_KEY_ID": "FROMENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "session", "AWS_ROLE_ARN": "not asked", "AWS_WEB_IDENTITY_TOKEN_FILE": "x"},
		"FROMSTS":  {"AWS_ROLE_ARN": "arn:aws:iam::1:role/r", "AWS_WEB_IDENTITY_TOKEN_FILE": jwt, "AWS_ENDPOINT_URL_STS": gives.URL, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "https://not.asked"},
		"FROMECS":  {"AWS_CONTAINER_CREDENTIALS_FULL_URI": gives.URL + "/ecs", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Bearer x"},
		"FROMROLE": {"AWS_EC2_METADATA_SERVICE_ENDPOINT": gives.URL},
	} {
		clear(asked)
		environment["AWS_REGION"] = "eu-north-1"
		url, last := aBucket(t, 200, "<ListBucketResult/>")
		s := with(t, url, environment)
		assert.Empty(t, asked, "nothing is asked before the first use")
		assert.Nil(t, last.Load())
		for range 3 {
			assert.Empty(t, keys(t, s, ""), want)
		}
		r := last.Load()
		require.NotNil(t, r)
		assert.Contains(t, r.Header.Get("Authorization"), "Credential="+want+"/")
		assert.Contains(t, r.Header.Get("Authorization"), "/eu-north-1/s3/")
		assert.Equal(t, "session", r.Header.Get("X-Amz-Security-Token"), want)
		assert.Equal(t, "/bucket", strings.TrimSuffix(r.URL.Path, "/"))
		for path, n := range asked {
			assert.Equal(t, 1, n, "%s: credentials are kept: %s", want, path)
		}
	}
}

func TestCredentialsThatCannotBeAreSaid(t *testing.T) {
	for text, environment := range map[string]map[string]string{
		"only one is set":        {"AWS_ACCESS_KEY_ID": "k"},
		"of Amazon's containers": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/"},
	} {
		l, err := storage.Parse("s3://bucket")
		require.NoError(t, err)
		_, err = storage.Open(l, storage.Options{Getenv: func(name string) string { return environment[name] }})
		assert.ErrorContains(t, err, text)
	}
	url, _ := aBucket(t, 200, "")
	dead := peers.FreeAddress(t)
	s := with(t, url, map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://" + dead})
	_, err := s.Stat(t.Context(), "a")
	assert.Equal(t, storage.CodeDenied, storage.CodeOf(err), "%v", err)
	assert.ErrorContains(t, err, "there are no credentials")
}

func TestTheMemoryIsBounded(t *testing.T) {
	s := open(t, "memory:?size=10kb")
	put(t, s, "a", strings.Repeat("x", 6<<10))
	put(t, s, "a", strings.Repeat("y", 8<<10))
	for _, size := range []int{3 << 10, 11 << 10} {
		err := s.Put(t.Context(), "b", strings.NewReader(strings.Repeat("x", size)), storage.PutOptions{})
		assert.Equal(t, storage.CodeTooLarge, storage.CodeOf(err), "%v", err)
	}
	require.NoError(t, s.Delete(t.Context(), "a"))
	put(t, s, "b", strings.Repeat("x", 10<<10))
	assert.Equal(t, storage.CodeTooLarge, storage.CodeOf(s.Copy(t.Context(), "b", "c")))
}

func TestFilesOnTheirWayToTheMemoryCount(t *testing.T) {
	s := open(t, "memory:?size=10kb")
	r, w := io.Pipe()
	first := make(chan error)
	go func() { first <- s.Put(t.Context(), "a", r, storage.PutOptions{}) }()
	_, err := w.Write(make([]byte, 8<<10))
	require.NoError(t, err)
	// What the store has read counts once the pipe asks for more.
	_, err = w.Write([]byte{0})
	require.NoError(t, err)
	err = s.Put(t.Context(), "b", strings.NewReader(strings.Repeat("x", 3<<10)), storage.PutOptions{})
	assert.Equal(t, storage.CodeTooLarge, storage.CodeOf(err), "%v", err)
	require.NoError(t, w.CloseWithError(io.ErrUnexpectedEOF))
	require.ErrorIs(t, <-first, io.ErrUnexpectedEOF)
	put(t, s, "b", strings.Repeat("x", 10<<10))
}

func TestErrorsWrapTheirCause(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	s := open(t, peers.S3(t))
	_, err := s.Stat(ctx, "a")
	require.ErrorIs(t, err, gone)
}
