package redis_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/redis"
)

func TestURLs(t *testing.T) {
	for url, want := range map[string]redis.Target{
		"redis://localhost":                              {Addrs: "localhost:6379"},
		"redis://":                                       {Addrs: "localhost:6379"},
		"redis://[::1]:7000/2":                           {Addrs: "[::1]:7000", DB: 2},
		"redis://u:p%40ss@h:1?db=3":                      {Addrs: "h:1", User: "u", Password: "p@ss", DB: 3},
		"redis://:a@b@h":                                 {Addrs: "h:6379", Password: "a@b"},
		"rediss://h":                                     {Addrs: "h:6379", TLS: true},
		"unix:///run/redis.sock?db=1":                    {Addrs: "/run/redis.sock", DB: 1},
		"unix://u:p@/run/redis.sock":                     {Addrs: "/run/redis.sock", User: "u", Password: "p"},
		"redis+cluster://:p@a,b:7001,c":                  {Addrs: "a:6379 b:7001 c:6379", Password: "p", Cluster: true},
		"rediss+cluster://a":                             {Addrs: "a:6379", TLS: true, Cluster: true},
		"redis+sentinel://:p@a,b:1/main/4":               {Addrs: "a:26379 b:1", Password: "p", Master: "main", DB: 4},
		"redis+sentinel://a?master=main&sentinel_user=x": {Addrs: "a:26379", Master: "main"},
		"redis://h?read_timeout=250ms&pool_size=7":       {Addrs: "h:6379", Read: 250 * time.Millisecond, Pool: 7},
		"redis://h?read_timeout=2&max_retries=0":         {Addrs: "h:6379", Read: 2 * time.Second},
	} {
		if want.Read == 0 {
			want.Read = redis.DefaultTimeout
		}
		got, err := redis.Parse(url)
		require.NoError(t, err, url)
		assert.Equal(t, want, got, url)
	}
}

func TestBadURLsAreRefusedWithoutTheirPassword(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca"), []byte("no PEM"), 0o600))
	for url, want := range map[string]string{
		"localhost:6379":                             `the URL has no scheme; it looks like "redis://user`,
		"redids://:hunter2@h":                        `the scheme "redids" is none of redis, rediss,`,
		"redis://:hunter2@a,b":                       "several hosts need the scheme redis+cluster or redis+sentinel",
		"redis://:hunter2@h:99999":                   `the port "99999" is no number`,
		"redis://:hunter2@h:x":                       `the port "x"`,
		"redis://:hunter2@::1":                       "in brackets",
		"redis://:hunter2@h/x":                       `the database "x" is no number`,
		"redis://:hunter2%zz@h":                      "the URL of h is malformed",
		"redis://u:hunter2/x@h/0":                    "write \"@\", \"/\"",
		"redis://u:1/hunter2@h/0":                    "write \"@\", \"/\"",
		"redis://u:1?hunter2@h/0":                    "write \"@\", \"/\"",
		"redis://u:1#hunter2@h/0":                    "write \"@\", \"/\"",
		"redis://h/0#hunter2":                        "write \"@\", \"/\"",
		"redis+cluster://:hunter2/x@a,b":             "write \"@\", \"/\"",
		"redis+sentinel://:1/hunter2@a/m":            "write \"@\", \"/\"",
		"unix://u:hunter2/x@/run/redis.sock":         "write \"@\", \"/\"",
		"redis://:hunter2@h?pool_size=%zz":           "the options of the URL of h cannot be read",
		"redis://:hunter2@h?pool=3":                  `the option "pool" is none of ca,`,
		"redis://:hunter2@h?pool_sise=3":             `(did you mean "pool_size"?)`,
		"redis://:hunter2@h?pool_size=x":             `the option "pool_size": "x" is no number from 1 to 10000`,
		"redis://:hunter2@h?pool_size=1&pool_size=2": "is given 2 times",
		"redis://:hunter2@h?read_timeout=-1s":        `"-1s" is no time such as "500ms" or "5s"`,
		"redis://:hunter2@h?protocol=4":              "from 2 to 3",
		"redis://:hunter2@h?master=m":                "it is for the schemes redis+sentinel",
		"redis://:hunter2@h?ca=/x":                   "are for the schemes rediss",
		"rediss://:hunter2@h?ca=/nonexistent":        "no such file",
		"rediss://:hunter2@h?ca=" + dir + "/ca":      "has no certificates in PEM",
		"redis+cluster://:hunter2@h/1":               `a cluster has only the database 0, not "1"`,
		"redis+cluster://:hunter2@h?db=1":            "a cluster has only the database 0",
		"redis+sentinel://:hunter2@h":                "the name of the master is missing",
		"unix://:hunter2@h/x":                        "a socket has the form unix:///",
		"unix://:hunter2@":                           "a socket has the form unix:///",
	} {
		_, err := redis.Open(url)
		require.ErrorContains(t, err, want, url)
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

func FuzzURL(f *testing.F) {
	f.Add("redis://u:p@h:1/2?db=3&pool_size=4")
	f.Add("redis+sentinel://:p@a,b/m")
	f.Add("unix:///x")
	f.Fuzz(func(t *testing.T, url string) {
		got, err := redis.Parse(url)
		if err == nil && got.Addrs == "" {
			t.Errorf("%q has no address", url)
		}
		_, err = redis.Parse("redis://:hunter2@" + url)
		if err != nil && strings.Contains(err.Error(), "hunter2") && !strings.Contains(url, "hunter2") {
			t.Errorf("%v shows the password", err)
		}
	})
}
