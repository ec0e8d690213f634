package repl

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"

	"github.com/reeflective/readline"
	"golang.org/x/term"

	"rws/luabind/vm"
)

// TerminalOptions say how a Terminal behaves; the zero value is the default.
type TerminalOptions struct {
	// Prompt stands before the line. Default: "rws> ".
	Prompt string
	// History is the file that keeps lines from one day to the next, as
	// ".rws/history"; its folder is made when it is missing. Default: none.
	History string
	// NoColor turns colours off. Default: the environment's NO_COLOR.
	NoColor bool
}

// A Terminal reads lines from the terminal of the process, with history, completion and
// colours, and is at the same time where log lines go: what is written to it appears above
// the prompt and never breaks the line that is being typed. There is one per process.
//
// While a line runs, Ctrl-C (SIGINT) ends that line; a program that also handles SIGINT
// should leave it alone while Run goes on.
type Terminal struct {
	options TerminalOptions
	shell   *readline.Shell
	hints   hintCache

	mu      sync.Mutex
	reading bool         // the line editor owns the screen
	pending bytes.Buffer // lines to be shown above the prompt
	stopped bool         // Run must return
}

// flushKey is the key by which the line editor is told to show what is pending. It is
// fed by the editor's own goroutine: the library is not made for others to draw.
const flushKey = '\x1e' // Ctrl-^, which means nothing in the usual keymaps

// probing makes the line editor ask the terminal where the cursor is before each frame.
// That loses keys which arrive with the answer, so it is on only while a menu is open,
// whose height the editor can't choose otherwise; see makeRoom.
const probing = "cursor-position-probe"

var errStopped = errors.New("stopped")

// NewTerminal prepares the terminal; Run reads from it. The error says why there is no
// history.
func NewTerminal(o TerminalOptions) (*Terminal, error) {
	if o.Prompt == "" {
		o.Prompt = "rws> "
	}
	if os.Getenv("NO_COLOR") != "" {
		o.NoColor = true
	}
	t := &Terminal{options: o, shell: readline.NewShell()}
	rl := t.shell
	rl.Prompt.Primary(func() string { return t.style().paint(bold, o.Prompt) })
	more := fmt.Sprintf("%*s", len(o.Prompt), "...> ")
	for name, value := range map[string]any{
		"multiline-column": false, "multiline-column-custom": t.style().paint(dim, more),
		"history-autosuggest": true, "bell-style": "none", "enable-bracketed-paste": true,
		"menu-complete-display-prefix": true,  // the first Tab shows what there is, the next one chooses
		"cursor-position-probe":        false, // loses keys that are typed while the terminal answers; see makeRoom
		"convert-meta":                 false, // would take ä, which is U+00E4, for Meta-d
		"input-meta":                   true, "output-meta": true,
	} {
		if err := rl.Config.Set(name, value); err != nil {
			return nil, fmt.Errorf("setting up the terminal: %s: %w", name, err)
		}
	}
	rl.Prompt.Secondary(func() string { return t.style().paint(dim, more) })
	rl.AcceptMultiline = func(line []rune) bool { return Complete(string(line)) }
	rl.SyntaxHighlighter = t.highlight
	if err := t.bind(); err != nil {
		return nil, fmt.Errorf("setting up the terminal: %w", err)
	}
	return t, t.openHistory()
}

// bind gives keys to commands of our own. The library's command for Ctrl-C loses it when
// the next key arrives with it.
func (t *Terminal) bind() error {
	commands := map[string]func(){"rws-show-pending": t.flush, "rws-cancel-line": func() { t.leave(readline.ErrInterrupt) }}
	t.shell.Keymap.Register(commands)
	keys := map[string]string{string(flushKey): "rws-show-pending", "\x03": "rws-cancel-line", "\t": "menu-complete"}
	for _, keymap := range []string{"emacs", "emacs-standard", "vi-insert", "vi-command", "vi"} {
		for key, command := range keys {
			if err := t.shell.Config.Bind(keymap, key, command, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// leave makes the line editor return err. It is for commands of the line editor.
func (t *Terminal) leave(err error) {
	t.shell.Display.AcceptLine()
	t.shell.History.Accept(false, false, err)
}

func (t *Terminal) style() Style {
	s := Style{Color: !t.options.NoColor}
	if width, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
		s.Width = width
	}
	return s
}

// Write shows lines above the prompt. It is safe for concurrent use; point the log at it.
func (t *Terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.reading {
		return os.Stdout.Write(p)
	}
	t.pending.Write(p)
	t.shell.Keys.RequestRefresh()
	return len(p), nil
}

// Run reads and runs lines until Ctrl-D or :quit, when it returns nil, or until ctx ends,
// whose error it returns.
func (t *Terminal) Run(ctx context.Context, c Console) error {
	t.shell.Completer = t.completer(ctx, c)
	t.shell.Hint.SetProvider(t.signature(ctx, c))
	stop := context.AfterFunc(ctx, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.stopped = true
		t.shell.Keys.RequestRefresh()
	})
	defer stop()
	for {
		line, err := t.read()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, readline.ErrInterrupt):
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading from the terminal: %w", err)
		case strings.TrimSpace(line) == "":
			continue
		}
		quit, err := t.eval(ctx, c, line)
		if errors.Is(err, ErrGone) {
			return err
		}
		if quit {
			return nil
		}
	}
}

func (t *Terminal) read() (string, error) {
	t.setReading(true)
	defer t.setReading(false)
	return t.shell.Readline()
}

func (t *Terminal) setReading(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reading = on
	if !on && t.pending.Len() > 0 {
		_, _ = t.pending.WriteTo(os.Stdout)
	}
}

// eval runs a line; Ctrl-C ends it.
func (t *Terminal) eval(ctx context.Context, c Console, line string) (quit bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	go func() {
		select {
		case <-interrupts:
			cancel(vm.ErrStopped)
		case <-ctx.Done():
		}
	}()
	r, err := c.Eval(ctx, line, t, t.style())
	if err != nil && !errors.Is(err, ErrGone) {
		_, _ = io.WriteString(t, errorText(err))
	}
	_, _ = io.WriteString(t, r.Text)
	if r.Edit != nil {
		t.edit(*r.Edit)
	}
	if r.Open != "" && browse(r.Open) != nil {
		fmt.Fprintln(t, r.Open)
	}
	return r.Quit, err
}

func (t *Terminal) edit(p Place) {
	if err := edit(p); err != nil {
		fmt.Fprintln(t, err)
	}
}

// highlight colours the line. The line editor calls it at each refresh, which makes it
// the place to notice that there is something to show.
func (t *Terminal) highlight(line []rune) string {
	if t.shell.Config.GetBool(probing) {
		t.probe(t.shell.Keymap.Local() != "")
	} else {
		t.makeRoom(line)
	}
	if t.due() && t.shell.Keymap.Local() == "" {
		t.shell.Keys.Feed(false, flushKey)
	}
	if t.options.NoColor {
		return string(line)
	}
	return Highlight(string(line))
}

// makeRoom scrolls until there is a free row below the line, which the line editor takes
// for granted. It draws a frame as one write at its end, and begins it by going to the
// first column, so that this comes before it and need not restore the column.
func (t *Terminal) makeRoom(line []rune) {
	width, rows := cmp.Or(t.style().Width, 80), 0
	suggested := []rune(t.shell.History.Suggest(t.shell.Line()))
	for part := range strings.SplitSeq(string(longer(line, suggested)), "\n") {
		rows += 1 + (len(t.options.Prompt)+visible(part))/width
	}
	fmt.Fprintf(os.Stdout, "%s\x1b[%dA", strings.Repeat("\n", rows), rows)
}

// probe turns probing on or off.
func (t *Terminal) probe(on bool) { _ = t.shell.Config.Set(probing, on) }

func longer(a, b []rune) []rune {
	if len(b) > len(a) {
		return b
	}
	return a
}

// due reports whether there is a whole line to show, or Run must return.
func (t *Terminal) due() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stopped || bytes.IndexByte(t.pending.Bytes(), '\n') >= 0
}

// flush shows the whole lines that are pending. It is a command of the line editor.
func (t *Terminal) flush() {
	t.mu.Lock()
	text := string(t.pending.Next(bytes.LastIndexByte(t.pending.Bytes(), '\n') + 1))
	stopped := t.stopped
	t.mu.Unlock()
	t.shell.History.SkipSave()
	if text != "" {
		t.above(text)
	}
	if stopped {
		t.leave(errStopped)
	}
}

// above shows whole lines in the place of the prompt, and that below them. The library's
// PrintTransientf does not tell the display that the prompt is where the cursor is, so that
// the next frame begins as many rows higher as the line spans, over the text.
func (t *Terminal) above(text string) {
	display := t.shell.Display
	display.CursorToLineStart()
	_, _ = io.WriteString(os.Stdout, "\r\x1b[J"+text)
	display.PrintPrimaryPrompt()
	display.Refresh()
}

// completer offers candidates. The line editor takes an empty prefix for none at all, so
// that after "app:" the candidates have to begin with what stands before the cursor.
func (t *Terminal) completer(ctx context.Context, c Console) func([]rune, int) readline.Completions {
	return func(line []rune, cursor int) readline.Completions {
		text := string(line[:min(cursor, len(line))])
		from, list := c.Complete(ctx, string(line), len(text))
		start := from
		if from == len(text) {
			start = strings.LastIndexAny(text, " \t\n") + 1
		}
		values := make([]readline.Completion, len(list))
		for i, one := range list {
			values[i] = readline.Completion{Value: text[start:from] + one.Text, Display: one.Text, Description: cutText(clean(one.Detail), 60)}
		}
		values = fitMenu(values)
		t.probe(len(values) > 1)
		completions := readline.CompleteRaw(values)
		completions.PREFIX = text[start:]
		return completions
	}
}

// signature shows how the function is called whose arguments are being typed.
func (t *Terminal) signature(ctx context.Context, c Console) func([]rune, int) []rune {
	return func(line []rune, cursor int) []rune {
		name, end := calledAt(string(line[:min(cursor, len(line))]))
		if name == "" {
			return nil
		}
		detail := t.hints.detail(ctx, c, string(line), name, end)
		if detail == "" {
			return nil
		}
		return []rune(t.style().paint(dim, detail))
	}
}
