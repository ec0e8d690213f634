//go:build unix

package command_test

import (
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"rws/luabind/command"
)

func TestCtrlCEndsALineOfE(t *testing.T) {
	ours := make(chan os.Signal, 1)
	signal.Notify(ours, os.Interrupt) // or it would end the test where rws did not listen
	defer signal.Stop(ours)
	for name, line := range map[string]string{"computing": "while true do end", "waiting": `rws.sleep("1h")`} {
		t.Run(name, func(t *testing.T) {
			s := &site{t: t, done: make(chan int, 1)}
			go func() {
				s.done <- command.Main([]string{"-e", `print("begun") ` + line, "-e", `print("next")`}, strings.NewReader(""), &s.out, &s.err)
			}()
			s.untilSays("begun")
			s.signal(syscall.SIGINT)
			if code := s.exit(); code != 130 {
				t.Errorf("exit code %d", code)
			}
			s.says("interrupted")
			if s.out.Contains("next") {
				t.Error("the next line has run")
			}
		})
	}
}
