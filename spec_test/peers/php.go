package peers

import (
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// PHP starts PHP-FPM for this test, with scripts by their names, as "a.php". It returns the socket
// that it listens on and the folder where the scripts are, as it sees it.
func PHP(t testing.TB, scripts map[string]string) (socket, root string) {
	t.Helper()
	k := &kind{
		name: "PHP-FPM", program: "php-fpm*", debian: "php-fpm", users: []string{"www-data"}, signal: "KILL",
		prepare: func(s *Server) error { return s.preparePHP(scripts) },
		arguments: func(s *Server) []string {
			return []string{"-F", "-n", "-y", filepath.Join(s.dir, "fpm.conf")}
		},
		ready: func(s *Server) error {
			conn, err := net.DialTimeout("unix", s.phpSocket(), time.Second)
			if err != nil {
				return err
			}
			return conn.Close()
		},
		create: func(s *Server, _ string) (string, func(), error) { return "", func() {}, nil },
	}
	s := k.own(t, nil)
	return s.phpSocket(), s.dir
}

func (s *Server) phpSocket() string { return filepath.Join(s.dir, "php.sock") }

func (s *Server) preparePHP(scripts map[string]string) error {
	for name, text := range scripts {
		if _, err := s.file(name, text); err != nil {
			return err
		}
	}
	_, err := s.file("fpm.conf", fmt.Sprintf("[global]\nerror_log = /proc/self/fd/2\ndaemonize = no\n[www]\nlisten = %s\n"+
		"pm = static\npm.max_children = 4\nphp_admin_value[memory_limit] = 64M\n", s.phpSocket()))
	return err
}
