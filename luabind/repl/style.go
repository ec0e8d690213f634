package repl

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Style says for whom results are printed.
type Style struct {
	Color bool // with ANSI colours
	Width int  // columns; 0 means 100
}

func (s Style) width() int {
	if s.Width <= 0 {
		return 100
	}
	return max(s.Width, 40)
}

type color string

const (
	plain   color = ""
	dim     color = "2"
	bold    color = "1"
	red     color = "31"
	green   color = "32"
	yellow  color = "33"
	blue    color = "34"
	magenta color = "35"
	cyan    color = "36"
)

func (s Style) paint(c color, text string) string {
	if !s.Color || c == plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// visible returns how many columns text takes, colours aside.
func visible(text string) int {
	n := 0
	for i := 0; i < len(text); {
		if strings.HasPrefix(text[i:], "\x1b[") {
			if end := strings.IndexByte(text[i:], 'm'); end > 0 {
				i += end + 1
				continue
			}
		}
		_, size := utf8.DecodeRuneInString(text[i:])
		i += size
		n++
	}
	return n
}

// clean makes text of a script or a client harmless for a terminal: what is not
// printable, but for line ends and tabs, is shown as "�".
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, strings.ReplaceAll(text, "\r\n", "\n"))
}

// cutText shortens text to n characters, the last of which is then an ellipsis.
func cutText(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	r := []rune(text)
	return string(r[:max(n-1, 0)]) + "…"
}

// pad fills text to width columns.
func pad(text string, width int, right bool) string {
	fill := strings.Repeat(" ", max(width-visible(text), 0))
	if right {
		return fill + text
	}
	return text + fill
}
