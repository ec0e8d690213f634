// Package command is the command line of rws: one file per command. It wires the Lua side
// (luabind, repl) to the engine (server) and to the terminal.
package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rws/luabind"
	"rws/luabind/fault"
	"rws/server/logs"
	"rws/server/suggest"
)

// Version of rws.
const Version = "1.0"

// Exit codes.
const (
	exitFine        = 0
	exitFailed      = 1   // the script, or a test, failed
	exitInterrupted = 130 // by Ctrl-C, as shells have it
	exitTerminated  = 143 // by SIGTERM, likewise
	exitUsage       = 2   // the command line, or what it names, was wrong
)

// A terminal is what a command talks to.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	// elsewhere gets the errors that are shown, in place of err; nil for none.
	elsewhere *bytes.Buffer
	started   time.Time
}

// failed is an error that has been shown already.
type failed struct{ code int }

func (f failed) Error() string { return fmt.Sprintf("exit status %d", f.code) }

// Main runs rws and returns its exit code: 0, or 1 when the script or a test failed, or 2
// when rws was called in a wrong way.
func Main(args []string, in io.Reader, out, errs io.Writer) int {
	t := &terminal{in: in, out: out, err: errs, started: time.Now()}
	root := t.root()
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return exitFine
	}
	if f, ok := errors.AsType[failed](err); ok {
		return f.code
	}
	fmt.Fprintf(errs, "rws: %v\n", err)
	return exitUsage
}

// root returns the command rws itself, which serves a script.
func (t *terminal) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "rws [app.lua]",
		Short: "Serve an app written in Lua",
		Long: `Rws runs a Lua script that declares routes, middleware, files and more, and serves
it. Without a name it takes the app.lua of this folder; a folder means the app.lua in it.
In a folder that has no app.lua but an index.html, it serves the files.

In development, which is the default, it listens on this machine only, reloads when a
file of the app changes and shows errors with their source. SIGHUP reloads too, SIGUSR2
replaces the program (rws upgrade); Ctrl-C or SIGTERM lets requests finish, a second one
stops at once.`,
		Example: `  rws new                            make an app.lua
  rws                                serve it
  rws app.lua --port 8080 --env production --log json
  rws -e 'return rws.version'        run a line of Lua`,
		Args:              scriptArgs,
		ValidArgsFunction: completeScript,
		SilenceErrors:     true,
		SilenceUsage:      true,
		Version:           Version,
	}
	root.SetIn(t.in)
	root.SetOut(t.out)
	root.SetErr(t.err)
	root.SetVersionTemplate("rws {{.Version}}\n")
	flags := settingFlags(root)
	var lines []string
	root.Flags().StringArrayVarP(&lines, "eval", "e", nil, "run a `line` of Lua, print what it returns, and exit; may be repeated, for one line after the other. Ctrl-C ends it, and so does computing for a minute, or --stall if that is longer")
	root.RunE = func(_ *cobra.Command, args []string) error {
		if len(lines) > 0 {
			return t.eval(lines, args, flags())
		}
		if len(args) == 0 && !exists("app.lua") && !exists("index.html") && isTerminal(t.in) && isTerminal(t.out) {
			return t.scratch()
		}
		if len(args) == 0 && !exists("app.lua") && exists("index.html") {
			return t.serveLine(oneLine{"app.lua", folderScript, "the files of this folder; `rws new` makes an app.lua"}, flags())
		}
		file, err := appFile(args)
		if err != nil {
			return err
		}
		return t.serve(file, flags())
	}
	root.AddCommand(t.commands()...)
	help(root)
	return root
}

// scriptArgs takes at most one script, and knows a misspelt command when it sees one.
func scriptArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !exists(args[0]) && (len(args) > 1 || !strings.ContainsAny(args[0], "./\\")) {
		return unknownCommand(cmd, args[0])
	}
	if len(args) > 1 {
		return fmt.Errorf("one script at a time, not %q as well", args[1])
	}
	return nil
}

// appFile returns the script to run: the argument, or app.lua in this folder. An argument
// that is a folder means the app.lua in it.
func appFile(args []string) (string, error) {
	file := "app.lua"
	if len(args) > 0 {
		file = args[0]
	}
	info, err := os.Stat(file)
	if err == nil && info.IsDir() {
		file = filepath.Join(file, "app.lua")
		if _, err = os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("there is no app.lua in the folder %s: name a script in it, or make one with `rws new %s`", args[0], args[0])
		}
	}
	switch {
	case err == nil:
		return file, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("looking for the script: %w", err)
	case len(args) == 0:
		return "", errors.New("there is no app.lua here: name a script, as in `rws hello.lua`, or make one with `rws new`")
	}
	return "", fmt.Errorf("there is no file %s%s", file, suggest.DidYouMean(filepath.Base(file), scriptsIn(filepath.Dir(file))))
}

// scriptsIn lists the Lua files of a folder.
func scriptsIn(dir string) []string {
	entries, _ := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".lua" {
			names = append(names, e.Name())
		}
	}
	return names
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// open loads the script that args name, for a command that does not serve it. The caller
// closes the program.
func (t *terminal) open(args []string, flags map[string]string) (*luabind.Program, error) {
	file, err := appFile(args)
	if err != nil {
		return nil, err
	}
	return t.load(t.quietly(luabind.Options{File: file, Flags: flags}))
}

// quietly completes o for a command whose output is not the script's: what the script
// prints and warns of goes to the error output. It touches no data of the app.
func (t *terminal) quietly(o luabind.Options) luabind.Options {
	o.Output, o.Databases = t.err, luabind.DatabasesCheck
	o.Logger = func(*luabind.Config) *slog.Logger {
		return logs.New(t.err, logs.Options{Format: logs.Pretty, Level: slog.LevelWarn})
	}
	return o
}

// load loads a script and shows what is wrong with it. Other errors are about how rws was
// called: a flag, a variable, a file that can't be read.
func (t *terminal) load(o luabind.Options) (*luabind.Program, error) {
	o.Environ, o.Version = os.Environ(), Version
	p, err := luabind.Load(o)
	if e, ok := errors.AsType[*fault.Error](err); ok {
		t.show(e, sourceBeside(o))
		return nil, failed{exitFailed}
	}
	return p, err
}

// show prints an error of a script with its excerpt.
func (t *terminal) show(e *fault.Error, source fault.Source) {
	for _, e := range split(e) {
		fmt.Fprintln(t.faults(), e.Text(source, fault.TextOptions{Color: isColorful(t.faults()), Locals: true, Trace: true}))
	}
}

// split takes apart an error about several settings, and that of routes, which tells about all that
// conflict.
func split(e *fault.Error) []*fault.Error {
	joined, ok := e.Cause.(interface{ Unwrap() []error })
	if !ok || e.Code != "option" && (e.Code != "routes" || e.At != "") {
		return []*fault.Error{e}
	}
	var list []*fault.Error
	for _, err := range joined.Unwrap() {
		if one, ok := err.(*fault.Error); ok {
			list = append(list, one)
			continue
		}
		if e.Code == "option" { // several causes of one mistake: only the whole has a place
			return []*fault.Error{e}
		}
		at, message, found := strings.Cut(err.Error(), ": ")
		if !found {
			at, message = "", err.Error()
		}
		list = append(list, &fault.Error{Code: e.Code, At: at, Message: message})
	}
	return list
}

// complain prints an error that came up while a script was served.
func (t *terminal) complain(err error, source fault.Source) error {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		t.show(e, source)
	} else {
		fmt.Fprintf(t.faults(), "rws: %v\n", err)
	}
	return failed{exitFailed}
}

// faults is where errors are shown.
func (t *terminal) faults() io.Writer {
	if t.elsewhere != nil {
		return t.elsewhere
	}
	return t.err
}

// sourceBeside reads script files from the app's folder.
func sourceBeside(o luabind.Options) fault.Source {
	return func(name string) (string, bool) {
		if o.Source != "" && name == filepath.Base(o.File) {
			return o.Source, true
		}
		text, err := os.ReadFile(filepath.Join(filepath.Dir(o.File), name))
		return string(text), err == nil
	}
}

// closeProgram frees a program that nothing uses any more.
func closeProgram(p *luabind.Program) { _ = p.Close(context.Background()) }
