package command

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"regexp"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"rws/luabind"
	"rws/luabind/repl"
	"rws/server"
	"rws/server/logs"
)

// A site is a script that is being served: the present program, the server in front of
// it, and what is needed to replace the program by a newer version.
type site struct {
	*terminal
	file    string
	source  string // the script when it is no file
	what    string // it serves then
	flags   map[string]string
	output  *logs.Output // of the log
	printed *logs.Output // of print
	logger  *slog.Logger
	format  logs.Format // Auto when the log goes to no terminal
	level   slog.LevelVar
	access  *luabind.AccessLog
	opened  *luabind.Config // what access was opened with
	server  *server.Server
	shared  *luabind.Shared
	pools   *luabind.Pools

	program atomic.Pointer[luabind.Program]
	// live is the program whose stop hooks have to run when it is closed: the one that
	// was not replaced.
	live atomic.Pointer[luabind.Program]
	// suspects are files that the newest version, which does not load, names.
	suspects atomic.Pointer[[]string]

	reloads sync.Mutex // one at a time
	swaps   sync.Mutex // guards ending, and that nothing is swapped after it
	ending  bool

	handover handover
}

// serve serves a script until a signal.
func (t *terminal) serve(file string, flags map[string]string) error {
	return t.serveLine(oneLine{file: file}, flags)
}

// serveLine loads a script, from a file unless it is there already, and serves it until a signal.
func (t *terminal) serveLine(l oneLine, flags map[string]string) error {
	s := &site{terminal: t, file: l.file, source: l.script, what: l.what, flags: flags, output: logs.NewOutput(t.err), printed: logs.NewOutput(t.out), shared: luabind.NewShared(), pools: luabind.NewPools()}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	tuneGC(ctx) // before the script loads, which would set off a collection of little
	if err := s.inherit(); err != nil {
		return err
	}
	return s.report(s.serveAll(ctx, cancel))
}

// serveAll is what serveLine does when the site knows what it has from another process.
func (s *site) serveAll(ctx context.Context, cancel func()) error {
	if err := s.prepare(); err != nil {
		return err
	}
	defer s.access.Close()
	signals := make(chan os.Signal, 4)
	defer signal.Stop(signals)
	s.current().App.Start = func(ctx context.Context) error { return s.begin(ctx, signals) }
	if err := s.server.Start(ctx, s.current().App); err != nil {
		return s.complain(err, s.current().Source)
	}
	s.elsewhere = nil // nothing fails that the process before should know
	s.settle()
	s.watch(ctx) // before the banner says so
	s.banner()
	s.warn(s.current(), tidy)
	left := s.consoles(ctx)
	defer s.closeConsoles()
	s.ready()
	forgetStart()
	return s.run(ctx, cancel, signals, left)
}

// options say how this site loads its script.
func (s *site) options() luabind.Options {
	return luabind.Options{
		File: s.file, Source: s.source, Flags: s.flags, Output: s.printed, Excerpts: s.excerpts(s.flags), Shared: s.shared, Pools: s.pools, Version: Version, Environ: os.Environ(),
		NoDotEnv: s.source != "", Logger: s.loggerFor,
	}
}

// loggerFor returns the logger. Its form is decided once, before anything is served, and
// stays over reloads.
func (s *site) loggerFor(c *luabind.Config) *slog.Logger {
	if s.program.Load() == nil {
		o := logOptions(c, s.err)
		s.format = o.Format
		s.level.Set(o.Level.Level())
		o.Level = &s.level
		s.logger = logs.New(s.output, o)
	}
	return s.logger
}

// logOptions are what the configuration says about logs that go to w.
func logOptions(c *luabind.Config, w io.Writer) logs.Options {
	format, err := logs.ParseFormat(c.Log)
	if err != nil {
		panic(err) // the setting allows no other words
	}
	o := logs.Options{Format: format, Level: levelOf(c), Color: logs.ColorNever}
	if format == logs.Auto && isTerminal(w) {
		o.Format = logs.Pretty // the Output may be a prompt's by then, which looks like no terminal
	}
	if isColorful(w) {
		o.Color = logs.ColorAlways
	}
	return o
}

func levelOf(c *luabind.Config) slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		panic(err) // as above
	}
	return level
}

// begin runs the start hooks, when all else has gone well: the addresses are open. From its end on
// a signal stops gracefully; before, it just ends the process.
func (s *site) begin(ctx context.Context, signals chan<- os.Signal) error {
	p := s.current()
	if err := p.Start(ctx); err != nil {
		return err
	}
	s.live.Store(p)
	signal.Notify(signals, append(slices.Concat(reloadSignals, upgradeSignals), os.Interrupt, syscall.SIGTERM)...)
	return nil
}

// prepare loads the script.
func (s *site) prepare() error {
	p, err := s.open()
	if err != nil {
		return err
	}
	s.adopt(p)
	s.program.Store(p)
	for _, name := range p.Config.Unknown {
		s.logger.Warn("the variable " + name + " is no setting of rws: `rws config` lists those there are")
	}
	o := logOptions(p.Config, s.err)
	o.Level = &s.level
	s.opened = p.Config
	if s.access, err = p.OpenAccessLog(s.output, o); err != nil {
		closeProgram(p)
		return s.complain(err, p.Source)
	}
	s.server = server.New(server.Options{Logger: s.logger, Access: s.access.AccessLogger, Inherited: s.handover.sockets, Released: s.handover.released()})
	return nil
}

// adopt makes the stop hooks of a program run when it is closed, unless it was replaced.
func (s *site) adopt(p *luabind.Program) {
	p.App.Close = func(ctx context.Context) error {
		if s.live.CompareAndSwap(p, nil) {
			p.Ending()
		}
		return p.Close(ctx)
	}
}

func (s *site) current() *luabind.Program { return s.program.Load() }

// warn logs, in development, what `rws check` would find beyond what loading finds. It does
// not hold up the first answer. then is called when that is done.
func (s *site) warn(p *luabind.Program, then func()) {
	if p.Config.Production() {
		return
	}
	go func() {
		defer then()
		_, faults := checkTemplates(p)
		for _, e := range append(checkGlobals(p), faults...) {
			s.logger.Warn(e.Message, "at", e.At)
		}
		for _, e := range p.Doubts() {
			s.logger.Warn(e.Message, "at", s.place(e.At), "hint", e.Hint)
		}
	}()
}

// tidy gives back what the checks have used, which come after forgetStart on a busy machine.
func tidy() {
	debug.FreeOSMemory()
	forgetStart()
}

// luaFile finds the names of scripts in errors.
var luaFile = regexp.MustCompile(`[\w./-]+\.lua\b`)

const oldGoesOn = "the new version does not load; the old one goes on"

// excerpts reports whether people read the log here.
func (t *terminal) excerpts(flags map[string]string) bool {
	return flags["log"] == "pretty" || flags["log"] == "" && isTerminal(t.err)
}

// run waits for signals: SIGHUP reloads, SIGUSR2 replaces the program, SIGINT and SIGTERM stop, a second one at once.
// With a console on the terminal, Ctrl-C is the console's, and leaving it stops.
func (s *site) run(ctx context.Context, cancel func(), signals <-chan os.Signal, left <-chan error) error {
	ended := make(chan error, 1)
	go func() { ended <- s.server.Wait() }()
	for {
		select {
		case sig := <-signals:
			if isUpgrade(sig) {
				go s.upgrade(ctx, func(repl.Successor, error) {}) // the log says it
				continue
			}
			if isReload(sig) {
				if err := s.access.Reopen(); err != nil {
					s.logger.Error("opening the access log again", "error", err)
				}
				go s.reloadOnSignal(ctx) // a script may load for long; another signal must get through
				continue
			}
			if sig == os.Interrupt && left != nil {
				continue
			}
			cancel()
			return s.stop(signals)
		case next := <-s.handover.next:
			s.giveWay(next)
			cancel()
			return s.stop(signals)
		case <-left:
			cancel()
			return s.stop(signals)
		case err := <-ended:
			return s.complain(err, nil)
		}
	}
}

// reloadOnSignal is a reload that systemd is told of.
func (s *site) reloadOnSignal(ctx context.Context) {
	s.reloading()
	_ = s.reload(ctx, nil, s.reloadFailed) // which tells of the error
	s.notify(daemon.SdNotifyReady)
}

// stop ends the server gracefully.
func (s *site) stop(signals <-chan os.Signal) error {
	done := make(chan error, 1)
	go func() {
		s.swaps.Lock()
		s.ending = true
		s.swaps.Unlock()
		if !s.isReplaced() {
			s.notify(daemon.SdNotifyStopping)
			s.current().Leave()
			time.Sleep(s.current().Config.StopDelay) // a second signal does not wait for this
		}
		done <- s.server.Shutdown(context.Background())
	}()
	s.say("stopping", "requests may finish; Ctrl-C again stops at once", "requests", s.server.Stats().InFlight)
	for {
		select {
		case err := <-done:
			if err != nil {
				return s.complain(err, s.current().Source)
			}
			return nil
		case sig := <-signals:
			if isReload(sig) || isUpgrade(sig) {
				continue
			}
			s.say("stopped at once", "requests were broken off", "requests", s.server.Stats().InFlight)
			return failed{exitFailed}
		}
	}
}

// say tells people by a line of text and machines by a record.
func (s *site) say(what, more string, args ...any) {
	if s.forMachines() {
		s.logger.Info(what, args...)
		return
	}
	fmt.Fprintf(s.output, "\n%s; %s\n", what, more)
}
