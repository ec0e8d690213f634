package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"rws/luabind"
	"rws/luabind/fault"
	"rws/server"
	"rws/server/logs"
	"rws/server/reload"
)

// A site is a script that is being served: the present program, the server in front of
// it, and what is needed to replace the program by a newer version.
type site struct {
	*terminal
	file    string
	source  string // the script when it is no file
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
}

// folderScript serves the files of a folder without a script.
const folderScript = `app:static("/", ".", { list = true })`

// serve loads a script, from a file unless its source is given, and serves it until a signal.
func (t *terminal) serve(file, source string, flags map[string]string) error {
	s := &site{terminal: t, file: file, source: source, flags: flags, output: logs.NewOutput(t.err), printed: logs.NewOutput(t.out), shared: luabind.NewShared(), pools: luabind.NewPools()}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	tuneGC(ctx) // before the script loads, which would set off a collection of little
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
	s.watch(ctx) // before the banner says so
	s.banner()
	s.warn(s.current())
	left, closeConsoles, err := s.openConsole(ctx)
	if err != nil {
		s.logger.Warn("the console did not open", "error", err)
	}
	if closeConsoles != nil {
		defer closeConsoles()
	}
	forgetStart()
	return s.run(ctx, cancel, signals, left)
}

// options say how this site loads its script.
func (s *site) options() luabind.Options {
	return luabind.Options{
		File: s.file, Source: s.source, Flags: s.flags, Output: s.printed, Excerpts: s.excerpts(s.flags), Shared: s.shared, Pools: s.pools, Version: Version, Environ: os.Environ(),
		Logger: s.loggerFor,
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
	signal.Notify(signals, append(reloadSignals, os.Interrupt, syscall.SIGTERM)...)
	return nil
}

// prepare loads the script.
func (s *site) prepare() error {
	p, err := s.load(s.options())
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
	s.server = server.New(server.Options{Logger: s.logger, Access: s.access.AccessLogger})
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

// watch reloads when a file of the app changes, in development.
func (s *site) watch(ctx context.Context) {
	c := s.current().Config
	if c.Production() || !c.Watch {
		return
	}
	reload.Watch(ctx, s.watched, func(changed []string) {
		if pages := s.current().Pages(); !slices.ContainsFunc(changed, func(file string) bool { return !isAsset(file, pages) }) {
			s.current().Refresh()
			return
		}
		_ = s.reload(ctx, changed, s.reloadFailed)
	}, reload.Options{Logger: s.logger})
}

// isAsset reports whether a file lies in one of the folders "public/...".
func isAsset(file string, folders []string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		below, err := filepath.Rel(strings.TrimSuffix(folder, "/..."), file)
		return err == nil && filepath.IsLocal(below)
	})
}

// warn logs, in development, what `rws check` would find beyond what loading finds. It does
// not hold up the first answer.
func (s *site) warn(p *luabind.Program) {
	if p.Config.Production() {
		return
	}
	go func() {
		_, faults := checkTemplates(p)
		for _, e := range append(checkGlobals(p), faults...) {
			s.logger.Warn(e.Message, "at", e.At)
		}
	}()
}

// watched lists what a reload depends on: the files of the app, its certificate, and what
// a version that does not load is about.
func (s *site) watched() []string {
	p := s.current()
	files := append(p.Files(), p.Pages()...)
	if tls := p.App.Settings.TLS; tls.Cert != "" {
		files = append(files, tls.Cert, tls.Key)
	}
	if more := s.suspects.Load(); more != nil {
		files = append(files, *more...)
	}
	return files
}

// reload puts a new version of the script in the place of the present one. When it does
// not load, the present one goes on, and the error says why, which report shows.
func (s *site) reload(ctx context.Context, changed []string, report func(error)) error {
	s.reloads.Lock()
	defer s.reloads.Unlock()
	start := time.Now()
	p, err := luabind.Load(s.options())
	if err == nil {
		err = s.replace(ctx, p)
	}
	if err != nil {
		report(err)
		return err
	}
	s.suspects.Store(nil)
	s.warn(p)
	s.level.Set(levelOf(p.Config))
	s.logger.Info("reloaded", "file", s.file, "changed", s.relative(changed), "took", time.Since(start).Round(100*time.Microsecond))
	if logOptions(p.Config, s.err).Format != s.format {
		s.logger.Warn("the setting log changed; restart to apply it")
	}
	if s.opened.AccessLogDiffers(p.Config) {
		s.logger.Warn("the settings access_log.* changed; restart to apply them")
	}
	return nil
}

// replace swaps the program for p, which is closed when that fails.
func (s *site) replace(ctx context.Context, p *luabind.Program) error {
	s.swaps.Lock()
	defer s.swaps.Unlock()
	if s.ending {
		closeProgram(p)
		return nil
	}
	old := s.current()
	err := old.Config.Fixed(p.Config) // before the script's own hooks hand over anything
	if err == nil {
		err = p.Reload(ctx, old)
	}
	if err != nil {
		closeProgram(p)
		return err
	}
	s.adopt(p)
	s.live.Store(nil)
	if err := s.server.Swap(p.App); err != nil {
		s.live.Store(old)
		return err
	}
	s.live.Store(p)
	s.program.Store(p)
	return nil
}

// relative names files as the app does.
func (s *site) relative(files []string) string {
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = file
		if name, err := filepath.Rel(s.current().Dir(), file); err == nil {
			names[i] = filepath.ToSlash(name)
		}
	}
	return strings.Join(names, " ")
}

// luaFile finds the names of scripts in errors.
var luaFile = regexp.MustCompile(`[\w./-]+\.lua\b`)

// reloadFailed shows why the new version is not used.
func (s *site) reloadFailed(err error) {
	s.logger.Error(oldGoesOn, "error", errors.New(s.broken(err)))
}

// reloadRefused is reloadFailed for a console, which shows the error itself.
func (s *site) reloadRefused(err error) {
	s.broken(err)
	s.logger.Error(oldGoesOn)
}

const oldGoesOn = "the new version does not load; the old one goes on"

// broken notes what the new version, which is not used, is about, and returns why as text.
func (s *site) broken(err error) string {
	why, names := err.Error(), luaFile.FindAllString(err.Error(), -1)
	if e, ok := errors.AsType[*fault.Error](err); ok {
		why = e.Text(sourceBeside(s.options()), fault.TextOptions{Locals: true, Trace: true})
		for _, f := range e.Frames {
			names = append(names, f.File)
		}
	}
	for i, name := range names {
		names[i] = filepath.Join(s.current().Dir(), name)
	}
	s.suspects.Store(&names)
	s.current().Broken(why)
	return why
}

// excerpts reports whether people read the log here.
func (t *terminal) excerpts(flags map[string]string) bool {
	return flags["log"] == "pretty" || flags["log"] == "" && isTerminal(t.err)
}

// run waits for signals: SIGHUP reloads, SIGINT and SIGTERM stop, a second one at once.
// With a console on the terminal, Ctrl-C is the console's, and leaving it stops.
func (s *site) run(ctx context.Context, cancel func(), signals <-chan os.Signal, left <-chan error) error {
	ended := make(chan error, 1)
	go func() { ended <- s.server.Wait() }()
	for {
		select {
		case sig := <-signals:
			if isReload(sig) {
				if err := s.access.Reopen(); err != nil {
					s.logger.Error("opening the access log again", "error", err)
				}
				go func() { _ = s.reload(ctx, nil, s.reloadFailed) }() // a script may load for long; another signal must get through
				continue
			}
			if sig == os.Interrupt && left != nil {
				continue
			}
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

// stop ends the server gracefully.
func (s *site) stop(signals <-chan os.Signal) error {
	done := make(chan error, 1)
	go func() {
		s.swaps.Lock()
		s.ending = true
		s.swaps.Unlock()
		s.current().Leave()
		time.Sleep(s.current().Config.StopDelay) // a second signal does not wait for this
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
			if isReload(sig) {
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
