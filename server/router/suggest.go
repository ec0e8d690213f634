package router

import (
	"fmt"

	"rws/server/suggest"
)

// didYouMean is `; did you mean "int"?` for the candidate nearest to word, or "" when none is near.
func didYouMean(word string, candidates []string) string {
	if best := suggest.Closest(word, candidates); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return ""
}
