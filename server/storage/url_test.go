package storage_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/storage"
)

func TestURLs(t *testing.T) {
	for url, want := range map[string]storage.Location{
		"dir:./uploads":                         {Scheme: "dir", Folder: "./uploads"},
		"dir:/var/lib/files":                    {Scheme: "dir", Folder: "/var/lib/files"},
		"dir:///var/files":                      {Scheme: "dir", Folder: "/var/files"},
		" memory: ":                             {Scheme: "memory"},
		"memory:?size=16mb":                     {Scheme: "memory", Size: 16 << 20},
		"s3://my-bucket":                        {Scheme: "s3", Bucket: "my-bucket"},
		"s3://my.bucket/a/b/?region=eu-north-1": {Scheme: "s3", Bucket: "my.bucket", Prefix: "a/b", Region: "eu-north-1"},
		"s3://b-1/?endpoint=http://127.0.0.1:9000/&path_style=false": {Scheme: "s3", Bucket: "b-1", Endpoint: "http://127.0.0.1:9000"},
		"s3://bucket?endpoint=https://s3.example.com":                {Scheme: "s3", Bucket: "bucket", Endpoint: "https://s3.example.com", PathStyle: true},
		"s3://AKIA:a%2Fb%2Bc@bucket":                                 {Scheme: "s3", Bucket: "bucket", Key: "AKIA", Secret: "a/b+c"},
	} {
		l, err := storage.Parse(url)
		require.NoError(t, err, url)
		assert.Equal(t, want, l, url)
	}
}

func TestWrongURLsAreExplained(t *testing.T) {
	for url, want := range map[string]string{
		"":                                    "no scheme",
		"uploads":                             `"dir:./uploads"`,
		"./uploads:x":                         "none of dir, memory, s3",
		"s4://bucket":                         `"s3"`,
		"dir:":                                "no folder",
		"dir:a?x=1":                           "no options",
		"dir:a\x00b":                          "no options",
		"memory:x":                            "means nothing",
		"memory:?size=1":                      `no size such as "64mb"`,
		"memory:?size=0mb":                    "no size",
		"memory:?size=99999999gb":             "no size",
		"memory:?sise=1mb":                    `"size"`,
		"s3:bucket":                           "s3://bucket",
		"s3://":                               "missing or wrong",
		"s3://Bucket":                         "small letters",
		"s3://b":                              "3 to 63",
		"s3://my_bucket":                      "small letters",
		"s3://bucket:9000":                    "",
		"s3://bucket/a/../b":                  "leads elsewhere",
		"s3://bucket?regio=x":                 `"region"`,
		"s3://bucket?region=":                 "no region",
		"s3://bucket?region=a/b":              "no region",
		"s3://bucket?region=a&region=b":       "2 times",
		"s3://bucket?endpoint=s3.example.com": "https://host",
		"s3://bucket?endpoint=ftp://s3.example.com":    "https://host",
		"s3://bucket?endpoint=https://a:b@s3.example":  `behind its bucket`,
		"s3://bucket?endpoint=https://s3.example/x":    "without a path",
		"s3://bucket?path_style=yes":                   "neither true nor false",
		"s3://AKIA@bucket":                             "KEY:SECRET",
		"s3://AKIA:hunter2/x@bucket":                   "%2F",
		"s3://AKIA:hunter2%@bucket":                    "%25",
		"s3://bucket?path_style=true&path_style=%zz":   "options cannot be read",
		"hunter2hunter2hunter2hunter2hunter2:x@bucket": "none of dir",
		"s3://AKIA:hunter2@Bucket?region=eu-north-1":   "small letters",
		"s3://AKIA:hunter2@bucket?regions=eu-north-1":  `"region"`,
		"s3://AKIA:hunter2@bucket/a//b":                "empty",
	} {
		_, err := storage.Parse(url)
		if want == "" && err == nil {
			continue
		}
		if assert.Error(t, err, url) {
			assert.ErrorContains(t, err, want, url)
			assert.NotContains(t, err.Error(), "hunter2")
			assert.True(t, strings.HasPrefix(err.Error(), "storage: "), err)
		}
	}
}

func TestALocationIsShownWithoutItsSecret(t *testing.T) {
	l, err := storage.Parse("s3://AKIA:hunter2@bucket/a?endpoint=https://s3.example.com")
	require.NoError(t, err)
	assert.Equal(t, "s3://bucket/a at https://s3.example.com", l.String())
}

// FuzzParse sees that what is taken comes out checked, and that no error shows a secret.
func FuzzParse(f *testing.F) {
	for _, url := range []string{"dir:./a", "memory:?size=1kb", "s3://k:sEcReT@bucket/p?region=a&endpoint=http://h:1&path_style=true", "s3://k:sEcReT/@bucket"} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		l, err := storage.Parse(url)
		if err != nil {
			if before, _, ok := strings.Cut(url, "@bucket"); ok && strings.Contains(before, ":sEcReT") && strings.Contains(err.Error(), "sEcReT") {
				t.Errorf("%q: %v", url, err)
			}
			return
		}
		if l.Secret != "" && len(l.Secret) > 8 && strings.Contains(l.String(), l.Secret) && !strings.Contains(l.Bucket+l.Prefix+l.Endpoint, l.Secret) {
			t.Errorf("%q: %s", url, l)
		}
		s, err := storage.Open(l, storage.Options{Base: t.TempDir(), Getenv: func(string) string { return "" }})
		if err != nil {
			t.Fatalf("%q: %v", url, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// FuzzKey sees that a key that is taken names one file below a folder, and lists as it is.
func FuzzKey(f *testing.F) {
	for _, key := range append(wrongKeys, "a", "a/b", ".a", "ä", "a b") {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if err := storage.CheckKey(key); err != nil {
			if storage.CodeOf(err) != storage.CodeInvalidKey {
				t.Error(err)
			}
			return
		}
		if strings.HasPrefix(key, "/") || strings.ContainsAny(key, "\x00\\\n") || len(key) > storage.MaxKey {
			t.Fatalf("%q is taken", key)
		}
		for segment := range strings.SplitSeq(key, "/") {
			if segment == "" || segment == "." || segment == ".." {
				t.Fatalf("%q is taken", key)
			}
		}
		if err := storage.CheckPrefix(key); err != nil {
			t.Errorf("a key is a prefix too: %v", err)
		}
	})
}
