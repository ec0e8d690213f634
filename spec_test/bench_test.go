package spec_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The benchmarks measure whole paths: real sockets, the real binary in a process of its own,
// and beside it a plain net/http server that writes the same bytes.
//
//	go test ./spec_test -run '^$' -bench . -benchtime 3s
//
// ns/op is the time between answers with all cores busy, of which the client takes its part;
// cpu-µs/op is what the server alone used, from /proc.

const benchApp = `
local db = app:db("sqlite:bench.db")
db:migrate { [[
  create table notes (id integer primary key, title text not null, body text not null, done boolean not null, created_at text not null);
  insert into notes with recursive c(n) as (select 1 union all select n + 1 from c where n < 10000)
    select n, 'note number ' || n, 'a text of some length, as notes have', n % 2, '2030-01-31 08:00:00.000Z' from c;
]] }
app:get("/hello", function() return "hello, world\n" end)
app:get("/json/:name", function(c) return { hello = c.params.name, list = { 1, 2, 3 } } end)
app:get("/page", function(c)
  return c:render("page.html", { title = "Notes", items = { "one", "two", "three", "four", "five" } })
end)
app:static("/files", "public")
app:get("/note/:id{int}", function(c) return db:one("select * from notes where id = ?", c.params.id) end)
app:get("/notes", function() return db:all("select * from notes order by id limit 20") end)
app:get("/sleep", function() rws.sleep("10ms") return "slept\n" end)

app:get("/wait", { timeout = "2h" }, function() app.shared:incr("waiting") rws.sleep("1h") end)
app:get("/waiting", function() return tostring(app.shared:get("waiting") or 0) end)
`

const benchPage = `<!doctype html><title>{{ title }}</title><ul>{% for item in items %}<li>{{ item }}</li>{% endfor %}</ul>
`

// plain is the variable that makes the test binary a plain net/http server, see run.
const plain = "RWS_SPEC_PLAIN"

// servePlain answers as benchApp does, without Lua.
func servePlain() int {
	body := func(mediaType, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			_, _ = io.WriteString(w, text)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", body("text/plain; charset=utf-8", "hello, world\n"))
	mux.HandleFunc("GET /json/{name}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"hello":%q,"list":[1,2,3]}`, r.PathValue("name"))
	})
	mux.HandleFunc("GET /page", body("text/html; charset=utf-8", strings.Repeat("x", 130)))
	mux.Handle("GET /files/", http.StripPrefix("/files/", http.FileServer(http.Dir(os.Getenv(plain)))))
	mux.HandleFunc("GET /sleep", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(10 * time.Millisecond)
		_, _ = io.WriteString(w, "slept\n")
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprintf(os.Stderr, "➜  http://%s\n", l.Addr())
	fmt.Fprintln(os.Stderr, http.Serve(l, mux))
	return 1
}

// A target is a server under measurement.
type target struct {
	*server
	addr string
}

// start runs a server until the benchmark ends.
func start(b testing.TB, cmd *exec.Cmd) *target {
	b.Helper()
	t := &target{server: &server{name: cmd.Path, cmd: cmd, done: make(chan struct{})}}
	cmd.Stdout, cmd.Stderr = &t.log, &t.log
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	go func() { t.err = cmd.Wait(); close(t.done) }()
	b.Cleanup(func() { _ = cmd.Process.Kill(); <-t.done })
	url, err := t.url()
	if err != nil {
		b.Fatal(err)
	}
	t.addr = strings.TrimPrefix(url, "http://")
	return t
}

// benchFolder holds benchApp and its files.
func benchFolder(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	for name, text := range map[string]string{
		"app.lua": benchApp, "templates/page.html": benchPage, "public/10k.txt": strings.Repeat("0123456789", 1000),
	} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, []byte(text), 0o666)); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

func startRws(b *testing.B, flags ...string) *target {
	args := append([]string{filepath.Join(benchFolder(b), "app.lua"), "--port", "0", "--host", "127.0.0.1", "--env", "production", "--migrate"}, flags...)
	return start(b, exec.Command(binary, args...))
}

func startPlain(b *testing.B) *target {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), plain+"="+filepath.Join(benchFolder(b), "public"))
	return start(b, cmd)
}

// A wire is a keep-alive connection with as little of its own as possible.
type wire struct {
	conn    net.Conn
	r       *bufio.Reader
	request []byte
}

func dial(addr, path string) (*wire, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &wire{conn, bufio.NewReaderSize(conn, 16<<10), []byte("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")}, nil
}

// ask sends the request and skips an answer, which must be a 200 with Content-Length.
func (w *wire) ask() error {
	if _, err := w.conn.Write(w.request); err != nil {
		return err
	}
	size := -1
	for n := 0; ; n++ {
		line, err := w.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if n == 0 && !bytes.Contains(line, []byte(" 200 ")) {
			return fmt.Errorf("the answer is %q", line)
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if size, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return err
			}
		}
		if len(bytes.TrimSpace(line)) == 0 {
			break
		}
	}
	if size < 0 {
		return errors.New("the answer has no Content-Length")
	}
	_, err := w.r.Discard(size)
	return err
}

// hammer asks for a path on so many connections until the benchmark has enough.
func hammer(b *testing.B, t *target, path string, conns int) {
	var left atomic.Int64
	left.Store(int64(b.N))
	wires := make([]*wire, conns)
	for i := range wires {
		w, err := dial(t.addr, path)
		if err != nil {
			b.Fatal(err)
		}
		defer w.conn.Close()
		if wires[i] = w; i == 0 {
			if err := w.ask(); err != nil {
				b.Fatal(err)
			}
		}
	}
	before := t.cpu()
	b.ResetTimer()
	var all sync.WaitGroup
	for _, w := range wires {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if err := w.ask(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	if used := t.cpu() - before; used > 0 {
		b.ReportMetric(float64(used.Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
	}
}

// cpu is the processor time the server has used, 0 where the system does not tell.
func (t *target) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", t.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text, []byte(") ")) // the name before may hold spaces
	fields := strings.Fields(string(rest))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // ticks of 1/100 s
}

// rss is the memory the server has, in bytes.
func (t *target) rss(b testing.TB) float64 { return t.memory(b, "VmRSS:") }

// memory is a line of /proc/PID/status that is in kB, in bytes.
func (t *target) memory(b testing.TB, line string) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", t.cmd.Process.Pid))
	if err != nil {
		b.Skip("memory is read from /proc: ", err)
	}
	_, rest, _ := strings.Cut(string(text), line)
	kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kb * 1024
}

func BenchmarkPaths(b *testing.B) {
	for _, path := range []struct {
		name, path string
		conns      int
	}{
		{"hello", "/hello", 32},
		{"json", "/json/ann", 32},
		{"template", "/page", 32},
		{"static10k", "/files/10k.txt", 32},
		{"waiting1000", "/sleep", 1000},
	} {
		b.Run(path.name+"/rws", func(b *testing.B) {
			hammer(b, startRws(b, "--access-log=false"), path.path, path.conns)
		})
		b.Run(path.name+"/plain", func(b *testing.B) {
			hammer(b, startPlain(b), path.path, path.conns)
		})
	}
	for _, path := range []string{"/note/777", "/notes"} { // a row by its key, and 20 rows, as JSON
		b.Run("sqlite"+strings.ReplaceAll(path, "/777", ""), func(b *testing.B) {
			hammer(b, startRws(b, "--access-log=false"), path, 32)
		})
	}
	b.Run("hello/access-log", func(b *testing.B) { hammer(b, startRws(b), "/hello", 32) })
	b.Run("hello/isolates", func(b *testing.B) {
		hammer(b, startRws(b, "--access-log=false", "--isolates", strconv.Itoa(runtime.GOMAXPROCS(0))), "/hello", 32)
	})
}

// BenchmarkStart is the time from starting the process to its first answer.
func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	if err := copyExamples(dir); err != nil {
		b.Fatal(err)
	}
	example := filepath.Join(dir, "hello.lua")
	for b.Loop() {
		t := start(b, exec.Command(binary, example, "--port", "0", "--host", "127.0.0.1"))
		w, err := dial(t.addr, "/")
		if err != nil {
			b.Fatal(err)
		}
		if err := w.ask(); err != nil {
			b.Fatal(err)
		}
		_ = w.conn.Close()
		_ = t.cmd.Process.Kill()
		<-t.done
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1e3/float64(b.N), "ms/start")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkMemory is what the process takes: with the smallest app after 1,000 requests, and
// for each of 10,000 requests that wait.
func BenchmarkMemory(b *testing.B) {
	b.Run("hello", func(b *testing.B) {
		for b.Loop() {
			t := startRws(b, "--access-log=false")
			w, err := dial(t.addr, "/hello")
			if err != nil {
				b.Fatal(err)
			}
			for range 1000 {
				if err := w.ask(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(t.rss(b)/(1<<20), "MiB")
			_ = w.conn.Close()
		}
		b.ReportMetric(0, "ns/op")
	})
	b.Run("waiting", func(b *testing.B) {
		for b.Loop() {
			perRequest := waitingMemory(b, 10_000)
			b.ReportMetric(perRequest/1024, "KiB/request")
		}
		b.ReportMetric(0, "ns/op")
	})
}

// waitingMemory is what each of n waiting requests takes, with its connection.
func waitingMemory(b *testing.B, n int) float64 {
	t := startRws(b, "--access-log=false", "--max-connections", strconv.Itoa(n+10))
	ask, err := dial(t.addr, "/waiting")
	if err != nil {
		b.Fatal(err)
	}
	defer ask.conn.Close()
	if err := ask.ask(); err != nil {
		b.Fatal(err)
	}
	before := t.rss(b)
	for range n {
		w, err := dial(t.addr, "/wait")
		if err != nil {
			b.Skip("too few open files are allowed: ", err)
		}
		defer w.conn.Close()
		if _, err := w.conn.Write(w.request); err != nil {
			b.Fatal(err)
		}
	}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if t.waiting(b) == n {
			break
		}
		if time.Now().After(end) {
			b.Fatalf("%d of %d requests wait after %s", t.waiting(b), n, patience)
		}
	}
	return (t.rss(b) - before) / float64(n)
}

// waiting is how many requests wait in /wait.
func (t *target) waiting(b *testing.B) int {
	res, err := http.Get("http://" + t.addr + "/waiting")
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	n, err := strconv.Atoi(string(text))
	if err != nil {
		b.Fatal(err)
	}
	return n
}
