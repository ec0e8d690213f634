package repl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/server/suggest"
)

// A command is a line that begins with a colon.
type command struct {
	name, args, help string
	run              func(s *Session, ctx context.Context, arg string) (Result, error)
}

// commands is the list of all commands.
func commands() []command {
	return []command{
		{"help", "[name]", "this list, or the documentation of a name", (*Session).help},
		{"routes", "[part]", "the routes, or those that contain a text", (*Session).routes},
		{"why", "GET /x", "which routes and middleware would answer", (*Session).why},
		{"db", "[select …]", "the tables of the databases, the columns of one, or the rows of a statement", (*Session).db},
		{"locals", "", "the top-level locals of the script", (*Session).locals},
		{"src", "fn", "the source of a function, of a line (61, app.lua:61)", (*Session).src},
		{"edit", "fn", "open the source in $EDITOR", (*Session).edit},
		{"open", "[/path]", "show the app in a browser; o does it too", (*Session).open},
		{"time", "expr", "run a line and say how long it took", (*Session).time},
		{"top", "", "slow routes, memory, who waits for Lua", (*Session).top},
		{"reload", "", "load the script again", (*Session).reload},
		{"quit", "", "leave", func(*Session, context.Context, string) (Result, error) { return Result{Quit: true}, nil }},
	}
}

func (s *Session) command(ctx context.Context, text string) (Result, error) {
	name, arg, _ := strings.Cut(strings.TrimPrefix(text, ":"), " ")
	list := commands()
	i := slices.IndexFunc(list, func(c command) bool { return c.name == name })
	if i < 0 {
		return Result{}, unknownCommand(name)
	}
	return list[i].run(s, ctx, strings.TrimSpace(arg))
}

func unknownCommand(name string) error {
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	if near := suggest.Closest(name, names); near != "" {
		return fmt.Errorf("there is no command :%s (did you mean :%s?)", name, near)
	}
	return fmt.Errorf("there is no command :%s; :help lists them", name)
}

func (s *Session) routes(_ context.Context, part string) (Result, error) {
	var lines [][]string
	for _, r := range s.host.Routes() {
		line := []string{orText(r.Method, "ANY"), r.Host + r.Pattern, r.Name, r.Source, strings.Join(r.Middleware, " ")}
		if strings.Contains(strings.Join(line, " "), part) {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return Result{Text: s.style.paint(dim, "no routes") + "\n"}, nil
	}
	return Result{Text: s.columns([]string{"method", "route", "name", "source", "middleware"}, lines, nil)}, nil
}

// columns prints lines of text under each other; columns that are empty are left out.
func (s *Session) columns(head []string, lines [][]string, right []bool) string {
	var keep []int
	for c := range head {
		if slices.ContainsFunc(lines, func(l []string) bool { return l[c] != "" }) {
			keep = append(keep, c)
		}
	}
	cells := make([][]string, 0, len(lines)+1)
	widths := make([]int, len(keep))
	aligned := make([]bool, len(keep))
	for _, line := range append([][]string{head}, lines...) {
		row := make([]string, len(keep))
		for i, c := range keep {
			row[i] = clean(line[c])
			widths[i] = max(widths[i], visible(row[i]))
			aligned[i] = c < len(right) && right[c]
		}
		cells = append(cells, row)
	}
	return (&printer{style: s.style}).grid(cells, widths, aligned)
}

func orText(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func (s *Session) why(_ context.Context, arg string) (Result, error) {
	method, path, ok := strings.Cut(arg, " ")
	if !ok {
		method, path = "GET", arg
	}
	if path = strings.TrimSpace(path); !strings.HasPrefix(path, "/") {
		return Result{}, errors.New("write :why GET /path")
	}
	return Result{Text: clean(strings.TrimRight(s.host.Why(strings.ToUpper(method), path), "\n")) + "\n"}, nil
}

func (s *Session) locals(ctx context.Context, _ string) (Result, error) {
	var r Result
	err := s.inside(ctx, func(L *lua.LState) error {
		sc := s.scope.Load()
		values := maps.Clone(sc.fns)
		for name, cell := range sc.cells {
			values[name] = cell.Value()
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			p := newPrinter(L, Style{Width: s.style.width()}, s.source)
			value, _, _ := strings.Cut(p.format(values[name], maxDepth-1, 0), "\n")
			line := cutText(name+" = "+value, s.style.width())
			if s.style.Color {
				line = Highlight(line)
			}
			r.Text += line + "\n"
		}
		return nil
	})
	if err == nil && r.Text == "" {
		r.Text = s.style.paint(dim, "the script has no local that one of its functions uses") + "\n"
	}
	return r, err
}

// A sourceSpan is some lines of a file of the script.
type sourceSpan struct {
	file        string
	first, last int
}

// find returns the source that the argument of :src or :edit means.
func (s *Session) find(ctx context.Context, arg string) (sourceSpan, error) {
	if arg == "" {
		return sourceSpan{}, errors.New("name a function, as in :src signed_in, or a line, as in :src 61")
	}
	file, number, ok := cutPlace(arg)
	if !ok {
		file, number = s.host.Main(), arg
	}
	if line, err := strconv.Atoi(number); err == nil {
		return sourceSpan{file, max(line-5, 1), line + 5}, nil
	}
	proto, chunk, err := s.compile(arg)
	if err != nil {
		return sourceSpan{}, err
	}
	if s.options.ReadOnly {
		if err := checkReadOnly(chunk, inputFile); err != nil {
			return sourceSpan{}, err
		}
	}
	var at sourceSpan
	err = s.inside(ctx, func(L *lua.LState) error {
		results, err := s.call(L, proto)
		if err != nil {
			return err
		}
		fn, ok := first(results).(*lua.LFunction)
		if !ok {
			return fmt.Errorf("%s is a %s, not a function", arg, first(results).Type())
		}
		if fn.IsG {
			return fmt.Errorf("%s is a function of rws: see :help %s", arg, arg)
		}
		at = sourceSpan{fn.Proto.SourceName, fn.Proto.LineDefined, fn.Proto.LastLineDefined}
		return nil
	})
	return at, err
}

func first(results []lua.LValue) lua.LValue {
	if len(results) == 0 {
		return lua.LNil
	}
	return results[0]
}

func (s *Session) src(ctx context.Context, arg string) (Result, error) {
	at, err := s.find(ctx, arg)
	if err != nil {
		return Result{}, err
	}
	lines := sourceLines(s.source, at.file, at.first, at.last)
	if lines == nil {
		return Result{}, fmt.Errorf("there is no source of %s:%d", at.file, at.first)
	}
	var b strings.Builder
	fmt.Fprintln(&b, s.style.paint(dim, fmt.Sprintf("-- %s:%d", at.file, at.first)))
	width := len(strconv.Itoa(at.first + len(lines)))
	for i, line := range lines {
		if line = clean(line); s.style.Color {
			line = Highlight(line)
		}
		fmt.Fprintln(&b, strings.TrimRight(s.style.paint(dim, fmt.Sprintf("%*d |", width, at.first+i))+" "+line, " "))
	}
	return Result{Text: b.String()}, nil
}

func (s *Session) edit(ctx context.Context, arg string) (Result, error) {
	at, err := s.find(ctx, arg)
	if err != nil {
		return Result{}, err
	}
	path := s.host.Path(at.file)
	if path == "" {
		return Result{}, fmt.Errorf("%s is no file on disk", at.file)
	}
	return Result{Edit: &Place{File: path, Line: at.first}}, nil
}

func (s *Session) open(_ context.Context, path string) (Result, error) {
	switch url := s.host.URL(); {
	case !strings.HasPrefix(url, "http"):
		return Result{}, errors.New("the app listens on no address that a browser can open")
	case path != "" && !strings.HasPrefix(path, "/"):
		return Result{}, fmt.Errorf("a path such as /notes expected, got %q", path)
	default:
		return Result{Open: url + path}, nil
	}
}

func (s *Session) time(ctx context.Context, arg string) (Result, error) {
	if arg == "" {
		return Result{}, errors.New("write :time and what to run, as in :time get \"/\"")
	}
	started := time.Now()
	r, err := s.line(ctx, arg)
	if err != nil {
		return r, err
	}
	r.Text += s.style.paint(dim, "-- "+duration(time.Since(started))) + "\n"
	return r, nil
}

func (s *Session) top(context.Context, string) (Result, error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	i := s.host.Isolate()
	text := fmt.Sprintf("memory %d MB of Lua and Go together · %d runs in Lua, %d of them wait for their turn\n", m.HeapAlloc>>20, i.Active(), i.Queue())
	list := slices.DeleteFunc(slices.Clone(s.host.Routes()), func(r Route) bool { return r.Count == 0 })
	slices.SortStableFunc(list, func(a, b Route) int { return int(b.Time - a.Time) })
	var lines [][]string
	for _, r := range list[:min(len(list), 20)] {
		lines = append(lines, []string{duration(r.Time), strconv.FormatInt(r.Count, 10), duration(r.Mean()), duration(r.Slowest),
			strconv.FormatInt(r.Errors, 10), orText(r.Method, "ANY") + " " + r.Host + r.Pattern})
	}
	if len(lines) == 0 {
		return Result{Text: text + s.style.paint(dim, "no route has been asked for yet") + "\n"}, nil
	}
	head := []string{"total", "count", "mean", "slowest", "errors", "route"}
	return Result{Text: text + s.columns(head, lines, []bool{true, true, true, true, true})}, nil
}

// onDisk returns the text of a script file as it is now.
func (s *Session) onDisk(file string) (string, bool) {
	path := s.host.Path(s.host.Main())
	if path == "" {
		return "", false
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(path), filepath.FromSlash(file)))
	return string(text), err == nil
}

func (s *Session) reload(ctx context.Context, _ string) (Result, error) {
	if s.options.ReadOnly {
		return Result{}, errors.New("this session is read-only: :reload is refused")
	}
	started := time.Now()
	if err := s.host.Reload(ctx); err != nil {
		return Result{}, &Error{Text: s.explain(err, s.onDisk), Err: err}
	}
	return Result{Text: s.style.paint(green, "reloaded") + " in " + duration(time.Since(started)) + "\n"}, nil
}
