package spec_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// examples is where the example scripts are.
const examples = "../examples/scripts"

// example serves a copy of an example, so that what it writes stays here.
func example(s *spec, args []string) error {
	if len(args) == 0 {
		return usageError("example NAME [flags]")
	}
	if err := copyExamples(s.ts.MkAbs("examples")); err != nil {
		return err
	}
	return serve(s, append([]string{"examples/" + args[0] + ".lua"}, args[1:]...))
}

// copyExamples copies the examples, without what a server leaves beside them.
func copyExamples(to string) error {
	entries, err := os.ReadDir(examples)
	for _, e := range entries {
		from, below := filepath.Join(examples, e.Name()), filepath.Join(to, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir():
			err = errors.Join(err, os.CopyFS(below, os.DirFS(from)))
		default:
			text, failed := os.ReadFile(from)
			err = errors.Join(err, failed, os.MkdirAll(to, 0o777), os.WriteFile(below, text, 0o666))
		}
	}
	return err
}

// TestExamples holds the examples to what a beginner needs.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob(examples + "/*.lua")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".lua")
		t.Run(name, func(t *testing.T) {
			checkExample(t, file, name)
		})
	}
}

func checkExample(t *testing.T, file, name string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(text), "\n\n")
	for _, want := range []string{"-- ", "rws " + name + ".lua"} {
		if !strings.Contains(head, want) {
			t.Errorf("%s: the comment at its top says what it shows, how to run it and what to try; it has no %q", file, want)
		}
	}
	if n := strings.Count(string(text), "\n"); n > 60 {
		t.Errorf("%s has %d lines; an example has 60 at most", file, n)
	}
	spec, err := os.ReadFile("cases/example_" + name + ".txtar")
	if err != nil || !strings.Contains(string(spec), "example "+name) {
		t.Errorf("%s has no spec: write cases/example_%s.txtar with the line \"example %s\"", file, name, name)
	}
}
