package schema

import (
	"fmt"
	"iter"
	"strings"
)

// didYouMean is ` (did you mean "x"?)`, or nothing when no word is near.
func didYouMean(word string, words iter.Seq[string]) string {
	if best := closest(word, words); best != "" {
		return fmt.Sprintf(" (did you mean %q?)", best)
	}
	return ""
}

// closest is the word that takes the fewest edits to reach, ignoring case, or "" when all are further than a third of
// the letters. Long words, which only an attacker sends, are not compared.
func closest(word string, words iter.Seq[string]) string {
	from := []rune(strings.ToLower(word))
	if len(from) > maxEcho {
		return ""
	}
	best, limit := "", (len(from)+2)/3+1
	for w := range words {
		if d := distance(from, []rune(strings.ToLower(w))); d < limit {
			best, limit = w, d
		}
	}
	return best
}

// distance is the optimal string alignment distance: Levenshtein's, with two swapped neighbours as one edit.
func distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
