package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	lua "github.com/yuin/gopher-lua"

	"rws/luabind"
	"rws/luabind/fault"
	"rws/luabind/inspect"
	"rws/luabind/vm"
	"rws/server/suggest"
)

func (t *terminal) checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [app.lua]",
		Short: "Load an app without serving it, and say what is wrong",
		Long: `Loads an app without listening and says what is wrong with it, each with file and line:
syntax, options, patterns, routes of which one could never answer because they conflict,
globals that are declared nowhere, templates that do not parse, those that c:render
names and that are not there, and files of limits and certificates that can't be used.
Proxies and static folders that probably do something else than was meant are doubts,
which are shown, fail nothing, and are in the log of a start in development.
Start hooks are not run.`,
		Example: "  rws check app.lua\n  rws check --env production && rws --env production",
		Args:    arguments(0, 1),
	}
	flags := settingFlags(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		file, err := appFile(args)
		if err != nil {
			return err
		}
		return t.check(file, flags())
	}
	return command(cmd)
}

// check prints all findings, or a summary when there are none.
func (t *terminal) check(file string, flags map[string]string) error {
	o := t.quietly(luabind.Options{File: file, Flags: flags, Environ: os.Environ(), Version: Version})
	p, err := luabind.Load(o)
	var findings []*fault.Error
	switch e, ok := errors.AsType[*fault.Error](err); {
	case err == nil:
		defer closeProgram(p)
		names, faults := checkTemplates(p)
		if findings = slices.Concat(checkGlobals(p), faults, p.LookAtFiles()); len(findings) == 0 {
			doubts := p.Doubts()
			for _, e := range doubts {
				t.show(e, sourceBeside(o))
			}
			t.fine(p, names, len(doubts))
			return nil
		}
	case ok:
		findings = append(split(e), checkAlone(o)...)
	default:
		return err
	}
	for _, e := range findings {
		t.show(e, sourceBeside(o))
	}
	fmt.Fprintf(t.err, "%s: %s\n", file, count(len(findings), "problem"))
	return failed{exitFailed}
}

// fine says what was checked.
func (t *terminal) fine(p *luabind.Program, templates, doubts int) {
	parts := []string{count(len(routeRows(p.App.Routes, false)), "route")}
	if n := len(p.Tests()); n > 0 {
		parts = append(parts, count(n, "test"))
	}
	if templates > 0 {
		parts = append(parts, count(templates, "template"))
	}
	parts = append(parts, count(len(scripts(p)), "Lua file"))
	if doubts > 0 {
		parts = append(parts, count(doubts, "doubt"))
	}
	fmt.Fprintf(t.out, "%s: %s\n", paint(isColorful(t.out)).add(green, "ok"), strings.Join(parts, ", "))
}

// checkAlone looks for undeclared globals in a script that does not load.
func checkAlone(o luabind.Options) []*fault.Error {
	text, err := os.ReadFile(o.File)
	if err != nil {
		return nil
	}
	empty, err := luabind.Load(luabind.Options{File: o.File, Source: "-- nothing\n", Flags: o.Flags, Environ: o.Environ})
	if err != nil {
		return nil
	}
	defer closeProgram(empty)
	return undeclared(filepath.Base(o.File), string(text), globalsOf(empty))
}

// checkGlobals looks for globals that are declared nowhere, in all files of the app.
func checkGlobals(p *luabind.Program) []*fault.Error {
	names := globalsOf(p)
	if len(names) == 0 {
		return nil // the program was closed meanwhile
	}
	var findings []*fault.Error
	for _, file := range scripts(p) {
		if text, ok := p.Source(file); ok {
			findings = append(findings, undeclared(file, text, names)...)
		}
	}
	return findings
}

// scripts lists the Lua files that a program was made of, as errors name them.
func scripts(p *luabind.Program) []string {
	var files []string
	for _, file := range p.Files() {
		name, err := filepath.Rel(p.Dir(), file)
		if err == nil && filepath.Ext(name) == ".lua" {
			files = append(files, filepath.ToSlash(name))
		}
	}
	return files
}

// globalsOf lists the globals that exist when a script has loaded.
func globalsOf(p *luabind.Program) []string {
	var names []string
	_ = p.Isolates()[0].Do(&vm.Run{Context: context.Background()}, func(L *lua.LState) error {
		L.G.Global.ForEach(func(k, _ lua.LValue) { names = append(names, k.String()) })
		return nil
	})
	slices.Sort(names)
	return names
}

// undeclared reports the uses of globals that are probably mistakes. A file that does not
// compile has none.
func undeclared(file, text string, known []string) []*fault.Error {
	chunk, err := fault.Compile(file, text)
	if err != nil {
		return nil
	}
	var findings []*fault.Error
	for _, g := range inspect.Undeclared(chunk, func(name string) bool { return slices.Contains(known, name) }) {
		e := &fault.Error{Code: "global", At: fmt.Sprintf("%s:%d", g.File, g.Line)}
		if g.Write {
			e.Message = fmt.Sprintf("the global `%s` is assigned in a function and declared nowhere", g.Name)
			e.Hint = fmt.Sprintf("write `local %s = …`, or keep what requests share in app.shared", g.Name)
		} else {
			e.Message = fmt.Sprintf("the global `%s` is declared nowhere%s", g.Name, suggest.DidYouMean(g.Name, known))
			e.Hint = "it is nil when this line runs"
		}
		findings = append(findings, e)
	}
	return findings
}
