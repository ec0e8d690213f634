package db_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
	"rws/spec_test/peers"
)

func TestURLsThatCannotBeUsed(t *testing.T) {
	for url, want := range map[string]string{
		"":                                     "does not begin with a kind of database",
		"app.db":                               "does not begin with a kind of database",
		"postgre://u:secret@h/d":               `there is no kind of database "postgre" (did you mean "postgres"?)`,
		"sqlite:":                              "names no file",
		"sqlite:x.db?mod=ro":                   `there is no option "mod" (did you mean "mode"?)`,
		"sqlite:x.db?mode=write":               "it is one of rwc, rw, ro",
		"sqlite:x.db?busy_timeout=5":           "is not a duration: write 5s",
		"sqlite:x.db?max_open=0":               "is not a whole number from 1",
		"sqlite:x.db?mode=ro&mode=rw":          "is given 2 times",
		"postgres:u:secret@h/d":                "it looks like postgres://user:password@host:port/database",
		"postgres://u:secret@h/d?sslmod=x":     `(did you mean "sslmode"?)`,
		"postgres://u:secret@h/d?sslmode=x":    "sslmode",
		"postgres://u:secret@h:port/d":         "cannot be read",
		"postgres://u:1/secret@h/d":            "%2F",
		"postgres://u:1?secret@h/d":            "%2F",
		"postgres://u:1#secret@h/d":            "%2F",
		"mysql://u:1/secret@h/d":               "%2F",
		"mysql://u:secret/x@h/d":               "%2F",
		"mysql://u:secret@h/d?tls=maybe":       "it is one of false, true",
		"mysql://u:secret@h/d?tls_ca=/nowhere": "tls_ca",
		"mysql://u:secret@h/d?sql_mode=ANSI":   "changes how strings are written",
		"mysql://u:secret@h/d?parseTime=1":     `there is no option "parseTime"`,
	} {
		_, err := db.Open(url, db.Options{})
		require.Error(t, err, url)
		assert.ErrorContains(t, err, want)
		assert.Equal(t, db.CodeURL, db.CodeOf(err), url)
		assert.NotContains(t, err.Error(), "secret", url)
	}
}

func TestPasswordsAreNotShown(t *testing.T) {
	assert.Equal(t, "postgres://me@h:5/d", db.Redact("postgres://me:secret@h:5/d?sslpassword=secret"))
	assert.Equal(t, "mysql://h/d", db.Redact("mysql://:secret@h/d"))
	assert.Equal(t, "sqlite:a/b.db", db.Redact("sqlite:a/b.db?mode=ro"))
	assert.NotContains(t, db.Redact("nonsense secret"), "secret")
	assert.NotContains(t, db.Redact("postgres://me:1/secret@h/d"), "secret")
	d := open(t, "postgres://me:secret@h/d")
	assert.Equal(t, "postgres://me@h/d", d.String())
}

func TestSpacesAndPlusSignsInOptions(t *testing.T) {
	d := open(t, peers.Postgres(t)+"&options=-c%20work_mem=5MB&search_path=a,%20b&application_name=my%20app&TimeZone=Etc/GMT%2B5")
	assert.Equal(t, "5MB", value(t, d, "show work_mem"))
	assert.Equal(t, "a, b", value(t, d, "show search_path"))
	assert.Equal(t, "my app", value(t, d, "show application_name"))
	assert.Equal(t, "Etc/GMT+5", value(t, d, "show timezone"))
	assert.Equal(t, "Etc/GMT+5", value(t, open(t, peers.Postgres(t)+"&timezone=Etc/GMT+5"), "show timezone"))
	assert.Equal(t, "+02:00", value(t, open(t, peers.MariaDB(t)+"?time_zone=+02:00"), "select @@time_zone"))
}

func FuzzURL(f *testing.F) {
	for _, s := range []string{"sqlite:a.db?mode=ro", "postgres://u:secret@h:1/d?sslmode=disable", "mysql://u:p%40@h/d?tls=true", "sqlite:///x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, url string) {
		url = strings.Replace(url, "@", ":topsecret@", 1)
		if strings.Contains(db.Redact(url), "topsecret") && strings.Contains(url, "://") && !strings.HasPrefix(url, "sqlite") {
			t.Errorf("the password is shown: %s", db.Redact(url))
		}
	})
}
