package repl_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"rws/luabind/repl"
)

// endless are texts that would take the parser, or what walks its tree, too far.
var endless = map[string]string{
	"blocks":     strings.Repeat("do ", 200_000) + strings.Repeat("end ", 200_000),
	"functions":  strings.Repeat("return function() ", 20_000) + strings.Repeat("end ", 20_000),
	"brackets":   strings.Repeat("(", 300_000) + "1" + strings.Repeat(")", 300_000),
	"tables":     strings.Repeat("{", 400_000) + strings.Repeat("}", 400_000),
	"unfinished": strings.Repeat("{", 900_000),
	"minus":      strings.Repeat("- ", 400_000) + "1",
	"nots":       strings.Repeat("not ", 200_000) + "1",
	"calls":      "f" + strings.Repeat("()", 400_000),
	"fields":     "a" + strings.Repeat(".a", 400_000),
	"joined":     strings.Repeat("a..", 300_000) + "a",
	"a command":  ":time " + strings.Repeat("{", 400_000) + strings.Repeat("}", 400_000),
	"the source": ":src " + strings.Repeat("(", 400_000) + "f" + strings.Repeat(")", 400_000),
}

func TestInputIsBoundedBeforeItIsParsed(t *testing.T) {
	h := newHost(t, script)
	for name, text := range endless {
		for _, readOnly := range []bool{true, false} {
			s := repl.New(h, repl.Options{ReadOnly: readOnly})
			if !repl.Complete(text) {
				t.Errorf("%s: more is asked for", name)
			}
			if _, err := s.Eval(t.Context(), text, io.Discard, repl.Style{}); err == nil || !strings.Contains(err.Error(), "more than") {
				t.Errorf("%s: %v", name, err)
			}
			c := &console{Session: s, t: t}
			if got := c.run("1 + 1"); got != "2" {
				t.Errorf("after %s: %q", name, got)
			}
		}
	}
	c := &console{Session: repl.New(h, repl.Options{}), t: t}
	long := "x = [[" + strings.Repeat("a", 1<<20) + "]]"
	if got := c.fails(long); !strings.Contains(got, "repl:1: the input is 1024 KB long, more than the 1024") || len(got) > 500 {
		t.Errorf("got %.500s", got)
	}
	if _, list := c.Complete(t.Context(), strings.Repeat("a ", 1<<16)+"st", 1<<17+2); list != nil {
		t.Error("a long line is completed")
	}
	if got := c.run("x = [["+strings.Repeat("a", 1<<19)+"]]", "#x"); got != "524288" {
		t.Errorf("got %s", got)
	}
}

func TestALongBlockIsReadInLinearTime(t *testing.T) {
	var in strings.Builder
	in.WriteString("local t = {\n")
	for n := range 5_000 {
		fmt.Fprintf(&in, "  { id = %d, name = 'do', text = [[\nend ]] }, -- function\n", n)
	}
	in.WriteString("}\n#t\nlocal s = 'a\\\nb'\n#s\n")
	var out, errs strings.Builder
	began := time.Now()
	if !repl.Pipe(t.Context(), repl.New(newHost(t, script), repl.Options{}), strings.NewReader(in.String()), &out, &errs) || out.String() != "5000\n3\n" {
		t.Errorf("out %.200q, errors %.200q", out.String(), errs.String())
	}
	if took := time.Since(began); took > time.Minute { // parsing it with each line takes hours
		t.Errorf("it took %v", took)
	}
}

func TestPipeEndsAtABlockThatIsTooLong(t *testing.T) {
	var out, errs strings.Builder
	in := "local t = {\n" + strings.Repeat("  'some text',\n", 80_000) + "}\n1 + 1\n"
	if repl.Pipe(t.Context(), repl.New(newHost(t, script), repl.Options{}), strings.NewReader(in), &out, &errs) || out.Len() > 0 || strings.Count(errs.String(), "more than") != 1 {
		t.Errorf("out %.200q, errors %.200q", out.String(), errs.String())
	}
}
