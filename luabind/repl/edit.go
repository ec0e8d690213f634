package repl

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// edit opens a place in the editor that $VISUAL or $EDITOR names, and waits for it.
func edit(p Place) error {
	editor := os.Getenv("VISUAL")
	if editor == "" {
		editor = os.Getenv("EDITOR")
	}
	args := EditorCommand(editor, p)
	if args == nil {
		return errors.New("set EDITOR to open files: " + fmt.Sprintf("%s:%d", p.File, p.Line))
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("opening %s:%d with %q: %w", p.File, p.Line, editor, err)
	}
	return nil
}

// EditorCommand returns the command line that opens a place: each editor has its own way
// to be told the line. It is nil when there is no editor.
func EditorCommand(editor string, p Place) []string {
	args := strings.Fields(editor)
	if len(args) == 0 {
		return nil
	}
	at := fmt.Sprintf("%s:%d", p.File, p.Line)
	switch strings.TrimSuffix(filepath.Base(args[0]), ".exe") {
	case "code", "code-insiders", "codium", "cursor", "windsurf":
		return append(args, "-g", at)
	case "subl", "zed", "hx", "helix", "micro":
		return append(args, at)
	case "vi", "vim", "nvim", "gvim", "view", "nano", "emacs", "emacsclient", "kak", "joe", "ed":
		return append(args, fmt.Sprintf("+%d", p.Line), p.File)
	}
	return append(args, p.File)
}
