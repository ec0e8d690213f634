package suggest_test

import (
	"strings"
	"testing"

	"rws/server/suggest"
)

func TestClosest(t *testing.T) {
	words := []string{"int", "string", "strategy", "timeout", "x"}
	for word, want := range map[string]string{
		"imt": "int", "integer": "int", "stategy": "strategy", "STRING": "string", "tiemout": "timeout",
		"banana": "", "": "", "y": "", strings.Repeat("a", 1000): "",
	} {
		if got := suggest.Closest(word, words); got != want {
			t.Errorf("Closest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	if got := suggest.DidYouMean("tiemout", []string{"timeout"}); got != ` (did you mean "timeout"?)` {
		t.Error(got)
	}
	if got := suggest.DidYouMean("zzz", []string{"timeout"}); got != "" {
		t.Error(got)
	}
}
