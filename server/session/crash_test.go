package session_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
	"rws/server/session"
)

// saveForever makes sessions and changes one of them, and prints each when it is saved.
func saveForever(url string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	ctx := context.Background()
	d, err := db.Open(url, db.Options{})
	fail(err)
	store, err := session.NewSQL(ctx, d)
	fail(err)
	m, err := session.New(session.Options{Store: store})
	fail(err)
	counter := &browser{m: m}
	for i := 0; ; i++ {
		for _, b := range []*browser{counter, {m: m}} {
			s, h := b.start(), http.Header{}
			fail(s.Set(ctx, "n", i))
			fail(s.Set(ctx, fmt.Sprint("key", i%50), i))
			fail(s.Save(ctx, h))
			b.take(h)
			fmt.Println(i, b.pair)
		}
	}
}

// A process is killed while it saves sessions: what it had said to be saved is there.
func TestSavedSessionsSurviveAKill(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "RWS_SESSION_DB="+url)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	saved := make(map[string]int64) // the last number by cookie
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var n int64
		var pair string
		_, err := fmt.Sscan(lines.Text(), &n, &pair)
		if err != nil {
			break // the last line was cut
		}
		saved[pair] = n
		if len(saved) == 1000 {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	_ = cmd.Wait()
	require.GreaterOrEqual(t, len(saved), 1000)

	d, err := db.Open(url, db.Options{})
	require.NoError(t, err)
	defer d.Close()
	require.NoError(t, d.Check(t.Context()))
	store, err := session.NewSQL(t.Context(), d)
	require.NoError(t, err)
	m := manager(t, session.Options{Store: store})
	for pair, n := range saved {
		b := &browser{m: m, pair: pair}
		got, _ := b.get(t, "n").(int64)
		assert.LessOrEqual(t, n, got, pair)
		assert.LessOrEqual(t, got, n+1, "nothing that was not asked for")
	}
	// Beside those that were acknowledged there is at most the one under way.
	list, err := m.List(t.Context(), "", 1_000_000)
	require.NoError(t, err)
	assert.InDelta(t, len(saved), len(list), 1)
}
