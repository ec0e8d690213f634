package upgrade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"rws/server/listen"
)

// Parent is the process that started this one to be replaced; nil when this is a start as any other.
func Parent() (*Old, error) {
	text, ok := os.LookupEnv(variable)
	if !ok {
		return nil, nil
	}
	_ = os.Unsetenv(variable) // what we start is no upgrade; on Unix it does not fail
	var names []string
	if err := json.Unmarshal([]byte(text), &names); err != nil {
		return nil, fmt.Errorf("taking over from another process: the variable %s is %q: %w", variable, text, err)
	}
	for fd := readyFD; fd < socketsFD+len(names); fd++ {
		syscall.CloseOnExec(fd)
	}
	ready, released := os.NewFile(readyFD, "ready"), os.NewFile(releasedFD, "released")
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		defer released.Close()
		_, _ = released.Read(make([]byte, 1)) // nothing is written; it ends when the other side does
	}()
	old := &Old{Released: gone, ready: func(version string) error {
		defer ready.Close()
		_, err := ready.WriteString("\x01" + version[:min(len(version), maxSaid)]) // at once: an old one reads the byte only
		return err
	}, fail: func(why string) {
		defer ready.Close()
		_, _ = ready.WriteString("\x00" + why[:min(len(why), maxSaid)]) // the other one may be gone
	}}
	for i, name := range names {
		old.Sockets = append(old.Sockets, listen.Socket{Name: name, File: os.NewFile(uintptr(socketsFD+i), name)})
	}
	return old, nil
}

// New is a process that replaces this one.
type New struct {
	PID     int
	Program string // the path that it was started by
	Version string // as it tells; "" when it does not
	release *os.File
}

// Release lets the new process have what two can't have at a time. It also has it when this one ends.
func (n *New) Release() { _ = n.release.Close() }

// Start starts what stands now at the path by which this process was started (os.Args[0], looked up in PATH
// at that time), with the same arguments, folder, environment and output, gives it the sockets, and returns
// when it is ready. Where nothing can be started at that path it is an error, whatever has become of the file
// that runs. When the new one is not ready within the patience, or ends, it is gone when the error says so;
// this process has lost nothing.
func Start(ctx context.Context, sockets []listen.Socket, patience time.Duration) (*New, error) {
	ready, readyW, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting the new program: %w", err)
	}
	defer ready.Close()
	releasedR, release, err := os.Pipe()
	if err != nil {
		readyW.Close()
		return nil, fmt.Errorf("starting the new program: %w", err)
	}
	cmd, err := command(sockets)
	if err == nil {
		cmd.ExtraFiles = append([]*os.File{readyW, releasedR}, cmd.ExtraFiles...)
		err = cmd.Start()
	}
	readyW.Close()
	releasedR.Close()
	if err != nil {
		release.Close()
		return nil, fmt.Errorf("starting the new program: %w", err)
	}
	version, err := await(ctx, cmd, ready, patience)
	if err != nil {
		release.Close()
		return nil, err
	}
	return &New{PID: cmd.Process.Pid, Program: cmd.Path, Version: version, release: release}, nil
}

// command is this process once more. It is told the whole path, by which it is replaced in its turn.
func command(sockets []listen.Socket) (*exec.Cmd, error) {
	if err := check(program); err != nil {
		return nil, err
	}
	var names []string
	var files []*os.File
	for _, s := range sockets {
		names, files = append(names, s.Name), append(files, s.File)
	}
	text, err := json.Marshal(names)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, os.Args[1:]...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), handedOver), variable+"="+string(text))
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = os.Stdin, os.Stdout, os.Stderr, files
	return cmd, nil
}

// handedOver reports whether a variable tells of sockets, which are not those that the new one gets.
func handedOver(entry string) bool {
	name, _, _ := strings.Cut(entry, "=")
	return slices.Contains([]string{variable, "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}, name)
}

// said is what a new process says of itself.
type said struct {
	version string // when it is ready
	err     error  // why it is not
}

// hear waits for what a new process says.
func hear(ready io.Reader) said {
	var first [1]byte
	if _, err := io.ReadFull(ready, first[:]); err != nil {
		return said{err: err}
	}
	text, err := io.ReadAll(io.LimitReader(ready, maxSaid))
	if err == nil && first[0] != 1 {
		err = errors.New(strings.TrimSpace(string(text)))
	}
	return said{string(text), err}
}

// await waits until a new process says that it is ready, and which version it is, and ends it when it does not.
func await(ctx context.Context, cmd *exec.Cmd, ready io.Reader, patience time.Duration) (version string, err error) {
	heard := make(chan said, 1)
	go func() { heard <- hear(ready) }()
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it was not ready after %s", patience))
	defer cancel()
	var it said
	select {
	case it = <-heard:
		if it.err == nil {
			go func() { _ = cmd.Wait() }() // so that none is left behind when it ends before us
			return it.version, nil
		}
	case <-ctx.Done():
		it.err = context.Cause(ctx)
		_ = cmd.Process.Kill() // it may have ended
	}
	_ = cmd.Wait() // the state tells
	if errors.Is(it.err, io.EOF) {
		it.err = fmt.Errorf("it ended before it was ready: %s", cmd.ProcessState)
	}
	return "", fmt.Errorf("starting the new program: %w", it.err)
}
