package repl

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
)

// Pipe runs the lines of in, as for `echo 'get "/"' | rws repl app.lua`: no prompt, what
// they give to out, errors to errs. Lines that belong together are read together; after ones that
// are too long for that nothing more is read. A line that fails does not stop the next; ok tells
// whether all went well: no line raised, and no request was answered 5xx.
func Pipe(ctx context.Context, c Console, in io.Reader, out, errs io.Writer) (ok bool) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	ok = true
	var pending strings.Builder
	var levels nesting
	for ctx.Err() == nil && lines.Scan() {
		line := lines.Text() + "\n"
		pending.WriteString(line)
		levels.add(line)
		if n := pending.Len(); n > maxEager && n <= maxLine && levels.open() || !Complete(pending.String()) {
			continue
		}
		quit, fine := pipeLine(ctx, c, pending.String(), out, errs)
		ok = ok && fine
		if quit || pending.Len() > maxLine {
			return ok
		}
		pending.Reset()
		levels = nesting{}
	}
	if strings.TrimSpace(pending.String()) != "" {
		_, fine := pipeLine(ctx, c, pending.String(), out, errs)
		ok = ok && fine
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(errs, "reading the input:", err)
		return false
	}
	return ok && ctx.Err() == nil
}

// Run runs one text, as for rws -e, and tells whether it went well.
func Run(ctx context.Context, c Console, text string, out, errs io.Writer) (ok bool) {
	_, ok = pipeLine(ctx, c, text, out, errs)
	return ok
}

func pipeLine(ctx context.Context, c Console, text string, out, errs io.Writer) (quit, ok bool) {
	r, err := c.Eval(ctx, strings.TrimRight(text, "\n"), out, Style{})
	fmt.Fprint(out, r.Text)
	if err != nil {
		fmt.Fprint(errs, errorText(err))
		return false, false
	}
	if r.Edit != nil {
		fmt.Fprintf(out, "%s:%d\n", r.Edit.File, r.Edit.Line)
	}
	if r.Open != "" {
		fmt.Fprintln(out, r.Open)
	}
	return r.Quit, !r.Failed
}
