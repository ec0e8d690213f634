package listen

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// findHolder looks up who listens on a TCP port: the socket's inode stands in /proc/net, the
// process that has it open in /proc/PID/fd, as far as this user may look.
func findHolder(port string) (process, bool) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return process{}, false
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for _, inode := range listening(text, uint16(n)) {
			if p, ok := owner("socket:[" + inode + "]"); ok {
				return p, true
			}
		}
	}
	return process{}, false
}

// listening returns the inodes of the sockets that listen on port, from a table in the form
// of /proc/net/tcp (proc_net_tcp(5)): columns sl, local address:port in hex, remote, state,
// five more, inode.
func listening(table []byte, port uint16) (inodes []string) {
	const stateListen = "0A"
	for line := range bytes.Lines(table) {
		field := strings.Fields(string(line))
		if len(field) < 10 || field[3] != stateListen {
			continue
		}
		_, hex, _ := strings.Cut(field[1], ":")
		if n, err := strconv.ParseUint(hex, 16, 16); err == nil && uint16(n) == port {
			inodes = append(inodes, field[9])
		}
	}
	return inodes
}

func owner(socket string) (process, bool) {
	descriptors, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range descriptors {
		if target, err := os.Readlink(fd); err != nil || target != socket {
			continue
		}
		folder := filepath.Dir(filepath.Dir(fd))
		pid, _ := strconv.Atoi(filepath.Base(folder))
		name, err := os.ReadFile(filepath.Join(folder, "comm"))
		return process{pid: pid, name: strings.TrimSpace(string(name))}, err == nil
	}
	return process{}, false
}
