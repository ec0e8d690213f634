package examples_test

import (
	"strings"
	"testing"

	"rws/examples"
)

func TestEveryExampleSaysWhatItShows(t *testing.T) {
	all, err := examples.All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Errorf("only %d examples", len(all))
	}
	for _, e := range all {
		if e.Short == "" || len(e.Short) > 160 || strings.Contains(e.Short, "localhost") {
			t.Errorf("%s.lua: the comment at its top begins with %q; a short sentence that says what it shows, and a full stop, are expected", e.Name, e.Short)
		}
	}
}

func TestExamplesNameWhatTheyNeed(t *testing.T) {
	all, err := examples.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		want := map[string]int{"login": 1, "forms": 1, "static_site": 2, "edge": 2, "php": 2}[e.Name]
		if len(e.Beside) != want {
			t.Errorf("%s needs %q, want %d files", e.Name, e.Beside, want)
		}
		for _, name := range e.Beside {
			if text, err := examples.File(name); err != nil || len(text) == 0 {
				t.Errorf("%s: %q, %v", name, text, err)
			}
		}
	}
}
