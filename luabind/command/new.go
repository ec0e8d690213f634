package command

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// starter is the app.lua of a new app.
//
//go:embed starter.lua
var starter string

// ignored is the .gitignore of a new app: what rws makes, and what is secret.
const ignored = ".rws/\n.env\n*.db\n*.db-shm\n*.db-wal\n"

func (t *terminal) newCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "new [dir]",
		Short: "Make an app that runs at once",
		Long: `Makes an app in a folder, or in this one: an app.lua of twelve lines that runs at once,
a .gitignore, and what editors with lua-language-server need to know the names of rws.
Files that exist already are never changed.`,
		Example: "  rws new notes && cd notes && rws",
		Args:    arguments(0, 1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error { return t.newApp(folder(args)) }
	return command(cmd)
}

// folder returns the folder that args name, or this one.
func folder(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return "."
}

func (t *terminal) newApp(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return t.complain(fmt.Errorf("making the folder: %w", err), nil)
	}
	for _, f := range []struct{ name, text string }{{"app.lua", starter}, {".gitignore", ignored}} {
		if err := t.place(filepath.Join(dir, f.name), f.text); err != nil {
			return t.complain(err, nil)
		}
	}
	if err := t.types(dir); err != nil {
		return err
	}
	run := "rws"
	if dir != "." {
		run = "cd " + dir + " && rws"
	}
	fmt.Fprintf(t.out, "\nNext:\n  %-24s serve it\n  %-24s run its test\n  %-24s read about app:get, or any other name\n", run, "rws test", "rws doc app:get")
	return nil
}

// place writes a file unless it exists, and says which of the two.
func (t *terminal) place(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		fmt.Fprintf(t.out, "kept   %s, which exists already\n", file)
		return nil
	}
	if err != nil {
		return fmt.Errorf("writing a new file: %w", err)
	}
	_, err = strings.NewReader(text).WriteTo(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	fmt.Fprintf(t.out, "wrote  %s\n", file)
	return nil
}
