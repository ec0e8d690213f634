package listen_test

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"rws/server/listen"
	"rws/spec_test/logtext"
)

func TestPortInUseNamesTheProcess(t *testing.T) {
	addr := open(t, "127.0.0.1:0", listen.Options{}).Addr().String()
	_, err := listen.Open(t.Context(), addr, listen.Options{})
	wantError(t, err, "the port is in use by this program itself;")
}

func TestPermissionNamesTheCommand(t *testing.T) {
	if got := listen.Hint(":80", syscall.EACCES); !strings.Contains(got, "setcap cap_net_bind_service=+ep /") {
		t.Errorf("got %q", got)
	}
}

func TestAbstractSocket(t *testing.T) {
	l := open(t, fmt.Sprintf("unix:@rws-listen-test-%d", os.Getpid()), listen.Options{})
	dial(t, l)
	accept(t, l)
}

func TestAcceptWaitsForDescriptors(t *testing.T) {
	var log logtext.Buffer
	l := open(t, "127.0.0.1:0", listen.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	free := exhaustDescriptors(t)
	free(1)
	dial(t, l)

	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := l.Accept()
		accepted <- c
	}()
	for deadline := time.Now().Add(10 * time.Second); !log.Contains("trying again"); {
		if time.Now().After(deadline) {
			t.Fatalf("no failure was logged: %s", log.String())
		}
		time.Sleep(time.Millisecond)
	}
	free(100)
	c := <-accepted
	if c == nil {
		t.Fatal("accept gave up")
	}
	c.Close()
}

// exhaustDescriptors opens files until no descriptor is left; free closes n of them.
func exhaustDescriptors(t *testing.T) (free func(n int)) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	low := syscall.Rlimit{Cur: 256, Max: before.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	var files []*os.File
	free = func(n int) {
		for range min(n, len(files)) {
			files[0].Close()
			files = files[1:]
		}
	}
	t.Cleanup(func() {
		free(len(files))
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before)
	})
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return free
		}
		files = append(files, f)
	}
}
