//go:build unix

package command_test

import (
	"database/sql"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // for another process that has the file

	"rws/luabind/command"
)

func TestASignalEndsWaitingForAnotherInstanceInOneLine(t *testing.T) {
	ours := make(chan os.Signal, 1)
	signal.Notify(ours, os.Interrupt, syscall.SIGTERM) // or they would end the test where rws did not listen
	defer signal.Stop(ours)
	for sig, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		t.Run(sig.String(), func(t *testing.T) {
			dir := app(t, "app.lua", `local db = app:db("sqlite:app.db") db:migrate { "create table a (n int)" }`)
			other, err := sql.Open("sqlite", filepath.Join(dir, "app.db"))
			require.NoError(t, err)
			defer other.Close()
			_, err = other.Exec("pragma journal_mode = wal; begin immediate; create table b (n int)")
			require.NoError(t, err)
			s := &site{t: t, done: make(chan int, 1)}
			go func() { s.done <- command.Main([]string{"migrate", "up"}, strings.NewReader(""), &s.out, &s.err) }()
			s.untilSays("another instance is migrating; waiting up to 5m")
			s.signal(sig)
			assert.Equal(t, want, s.exit())
			_, last, _ := strings.Cut(s.err.String(), "5m\n")
			assert.Equal(t, "rws: stopped waiting for another instance that is migrating; nothing was changed\n", last)
		})
	}
}
