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
