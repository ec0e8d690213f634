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
	old := &Old{Released: gone, ready: func() error {
		defer ready.Close()
		_, err := ready.Write([]byte{1})
		return err
	}, fail: func(why string) {
		defer ready.Close()
		_, _ = ready.WriteString("\x00" + why[:min(len(why), maxWhy)]) // the other one may be gone
	}}
	for i, name := range names {
		old.Sockets = append(old.Sockets, listen.Socket{Name: name, File: os.NewFile(uintptr(socketsFD+i), name)})
	}
	return old, nil
}

// New is a process that replaces this one.
type New struct {
	PID     int
	release *os.File
}

// Release lets the new process have what two can't have at a time. It also has it when this one ends.
func (n *New) Release() { _ = n.release.Close() }

// Start starts the program of this process again, with its arguments, folder, environment and output,
// gives it the sockets, and returns when it is ready. When it is not within the patience, or ends, it is
// gone when the error says so; this process has lost nothing.
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
	if err := await(ctx, cmd, ready, patience); err != nil {
		release.Close()
		return nil, err
	}
	return &New{PID: cmd.Process.Pid, release: release}, nil
}

// command is this process once more. The path is that of the file, which may be another by now.
func command(sockets []listen.Socket) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
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
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(slices.DeleteFunc(os.Environ(), handedOver), variable+"="+string(text))
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = os.Stdin, os.Stdout, os.Stderr, files
	return cmd, nil
}

// handedOver reports whether a variable tells of sockets, which are not those that the new one gets.
func handedOver(entry string) bool {
	name, _, _ := strings.Cut(entry, "=")
	return slices.Contains([]string{variable, "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}, name)
}

// hear waits for what a new process says of itself: nil when it is ready.
func hear(ready io.Reader) error {
	var first [1]byte
	if _, err := io.ReadFull(ready, first[:]); err != nil || first[0] == 1 {
		return err
	}
	why, err := io.ReadAll(io.LimitReader(ready, maxWhy))
	if err != nil {
		return err
	}
	return errors.New(strings.TrimSpace(string(why)))
}

// await waits until a new process says that it is ready, and ends it when it does not.
func await(ctx context.Context, cmd *exec.Cmd, ready *os.File, patience time.Duration) error {
	said := make(chan error, 1)
	go func() { said <- hear(ready) }()
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it was not ready after %s", patience))
	defer cancel()
	var why error
	select {
	case why = <-said:
		if why == nil {
			go func() { _ = cmd.Wait() }() // so that none is left behind when it ends before us
			return nil
		}
	case <-ctx.Done():
		why = context.Cause(ctx)
		_ = cmd.Process.Kill() // it may have ended
	}
	_ = cmd.Wait() // the state tells
	if errors.Is(why, io.EOF) {
		why = fmt.Errorf("it ended before it was ready: %s", cmd.ProcessState)
	}
	return fmt.Errorf("starting the new program: %w", why)
}
