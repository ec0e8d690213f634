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
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"rws/luabind"
	"rws/luabind/repl"
	"rws/luabind/vm"
	"rws/server/logs"
)

// Names in the folder that an app keeps for rws.
const (
	ownFolder   = ".rws"
	historyName = "history"
	socketName  = "console.sock"
)

// emptyScript is what the console runs in when there is no app.
const emptyScript = "-- no script\n"

// replCommand is the console on an app that does not listen.
func (t *terminal) replCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "repl [app.lua]",
		Short: "Open a console on an app, without listening",
		Long: `Repl loads a script and opens a console in it: it reads and assigns the script's
locals, calls its functions and makes requests without a socket. Without a script, and
without an app.lua here, it starts with an empty app. Piped input runs line by line; the
exit status is 1 when a line raised an error or a request was answered 5xx, so that a
pipe is a smoke test. An answer of the 4xx kind is no failure: assert(get("/x").status ==
200) makes it one. A line may compute for a minute without waiting;
--stall makes it longer, and Ctrl-C ends it.`,
		Example: `  rws repl app.lua
  echo 'get "/"' | rws repl app.lua`,
		Args: cobra.MaximumNArgs(1),
	}
	flags := settingFlags(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error { return t.repl(args, flags()) }
	return command(cmd)
}

// attachCommand is the console of a server that runs.
func (t *terminal) attachCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "attach [app.lua]",
		Short: "Open a console in a running server",
		Long: `Attach opens the console of the server that runs the given script, or the app.lua of
this folder, by the socket .rws/console.sock beside the script; only the user who runs the
server may. In production the console is read-only: neither a line nor a handler that it
calls, as by get "/path", can change what the app holds, files, databases or other servers.
With --write it can, and the server's log says so; every line is in that log.
Lines share the app's Lua with its requests: one that computes for longer than the setting
stall (1s) without waiting is ended, and so is the one that runs on Ctrl-C.`,
		Example: `  rws attach
  echo 'app.cache:delete("menu")' | rws attach --write app.lua`,
		Args: cobra.MaximumNArgs(1),
	}
	write := cmd.Flags().Bool("write", false, "let lines change things, also in production")
	cmd.RunE = func(_ *cobra.Command, args []string) error { return t.attach(args, *write) }
	return command(cmd)
}

func (t *terminal) attach(args []string, write bool) error {
	file, err := appFile(args)
	if err != nil {
		return err
	}
	in, ok := t.in.(*os.File)
	if !ok {
		return errors.New("attach needs a terminal or a pipe")
	}
	socket := filepath.Join(filepath.Dir(file), ownFolder, socketName)
	fine, err := repl.Attach(context.Background(), socket, write, in, t.out, t.err, terminalOptions(filepath.Dir(file)))
	if err != nil {
		fmt.Fprintf(t.err, "rws: %v\n", err)
	}
	if err != nil || !fine {
		return failed{exitFailed}
	}
	return nil
}

func terminalOptions(dir string) repl.TerminalOptions {
	return repl.TerminalOptions{History: filepath.Join(dir, ownFolder, historyName)}
}

// repl opens a console on an app that does not listen.
func (t *terminal) repl(args []string, flags map[string]string) error {
	output := logs.NewOutput(t.err)
	h, err := t.offline(args, flags, output, t.out)
	if err != nil {
		return err
	}
	p := h.program()
	defer closeProgram(p)
	session := repl.New(h, repl.Options{Stall: patience(p.Config)})
	if !isTerminal(t.in) || !isTerminal(t.out) {
		if !repl.Pipe(context.Background(), session, t.in, t.out, t.err) {
			return failed{exitFailed}
		}
		return nil
	}
	term, err := repl.NewTerminal(terminalOptions(p.Dir()))
	if term == nil {
		return err
	}
	if err != nil {
		fmt.Fprintf(t.err, "rws: this console has no history: %v\n", err)
	}
	output.Redirect(term)
	fmt.Fprintf(term, "rws %s   %s   :help lists what there is, Ctrl-D leaves\n", Version, t.subject(h))
	return term.Run(context.Background(), session)
}

// aloneStall is how long a line may compute in a console that holds up nobody.
const aloneStall = time.Minute

// patience is that time, or the setting stall where that is longer.
func patience(c *luabind.Config) time.Duration { return max(c.Stall, aloneStall) }

func (t *terminal) subject(h *host) string {
	if h.source {
		return h.Main() + ", not listening"
	}
	return "no app here: `rws new` makes one"
}

// offline loads the app that args name, the one of this folder, or an empty one.
func (t *terminal) offline(args []string, flags map[string]string, logTo, printTo io.Writer) (*host, error) {
	o := luabind.Options{File: "app.lua", Source: emptyScript, Flags: flags, Output: printTo, Excerpts: t.excerpts(flags)}
	script := len(args) > 0 || exists("app.lua")
	if script {
		file, err := appFile(args)
		if err != nil {
			return nil, err
		}
		o.File, o.Source = file, ""
	}
	o.Logger = func(c *luabind.Config) *slog.Logger { return logs.New(logTo, logOptions(c, t.err)) }
	p, err := t.load(o)
	if err != nil {
		return nil, err
	}
	h, err := newHost(p, script)
	if err != nil {
		closeProgram(p)
	}
	return h, err
}

// eval runs lines of Lua in the console of the app that args name, or of an empty one, one
// after the other until one fails. Ctrl-C ends the line that runs, a second one the process.
func (t *terminal) eval(lines, args []string, flags map[string]string) error {
	h, err := t.evalHost(args, flags)
	if err != nil {
		return err
	}
	defer closeProgram(h.program())
	session := repl.New(h, repl.Options{Raw: true, Stall: patience(h.program().Config)})
	ctx, stop := interruptible()
	defer stop()
	for _, line := range lines {
		switch fine := repl.Run(ctx, session, line, t.out, t.err); {
		case ctx.Err() != nil:
			return failed{interruptedBy(ctx)}
		case !fine:
			return failed{exitFailed}
		}
	}
	return nil
}

// interruptible is a context that Ctrl-C and SIGTERM end, once; then they end the process again.
func interruptible() (ctx context.Context, stop func()) {
	ctx, end := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case sig := <-signals:
			signal.Stop(signals)
			end(interruption{sig})
		case <-ctx.Done():
		}
	}()
	return ctx, func() { signal.Stop(signals); end(nil) }
}

// An interruption is the cause of a context that a signal has ended.
type interruption struct{ signal os.Signal }

func (i interruption) Error() string { return vm.ErrStopped.Error() }

func (i interruption) Unwrap() error { return vm.ErrStopped }

// interruptedBy is the exit code for what ended a context of interruptible.
func interruptedBy(ctx context.Context) int {
	if i, ok := errors.AsType[interruption](context.Cause(ctx)); ok && i.signal == syscall.SIGTERM {
		return exitTerminated
	}
	return exitInterrupted
}

// evalHost is offline, but takes the app.lua of this folder only when it is named.
func (t *terminal) evalHost(args []string, flags map[string]string) (*host, error) {
	if len(args) > 0 {
		return t.offline(args, flags, t.err, t.out)
	}
	o := luabind.Options{File: "app.lua", Source: emptyScript, Flags: flags, Output: t.out}
	o.Logger = func(c *luabind.Config) *slog.Logger { return logs.New(t.err, logOptions(c, t.err)) }
	p, err := t.load(o)
	if err != nil {
		return nil, err
	}
	h, err := newHost(p, false)
	if err != nil {
		closeProgram(p)
	}
	return h, err
}

// hasConsole reports whether the console opens on the terminal.
func (s *site) hasConsole() bool {
	return s.source == "" && isTerminal(s.in) && isTerminal(s.terminal.out) && !s.current().Config.Production()
}

// openConsole lets consoles into the site: by the socket for `rws attach`, and on the
// terminal when rws runs on one. The channel tells when the one on the terminal is left;
// it is nil when there is none.
func (s *site) openConsole(ctx context.Context) (left <-chan error, closeAll func(), err error) {
	p := s.current()
	h, err := s.host()
	if err != nil {
		return nil, nil, err
	}
	closeAll = func() {}
	if p.Config.Console && s.source == "" {
		l, err := repl.Listen(filepath.Join(p.Dir(), ownFolder, socketName), h, repl.AttachOptions{
			ReadOnly: p.Config.Production(), Audit: s.logger, Replace: func(told func(repl.Successor, error)) { s.upgrade(ctx, told) },
		})
		if err != nil {
			s.logger.Warn("rws attach will not work", "error", err)
		} else {
			closeAll = func() { _ = l.Close() }
		}
	}
	if !s.hasConsole() {
		return nil, closeAll, nil
	}
	term, err := repl.NewTerminal(terminalOptions(p.Dir()))
	if term == nil {
		return nil, closeAll, err
	}
	if err != nil {
		s.logger.Warn("this console has no history", "error", err)
	}
	s.output.Redirect(term)
	s.printed.Redirect(term)
	c := make(chan error, 1)
	go func() {
		err := term.Run(ctx, repl.New(h, repl.Options{}))
		s.output.Redirect(s.err)
		s.printed.Redirect(s.terminal.out)
		c <- err
	}()
	return c, closeAll, nil
}
