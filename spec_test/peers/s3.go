package peers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// versitygwVersion is what .ci/run installs.
const versitygwVersion = "@v1.8.0"

// s3AccessKey goes with the password of the server as the secret.
const s3AccessKey = "tests"

var s3 = shared{kind: &kind{
	name: "Versity S3 Gateway", program: "versitygw", goget: "github.com/versity/versitygw/cmd/versitygw" + versitygwVersion,
	users: []string{"root"}, signal: "KILL", ready: dials, create: createBucket, prepare: s3Folders,
	arguments: func(s *Server) []string {
		return []string{
			"--port", s.Addr(), "--access", s3AccessKey, "--secret", s.password, "--quiet",
			"posix", filepath.Join(s.dir, "data"),
		}
	},
}}

// S3 returns the URL of an empty bucket, with credentials: "s3://tests:…@test-1?endpoint=http://127.0.0.1:PORT".
func S3(t testing.TB) string {
	t.Helper()
	return s3.database(t)
}

// S3Server starts an S3 for this test alone. Its files stay when it is stopped.
func S3Server(t testing.TB) *Server {
	t.Helper()
	return s3.kind.own(t, nil)
}

func s3Folders(s *Server) error { return os.Mkdir(filepath.Join(s.dir, "data"), 0o700) }

// createBucket makes a folder: the gateway serves each as a bucket. It keeps what is not the content of files in
// extended attributes, which all file systems of Linux have but very old tmpfs.
func createBucket(s *Server, name string) (url string, drop func(), err error) {
	bucket := strings.ReplaceAll(name, "_", "-")
	folder := filepath.Join(s.dir, "data", bucket)
	if err := os.Mkdir(folder, 0o700); err != nil {
		return "", nil, err
	}
	url = fmt.Sprintf("s3://%s:%s@%s?endpoint=http://%s", s3AccessKey, s.password, bucket, s.Addr())
	return url, func() { _ = os.RemoveAll(folder) }, nil
}
