package repl

import (
	"os"
	"unicode/utf8"

	"github.com/reeflective/readline"
	"golang.org/x/term"
)

// moreRows is as many columns as the line takes by which the line editor says that there are more
// candidates than rows. Where it does not fit it wraps, which the editor does not reckon with: each
// key would push the prompt up a row.
const moreRows = len(" 500 more completion rows... (scroll down to show)")

// fitMenu leaves as many candidates as a narrow terminal has room for, so that none need that line:
// without descriptions they stand beside each other, and of those that are too many even so the first
// stay. The others come when more is typed.
func fitMenu(values []readline.Completion) []readline.Completion {
	width, height, err := term.GetSize(int(os.Stdout.Fd()))
	rows := max(height/3-1, 1) // the least that the editor leaves for a menu, and no message
	if err != nil || width > moreRows || len(values) <= rows {
		return values
	}
	return narrow(values, width, rows)
}

func narrow(values []readline.Completion, width, rows int) []readline.Completion {
	longest := 0
	for i := range values {
		values[i].Description = ""
		longest = max(longest, utf8.RuneCountInString(values[i].Display))
	}
	columns := max(width/(longest+2), 1)
	return values[:min(len(values), rows*columns)]
}
