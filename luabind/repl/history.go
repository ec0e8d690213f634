package repl

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/reeflective/readline"
)

// maxHistory is how large a history file may grow before its older half is dropped.
const maxHistory = 1 << 20

// openHistory lets the line editor keep its lines in the file, which only its owner may
// read: lines hold what people type, secrets too.
func (t *Terminal) openHistory() error {
	path := t.options.History
	if path == "" {
		return nil
	}
	if err := prepareHistory(path); err != nil {
		return fmt.Errorf("opening the history: %w", err)
	}
	source, err := readline.NewHistoryFromFile(path)
	if err != nil {
		return fmt.Errorf("opening the history %s: %w", path, err)
	}
	t.shell.History.Delete()
	t.shell.History.Add("history", source)
	return nil
}

func prepareHistory(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() <= maxHistory {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text = text[len(text)/2:]
	return os.WriteFile(path, text[bytes.IndexByte(text, '\n')+1:], 0o600)
}
