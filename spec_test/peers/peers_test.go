package peers_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/spec_test/peers"
)

func TestEachCallerHasADatabaseOfItsOwn(t *testing.T) {
	for name, open := range map[string]func(testing.TB) string{
		"postgres": peers.Postgres, "mariadb": peers.MariaDB, "redis": peers.Redis,
	} {
		t.Run(name, func(t *testing.T) {
			first, second := open(t), open(t)
			assert.NotEqual(t, first, second)
			assert.Contains(t, first, "127.0.0.1:")
		})
	}
}

func TestWhatWasCommittedSurvivesAStop(t *testing.T) {
	server := peers.PostgresServer(t)
	db, err := sql.Open("pgx", server.URL())
	require.NoError(t, err)
	defer db.Close()
	_, err = db.Exec("create table t (id int); insert into t values (7)")
	require.NoError(t, err)

	server.Stop(t)
	require.Error(t, db.Ping())
	server.Start(t)

	var id int
	require.NoError(t, db.QueryRow("select id from t").Scan(&id))
	assert.Equal(t, 7, id)
}

func TestAPausedServerDoesNotAnswer(t *testing.T) {
	server := peers.RedisServer(t)
	server.Pause(t)
	conn, err := net.Dial("tcp", server.Addr())
	require.NoError(t, err, "the kernel accepts for it")
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(100*time.Millisecond)))
	_, _ = conn.Write([]byte("PING\r\n"))
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	server.Resume(t)
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = conn.Read(make([]byte, 1))
	assert.NoError(t, err)
}

// The test runs itself as another process, which is killed with servers running.
func TestNothingIsLeftWhenTheTestProcessIsKilled(t *testing.T) {
	if os.Getenv("PEERS_CHILD") != "" {
		urls := []string{peers.PostgresServer(t).Addr(), peers.MariaDBServer(t).Addr(), peers.RedisServer(t).Addr()}
		_, _ = os.Stdout.WriteString("\naddresses " + strings.Join(urls, " ") + "\n")
		select {}
	}
	peers.Postgres(t) // skips where a program is missing, before the other process would
	peers.MariaDB(t)
	peers.Redis(t)
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o777))
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), "PEERS_CHILD=1", "TMPDIR="+dir)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	addresses := readAddresses(t, out)
	require.Len(t, addresses, 3)
	require.NoError(t, child.Process.Signal(syscall.SIGKILL))
	_ = child.Wait()

	require.Eventually(t, func() bool {
		for _, a := range addresses {
			if conn, err := net.Dial("tcp", a); err == nil {
				conn.Close()
				return false
			}
		}
		return empty(dir)
	}, 30*time.Second, 50*time.Millisecond, "servers or files are left")
}

func readAddresses(t *testing.T, out interface{ Read([]byte) (int, error) }) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var text strings.Builder
	buffer := make([]byte, 4096)
	for ctx.Err() == nil {
		n, err := out.Read(buffer)
		text.Write(buffer[:n])
		if _, after, ok := strings.Cut(text.String(), "addresses "); ok && strings.Contains(after, "\n") {
			return strings.Fields(after)
		}
		require.NoError(t, err, "the other process said: %s", text.String())
	}
	return nil
}

func empty(dir string) bool {
	entries, err := os.ReadDir(dir)
	return errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0
}
