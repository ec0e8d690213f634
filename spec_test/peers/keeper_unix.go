//go:build unix

package peers

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// script keeps a server. It obeys one word a line and answers each with a line. Its input ends
// when the test process does, in whatever way; then it kills the server and removes the folder.
const script = `
dir=$1 signal=$2; shift 2
alive() { [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; }
stopped() { ! cat /proc/"$pid"/task/*/stat 2>/dev/null | grep -q ') [^Tt] '; }
stop() { alive || return 0; kill -s "$signal" "$pid"; kill -s CONT "$pid" 2>/dev/null; wait "$pid"; pid=; }
while read -r word; do
	case $word in
	start) "$@" </dev/null >>"$dir/log" 2>&1 & pid=$!; echo ok ;;
	stop) stop; echo ok ;;
	pause)
		if kill -s STOP "$pid"; then
			until stopped; do sleep 0.01; done # its threads do not stop at once
			echo ok
		else
			echo "it does not run"
		fi ;;
	resume) kill -s CONT "$pid" && echo ok || echo "it does not run" ;;
	alive) alive && echo ok || echo "see its log" ;;
	esac
done
stop
cd / && rm -rf "$dir"
echo ended
`

// keeper is the shell that runs script.
type keeper struct {
	mu  sync.Mutex
	cmd *exec.Cmd
	in  *os.File
	out *bufio.Reader
}

// keep starts a keeper for a server with this command line.
func keep(dir string, users []string, signal string, server []string) (*keeper, error) {
	in, toChild, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	fromChild, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", script, "sh", dir, signal}, server...)...)
	cmd.Dir, cmd.Stdin, cmd.Stdout = dir, in, out
	if err := runAs(cmd, users); err != nil {
		return nil, err
	}
	cmd.SysProcAttr.Setsid = true // ^C in the terminal reaches the tests, and then us by the pipe
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &keeper{cmd: cmd, in: toChild, out: bufio.NewReader(fromChild)}, nil
}

func (k *keeper) do(word string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, err := fmt.Fprintln(k.in, word); err != nil {
		return err
	}
	answer, err := k.out.ReadString('\n')
	if err != nil {
		return err
	}
	if answer = strings.TrimSpace(answer); answer != "ok" {
		return errors.New(answer)
	}
	return nil
}

// end does what the end of the test process would, and waits for it.
func (k *keeper) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = k.in.Close()
	_, _ = io.Copy(io.Discard, k.out)
	_ = k.cmd.Wait()
}

// account is whom servers run as, nil for the present user. Postgres and MariaDB refuse to
// run as root.
func account(names []string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range append(names, "nobody") {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
	}
	return nil, fmt.Errorf("no user to run a server as: looked for %s and nobody", strings.Join(names, ", "))
}

func runAs(cmd *exec.Cmd, users []string) error {
	who, err := account(users)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	return err
}

func giveTo(path string, users []string) error {
	who, err := account(users)
	if who == nil {
		return err
	}
	return os.Chown(path, int(who.Uid), int(who.Gid))
}
