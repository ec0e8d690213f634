package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// typesFolder is where the LuaCATS files of an app are, below its folder.
const typesFolder = ".rws/types"

// editorSettings are for lua-language-server.
const editorSettings = `{
  "$schema": "https://raw.githubusercontent.com/LuaLS/vscode-lua/master/setting/schema.json",
  "runtime.version": "Lua 5.1",
  "workspace.library": ["` + typesFolder + `"],
  "workspace.checkThirdParty": false,
  "diagnostics.globals": ["app", "rws", "env"]
}
`

func (t *terminal) typesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "types [dir]",
		Short: "Write what editors need to know the names of rws",
		Long: `Writes the LuaCATS files of this version of rws to .rws/types in a folder, or in this
one, and a .luarc.json that tells lua-language-server about them, unless there is one.
Editors then complete names, show their documentation and check arguments.`,
		Example: "  rws types        after an update of rws",
		Args:    arguments(0, 1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		dir := folder(args)
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return fmt.Errorf("%s is not a folder", dir)
		}
		return t.types(dir)
	}
	return command(cmd)
}

// types writes the files for editors below dir.
func (t *terminal) types(dir string) error {
	n, err := writeFaces(filepath.Join(dir, filepath.FromSlash(typesFolder)))
	if err != nil {
		return t.complain(err, nil)
	}
	fmt.Fprintf(t.out, "wrote  %s (%s)\n", filepath.Join(dir, typesFolder), count(n, "file"))
	settings := filepath.Join(dir, ".luarc.json")
	if err := t.place(settings, editorSettings); err != nil {
		return t.complain(err, nil)
	}
	if text, err := os.ReadFile(settings); err == nil && !strings.Contains(string(text), typesFolder) {
		fmt.Fprintf(t.out, "       add %q to its workspace.library, so that editors find them\n", typesFolder)
	}
	return nil
}

// writeFaces replaces the folder dir by the LuaCATS files, so that names that are gone do
// not stay. It returns how many there are.
func writeFaces(dir string) (n int, err error) {
	if err := os.RemoveAll(dir); err != nil {
		return 0, fmt.Errorf("replacing the types: %w", err)
	}
	files := faces()
	err = fs.WalkDir(files, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(name) != ".lua" {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		n++
		to := filepath.Join(dir, filepath.FromSlash(name))
		return errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, text, 0o644))
	})
	if err != nil {
		return n, fmt.Errorf("writing the types: %w", err)
	}
	return n, nil
}
