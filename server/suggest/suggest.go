// Package suggest finds the word that someone probably meant.
package suggest

import (
	"fmt"
	"strings"
)

// maxLength is where comparing stops; only an attacker sends longer words.
const maxLength = 64

// Closest returns the word that takes the fewest edits to reach, ignoring case, or ""
// when all are further away than a third of the letters, or when a word is its prefix
// ("integer" is near "int"). Two swapped neighbours count as one edit.
func Closest(word string, words []string) string {
	from := []rune(strings.ToLower(word))
	if len(from) == 0 || len(from) > maxLength {
		return ""
	}
	best, limit := "", (len(from)+2)/3+1
	for _, w := range words {
		to := []rune(strings.ToLower(w))
		if len(to) > maxLength {
			continue
		}
		d := distance(from, to)
		if len(to) > 1 && strings.HasPrefix(string(from), string(to)) {
			d = min(d, 1)
		}
		if d < limit && d < len(to) {
			best, limit = w, d
		}
	}
	return best
}

// DidYouMean returns ` (did you mean "x"?)`, or nothing when no word is near.
func DidYouMean(word string, words []string) string {
	if best := Closest(word, words); best != "" {
		return fmt.Sprintf(" (did you mean %q?)", best)
	}
	return ""
}

// Distance is the number of letters to insert, remove, replace or swap with the next to
// turn a into b (optimal string alignment).
func Distance(a, b string) int { return distance([]rune(a), []rune(b)) }

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
