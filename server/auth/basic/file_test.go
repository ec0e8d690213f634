package basic_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/auth/basic"
)

func TestAFileIsRead(t *testing.T) {
	names, err := basic.ParseFile("# users\n\nbea:"+hashes["bea"]+"\r\nsam:"+hashes["sam"]+"  \nmax:"+hashes["max"]+"\n a b ü:"+hashes["ann"], hasher(t))
	require.NoError(t, err)
	assert.Equal(t, []string{" a b ü", "bea", "max", "sam"}, names)
}

func TestABadLineIsNamed(t *testing.T) {
	h := hasher(t)
	for line, want := range map[string]string{
		"bob":                                   "line 3: want name:hash",
		":" + hashes["ann"]:                     `line 3: the name ""`,
		"bob:":                                  `line 3: the user "bob": the password is there as it is`,
		"bob:hunter2":                           "as it is, or hashed by the old crypt; make a hash with: htpasswd -B",
		"bob:{PLAIN}hunter2":                    "as it is",
		"bob:{SSHA}hunter2":                     "as it is",
		"bob:rqXexS6ZhobKA":                     "as it is, or hashed by the old crypt",
		"bob:$1$hunter2$ABC":                    "is of crypt, which is not supported",
		"bob:$5$hunter2$ABC":                    "is of crypt",
		"bob:$6$rounds=5000$hunter2$ABC":        "is of crypt",
		"bob:{SHA}hunter2":                      `the user "bob": its hash is malformed`,
		"bob:{SHA}aHVudGVyMg==":                 "its hash is malformed",
		"bob:$apr1$hunter2":                     "its hash is malformed",
		"bob:$apr1$salt$hunter2":                "its hash is malformed",
		"bob:$2y$05$hunter2":                    "no hash of a known kind",
		"bob:$2y$31$" + strings.Repeat("a", 53): "too much work",
		"bob:$argon2d$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$hunter2": "no hash of a known kind",
		"bob:realm:0123456789abcdef0123456789abcdef":            "as it is",
		"bob:" + hashes["bea"] + ":comment":                     "no hash of a known kind",
		"bea:" + hashes["sam"]:                                  `line 3: the user "bea" is there twice`,
		"b\x00b:" + hashes["sam"]:                               "no : or control characters",
	} {
		_, err := basic.ParseFile("#\nbea:"+hashes["bea"]+"\n"+line+"\n", h)
		require.ErrorContains(t, err, want, line)
		assert.NotContains(t, err.Error(), "hunter2", line)
	}
	name := filepath.Join(t.TempDir(), "htpasswd")
	for _, text := range []string{"", "\n# nobody\n"} {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		_, err := basic.New(basic.Options{File: name, Hasher: h})
		require.ErrorContains(t, err, "there are no users in it")
	}
}

func TestTheFileIsReadAgainWhenItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "htpasswd")
		write := func(text string) {
			require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
			old := time.Now().Add(-time.Hour) // so that the file is not read each time
			require.NoError(t, os.Chtimes(name, old, old))
			time.Sleep(2 * time.Second)
		}
		var log strings.Builder
		write("bea:" + hashes["bea"] + "\n")
		g := guard(t, basic.Options{File: name, Log: slog.New(slog.NewTextHandler(&log, nil))})
		enters := func(user string) bool { return login(g, user, "myPassword", "192.0.2.1").Code == 200 }
		require.True(t, enters("bea"))
		require.False(t, enters("sam"))

		write("sam:" + hashes["sam"] + "\n")
		assert.True(t, enters("sam"), "a new user")
		assert.False(t, enters("bea"), "one who is gone, though the password is remembered")
		assert.Contains(t, log.String(), "quickly guessed")

		write("sam:hunter2\n")
		assert.True(t, enters("sam"), "a broken file changes nothing")
		assert.Contains(t, log.String(), "line 1")
		assert.NotContains(t, log.String(), "hunter2")
		once := log.String()
		time.Sleep(2 * time.Second)
		assert.True(t, enters("sam"))
		assert.Equal(t, once, log.String(), "and is logged once")

		require.NoError(t, os.Remove(name))
		time.Sleep(2 * time.Second)
		assert.True(t, enters("sam"))
		missing := func() int { return strings.Count(log.String(), "no such file") }
		assert.Equal(t, 1, missing())
		for range 30 {
			time.Sleep(2 * time.Second)
			assert.True(t, enters("sam"))
		}
		assert.Equal(t, 2, missing(), "it is said again each minute")

		for _, nobody := range []string{"", "# sam has left\n"} {
			write("sam:" + hashes["sam"] + "\n")
			require.True(t, enters("sam"))
			write(nobody)
			assert.False(t, enters("sam"), "the last one who is removed does not enter: %q", nobody)
		}
		assert.Contains(t, log.String(), "nobody enters")

		// A rename, as careful programs write, with another password of the same length.
		require.NoError(t, os.WriteFile(name+"~", []byte("sam:{SHA}"+strings.Repeat("A", 27)+"=\n"), 0o600))
		require.NoError(t, os.Rename(name+"~", name))
		time.Sleep(2 * time.Second)
		assert.False(t, enters("sam"))
	})
}

func FuzzParseFile(f *testing.F) {
	h := hasher(f)
	for name, hash := range hashes {
		f.Add(name + ":" + hash + "\n")
	}
	f.Add("#\nx:y:z\n:")
	f.Add("a:$apr1$$")
	f.Fuzz(func(t *testing.T, text string) {
		names, err := basic.ParseFile(text, h)
		if err != nil && len(names) > 0 {
			t.Errorf("%q: %v, %v", text, names, err)
		}
	})
}
