package spec_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	servers "rws/spec_test/peers"
)

// sessionCrashApp answers with the session that it has set.
const sessionCrashApp = `
app:post("/set/:n{int}", function(c)
  c.session.uid = c.params.n
  c.session.list = { c.params.n, c.params.n + 1 }
  return "set"
end)
app:get("/get", function(c)
  if not c.session.uid then return "nobody" end
  return c.session.uid .. " " .. c.session.list[1] .. " " .. c.session.list[2]
end)
`

// acknowledged is a session that a client was told of.
type acknowledged struct {
	n      int
	cookie string
}

// TestSessionsSurviveAKill kills rws with SIGKILL in the middle of saves. Each session whose answer
// had arrived is there after a restart, whole.
func TestSessionsSurviveAKill(t *testing.T) {
	for name, store := range map[string]func(t *testing.T) string{
		"sqlite":   func(*testing.T) string { return "sqlite:sessions.db" },
		"redis":    func(t *testing.T) string { return servers.Redis(t) },
		"postgres": func(t *testing.T) string { return servers.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, url := t.TempDir(), store(t)
			if err := os.WriteFile(filepath.Join(dir, "app.lua"), []byte(sessionCrashApp), 0o666); err != nil {
				t.Fatal(err)
			}
			first := startIn(t, dir, url)
			saved := saveUntilKilled(t, first)
			if len(saved) < 100 {
				t.Fatalf("only %d sessions were acknowledged", len(saved))
			}
			second := startIn(t, dir, url)
			for _, a := range saved {
				want := fmt.Sprintf("%d %d %d", a.n, a.n, a.n+1)
				if got, _, err := ask(second, http.MethodGet, "/get", a.cookie); err != nil || got != want {
					t.Fatalf("session %d of %d: %q (%v), want %q", a.n, len(saved), got, err, want)
				}
			}
			t.Logf("%d sessions were acknowledged before the kill", len(saved))
		})
	}
}

// saveUntilKilled makes sessions by several clients, and kills the server while they do.
func saveUntilKilled(t *testing.T, srv *server) []acknowledged {
	t.Helper()
	var mu sync.Mutex
	var saved []acknowledged
	kill := sync.OnceFunc(func() { _ = srv.cmd.Process.Kill() })
	var clients sync.WaitGroup
	for c := range 4 {
		clients.Go(func() {
			for n := c * 1_000_000; ; n++ {
				body, cookie, err := ask(srv, http.MethodPost, fmt.Sprintf("/set/%d", n), "")
				if err != nil {
					return // killed
				}
				if body != "set" || cookie == "" {
					t.Errorf("POST /set/%d: %q, cookie %q", n, body, cookie)
					kill()
					return
				}
				mu.Lock()
				saved = append(saved, acknowledged{n, cookie})
				if len(saved) == 300 {
					go kill()
				}
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	<-srv.done
	return saved
}

// startIn serves the app in dir.
func startIn(t *testing.T, dir, store string) *server {
	t.Helper()
	srv := &server{name: "app.lua", done: make(chan struct{}), seen: true}
	srv.cmd = exec.Command(binary, "app.lua", "--port", "0", "--session-store", store, "--env", "production", "--host", "127.0.0.1")
	srv.cmd.Dir, srv.cmd.Stdout, srv.cmd.Stderr = dir, &srv.log, &srv.log
	if err := srv.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { srv.err = srv.cmd.Wait(); close(srv.done) }()
	t.Cleanup(func() { _ = srv.stop() })
	if _, err := srv.url(); err != nil {
		t.Fatal(err)
	}
	return srv
}

// ask makes a request and returns the body and the cookie of the session that the answer sets.
func ask(srv *server, method, path, cookie string) (body, set string, err error) {
	url, err := srv.url()
	if err != nil {
		return "", "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url+path, nil)
	if err != nil {
		return "", "", err
	}
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	for _, k := range res.Cookies() {
		if k.Name == "rws_sid" {
			set = k.Name + "=" + k.Value
		}
	}
	return string(text), set, err
}
