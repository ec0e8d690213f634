package schema

import (
	"fmt"
	"iter"
	"slices"

	"rws/server/suggest"
)

// didYouMean is ` (did you mean "x"?)`, or nothing when no word is near.
func didYouMean(word string, words iter.Seq[string]) string {
	if best := suggest.Closest(word, slices.Collect(words)); best != "" {
		return fmt.Sprintf(" (did you mean %q?)", best)
	}
	return ""
}
