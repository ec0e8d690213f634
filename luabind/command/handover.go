package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"

	"rws/luabind/repl"
	"rws/server/listen"
	"rws/server/upgrade"
)

// A handover is what a site has from another process, and gives to the next one.
type handover struct {
	old     *upgrade.Old    // the process that this one replaces; nil for none
	sockets *listen.Sockets // that are open already
	next    chan *upgrade.New

	mu           sync.Mutex
	busy         bool   // a new program is being started
	replaced     bool   // it serves
	closeConsole func() // nil when there is none
}

// inherit finds the sockets that are open already: of a process like this one, or of systemd.
func (s *site) inherit() (err error) {
	s.handover.next = make(chan *upgrade.New, 1)
	if s.handover.old, err = upgrade.Parent(); err != nil {
		return err
	}
	if s.handover.old != nil {
		s.handover.sockets = listen.Inherited(s.handover.old.Sockets)
		s.elsewhere = new(bytes.Buffer)
	} else if files := activation.Files(true); len(files) > 0 {
		s.handover.sockets = listen.Activated(files)
	}
	return nil
}

// report tells the process before, if that waits, why this one does not serve: it has the log, and whoever
// asked for it. Without one it returns the error.
func (s *site) report(err error) error {
	if s.elsewhere == nil || err == nil {
		return err
	}
	f, told := errors.AsType[failed](err)
	if !told {
		f = failed{exitUsage}
		fmt.Fprintln(s.elsewhere, err)
	}
	s.handover.old.Fail(s.elsewhere.String())
	return f
}

// released is closed when the process before has let go of what two can't have; nil when there is none.
func (h *handover) released() <-chan struct{} {
	if h.old == nil {
		return nil
	}
	return h.old.Released
}

// settle closes the sockets that the app does not use.
func (s *site) settle() {
	left := s.handover.sockets.Close()
	if len(left) > 0 && s.handover.old == nil {
		s.logger.Warn("systemd has opened sockets that the app does not use: name them in the setting listen", "sockets", strings.Join(left, " "))
	}
}

// ready tells who waits for this process that it serves.
func (s *site) ready() {
	s.notify(daemon.SdNotifyReady + fmt.Sprintf("\nMAINPID=%d", os.Getpid()))
	if s.handover.old == nil {
		return
	}
	if err := s.handover.old.Ready(Version); err != nil {
		s.logger.Warn("the process before does not hear that this one is ready", "error", err)
	}
}

// notify tells systemd, if it started us and wants to know (sd_notify(3)).
func (s *site) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.logger.Warn("systemd could not be told", "state", state, "error", err)
	}
}

// reloading begins what systemd takes for a reload; READY ends it.
func (s *site) reloading() {
	s.notify(daemon.SdNotifyReloading + fmt.Sprintf("\nMONOTONIC_USEC=%d", monotonic().Microseconds()))
}

// upgradePatience is how long a new program may take to be ready: a script has 30 s to load.
const upgradePatience = time.Minute

const oldProgramGoesOn = "the program was not replaced; this one goes on"

// upgrade starts what stands now where this program was started from, with the sockets of this one. Told
// hears how that went, before this one gives way.
func (s *site) upgrade(ctx context.Context, told func(next repl.Successor, err error)) {
	if err := s.mayUpgrade(); err != nil {
		s.logger.Error(oldProgramGoesOn, "error", err)
		told(repl.Successor{}, err)
		return
	}
	defer s.upgraded()
	s.logger.Info("replacing the program", "pid", os.Getpid())
	s.reloading()
	next, err := s.startNext(ctx)
	if err != nil {
		s.server.Keep()
		s.logger.Error(oldProgramGoesOn, "error", err)
		s.notify(daemon.SdNotifyReady)
		told(repl.Successor{}, err)
		return
	}
	s.notify(daemon.SdNotifyReady + fmt.Sprintf("\nMAINPID=%d", next.PID))
	s.logger.Info("the program was replaced; this one ends when its requests are answered", "pid", os.Getpid(), "new_pid", next.PID, "program", next.Program, "version", next.Version)
	told(repl.Successor{PID: next.PID, Program: next.Program, Version: next.Version}, nil)
	s.handover.next <- next
}

func (s *site) mayUpgrade() error {
	h := &s.handover
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.busy || h.replaced:
		return errors.New("it is being replaced already")
	case s.hasConsole():
		return errors.New("the console is open on this terminal, which two programs can't share: stop it and start the new one")
	case os.Getpid() == 1:
		return errors.New("this is the first process of its container, which ends with it: start a new container")
	}
	h.busy = true
	return nil
}

func (s *site) upgraded() {
	s.handover.mu.Lock()
	defer s.handover.mu.Unlock()
	s.handover.busy = false
}

func (s *site) startNext(ctx context.Context) (*upgrade.New, error) {
	sockets, err := s.server.Share()
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, socket := range sockets {
			_ = socket.File.Close() // a copy
		}
	}()
	return upgrade.Start(ctx, sockets, upgradePatience)
}

// giveWay lets the new program have what it waits for. It returns at once.
func (s *site) giveWay(next *upgrade.New) {
	s.handover.mu.Lock()
	s.handover.replaced = true
	closeConsole := s.handover.closeConsole
	s.handover.closeConsole = nil
	s.handover.mu.Unlock()
	if closeConsole != nil {
		closeConsole()
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), s.current().Config.StopGrace)
		defer cancel()
		s.server.StopPackets(ctx)
		next.Release()
	}()
}

// isReplaced reports whether a new program serves.
func (s *site) isReplaced() bool {
	s.handover.mu.Lock()
	defer s.handover.mu.Unlock()
	return s.handover.replaced
}

// consoles opens them, when the process before has closed its own.
func (s *site) consoles(ctx context.Context) (left <-chan error) {
	if s.handover.old == nil {
		return s.openConsoles(ctx)
	}
	go func() {
		select {
		case <-s.handover.old.Released:
			s.openConsoles(ctx)
		case <-ctx.Done():
		}
	}()
	return nil
}

func (s *site) openConsoles(ctx context.Context) (left <-chan error) {
	left, closeAll, err := s.openConsole(ctx)
	if err != nil {
		s.logger.Warn("the console did not open", "error", err)
	}
	s.handover.mu.Lock()
	defer s.handover.mu.Unlock()
	s.handover.closeConsole = closeAll
	return left
}

// closeConsoles closes what consoles has opened.
func (s *site) closeConsoles() {
	s.handover.mu.Lock()
	defer s.handover.mu.Unlock()
	if s.handover.closeConsole != nil {
		s.handover.closeConsole()
		s.handover.closeConsole = nil
	}
}
