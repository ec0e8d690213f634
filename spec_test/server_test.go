package spec_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"rws/spec_test/logtext"
)

// A server is a running rws.
type server struct {
	name string
	cmd  *exec.Cmd
	log  logtext.Buffer // what it printed
	done chan struct{}  // closed when it has ended
	err  error          // of the process, once it has ended
	seen bool           // its end was expected and looked at
}

// listening finds the address in the banner, for people or for machines.
var listening = regexp.MustCompile(`(?:➜\s+|"addresses":\[")((?:https?://|unix:)[^\s"]+)`)

func serve(s *spec, args []string) error {
	vars, rest := assignments(args)
	if len(rest) == 0 {
		return usageError("serve [NAME=value …] app.lua [flags]")
	}
	placed := rest[0] == "proxy" && len(rest) > 2 && !strings.Contains(rest[1], "/") // rws proxy ADDRESS BACKEND
	if flags := " " + strings.Join(rest, " "); !placed && !strings.Contains(flags, " --port") && !strings.Contains(flags, " --listen") {
		rest = append(rest, "--port", "0")
	}
	srv := &server{name: rest[0], done: make(chan struct{})}
	srv.cmd = exec.Command(binary, rest...)
	srv.cmd.Dir, srv.cmd.Env = s.ts.MkAbs("."), s.environ(vars)
	srv.cmd.Stdout, srv.cmd.Stderr = &srv.log, &srv.log
	if err := srv.cmd.Start(); err != nil {
		return err
	}
	s.servers = append(s.servers, srv)
	go func() { srv.err = srv.cmd.Wait(); close(srv.done) }()
	url, err := srv.url()
	if err != nil {
		srv.seen = true // the spec knows from here
		return err
	}
	s.ts.Setenv("URL", url)
	s.ts.Setenv("URL"+strconv.Itoa(len(s.servers)), url)
	return nil
}

// url waits for the banner, which is printed when the sockets are open.
func (srv *server) url() (string, error) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if m := listening.FindStringSubmatch(srv.log.String()); m != nil {
			return m[1], nil
		}
		select {
		case <-srv.done:
			return "", fmt.Errorf("%s ended before it listened: %v\n%s", srv.name, srv.err, srv.log.String())
		default:
		}
	}
	return "", fmt.Errorf("%s does not listen after %s\n%s", srv.name, patience, srv.log.String())
}

// stop ends a server that runs, and reports what is wrong with its end.
func (srv *server) stop() error {
	select {
	case <-srv.done:
	default:
		if err := srv.cmd.Process.Signal(stopSignal()); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
	}
	if err := srv.wait(); err != nil {
		return err
	}
	if srv.err != nil && !srv.seen {
		return fmt.Errorf("%s did not stop cleanly: %w", srv.name, srv.err)
	}
	srv.seen = true
	for _, bad := range []string{"DATA RACE", "\ngoroutine ", "fatal error: "} {
		if srv.log.Contains(bad) {
			return fmt.Errorf("%s printed %q", srv.name, strings.TrimSpace(bad))
		}
	}
	return nil
}

// wait waits for the process, and kills it when it goes on.
func (srv *server) wait() error {
	select {
	case <-srv.done:
		return nil
	case <-time.After(patience):
		_ = srv.cmd.Process.Signal(syscall.SIGQUIT) // prints where it hangs
		select {
		case <-srv.done:
		case <-time.After(time.Second):
			_ = srv.cmd.Process.Kill()
			<-srv.done
		}
		return fmt.Errorf("%s still runs after %s", srv.name, patience)
	}
}

// stopSignal is what asks a process to stop; a process on Windows can only be killed.
func stopSignal() os.Signal {
	if os.PathSeparator == '\\' {
		return os.Kill
	}
	return syscall.SIGTERM
}

// server returns the one that was started last.
func (s *spec) server() (*server, error) {
	if len(s.servers) == 0 {
		return nil, usageError("there is no server yet: serve app.lua")
	}
	return s.servers[len(s.servers)-1], nil
}

func stopServer(s *spec, args []string) error {
	srv, err := s.server()
	if err != nil {
		return err
	}
	return srv.stop()
}

// killServer ends the last server as a crash would.
func killServer(s *spec, args []string) error {
	srv, err := s.server()
	if err != nil {
		return err
	}
	srv.seen = true
	if err := srv.cmd.Process.Kill(); err != nil {
		return err
	}
	return srv.wait()
}

func exited(s *spec, args []string) error {
	srv, err := s.server()
	if err != nil || len(args) != 1 {
		return errors.Join(err, usageError("exited CODE"))
	}
	if err := srv.wait(); err != nil {
		return err
	}
	srv.seen = true
	if code := strconv.Itoa(srv.cmd.ProcessState.ExitCode()); code != args[0] {
		return fmt.Errorf("%s exited with %s, not %s", srv.name, code, args[0])
	}
	return nil
}

var signals = map[string]os.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "INT": os.Interrupt}

func signalServer(s *spec, args []string) error {
	srv, err := s.server()
	if err != nil {
		return err
	}
	if len(args) != 1 || signals[args[0]] == nil {
		return usageError("signal HUP|TERM|INT")
	}
	return srv.cmd.Process.Signal(signals[args[0]])
}

func serverLog(s *spec, args []string) error {
	srv, err := s.server()
	if err != nil {
		return err
	}
	if len(args) != 1 {
		return usageError("serverlog REGEXP")
	}
	re, err := regexp.Compile("(?m)" + args[0])
	if err != nil {
		return usageError(err.Error())
	}
	if log := srv.log.String(); !re.MatchString(log) {
		return fmt.Errorf("no match for %q in the log:\n%s", args[0], log)
	}
	return nil
}

// runBinary runs rws to its end.
func runBinary(s *spec, args []string) error {
	vars, rest := assignments(args)
	cmd := exec.Command(binary, rest...)
	cmd.Dir, cmd.Env = s.ts.MkAbs("."), s.environ(vars)
	cmd.Stdout, cmd.Stderr = s.ts.Stdout(), s.ts.Stderr()
	if err := cmd.Start(); err != nil {
		return err
	}
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	s.exit = cmd.ProcessState.ExitCode()
	if !late.Stop() {
		return usageError(fmt.Sprintf("rws %s still ran after %s", strings.Join(rest, " "), patience))
	}
	return err
}

func exitCode(s *spec, args []string) error {
	if len(args) != 1 {
		return usageError("exit CODE")
	}
	if code := strconv.Itoa(s.exit); code != args[0] {
		return fmt.Errorf("rws exited with %s, not %s", code, args[0])
	}
	return nil
}
