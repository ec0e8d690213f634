package luadoc

import (
	"strings"
	"unicode/utf8"
)

// Text renders the help on a name for a terminal: signature, text, parameters, results, examples,
// and where it is declared. Lines are broken at width columns; 0 breaks none. With color, headings,
// names, types and code are set off by ANSI escape sequences.
func Text(s Symbol, width int, color bool) string {
	t := &terminal{width: width, color: color}
	d := s.Head()
	t.line(t.paint(bold, Signature(s)))
	for _, note := range notes(s) {
		t.line("  " + t.paint(yellow, note))
	}
	t.prose(prose(d.Text))
	for _, sec := range sections(s) {
		t.heading(sec.title)
		t.table(sec.rows)
	}
	for _, e := range d.Examples {
		t.heading("Example")
		for line := range strings.Lines(e.Code) {
			t.line("    " + t.paint(cyan, strings.TrimSuffix(line, "\n")))
		}
	}
	if len(d.See) > 0 {
		t.heading("See")
		for _, see := range d.See {
			t.line("    " + see)
		}
	}
	t.heading("")
	t.line("  " + t.paint(dim, d.Pos.String()))
	return t.b.String()
}

// ANSI attributes.
const (
	bold   = "1"
	dim    = "2"
	yellow = "33"
	cyan   = "36"
)

type terminal struct {
	b     strings.Builder
	width int
	color bool
}

func (t *terminal) paint(attribute, s string) string {
	if !t.color || s == "" {
		return s
	}
	return "\x1b[" + attribute + "m" + s + "\x1b[0m"
}

func (t *terminal) line(s string) { t.b.WriteString(strings.TrimRight(s, " ") + "\n") }

func (t *terminal) heading(title string) {
	t.line("")
	if title != "" {
		t.line("  " + t.paint(bold, title))
	}
}

// prose writes Markdown: paragraphs and list items are wrapped, everything else is kept.
func (t *terminal) prose(text string) {
	if text == "" {
		return
	}
	t.line("")
	var paragraph []string
	flush := func() {
		if len(paragraph) > 0 {
			joined := strings.Join(paragraph, " ")
			indent := "  " + strings.Repeat(" ", bullet(joined))
			t.wrapped("  ", indent, joined)
			paragraph = nil
		}
	}
	fence := false
	for line := range strings.SplitSeq(text, "\n") {
		trimmed := strings.TrimSpace(line)
		isFence := strings.HasPrefix(trimmed, "```")
		switch {
		case isFence:
			flush()
			fence = !fence
		case fence:
			t.line("    " + t.paint(cyan, line))
		case trimmed == "" || strings.HasPrefix(trimmed, "|") || strings.HasPrefix(trimmed, "#"):
			flush()
			t.line("  " + line)
		default:
			if bullet(trimmed) > 0 {
				flush()
			}
			paragraph = append(paragraph, trimmed)
		}
	}
	flush()
}

// bullet returns the width of the list marker a line starts with.
func bullet(s string) int {
	marker, _, ok := strings.Cut(s, " ")
	digits := strings.TrimRight(marker, ".")
	if !ok || marker != "-" && marker != "*" && (digits == marker || strings.Trim(digits, "0123456789") != "" || digits == "") {
		return 0
	}
	return len(marker) + 1
}

// table writes rows of name, type and text; the text is wrapped in its column.
func (t *terminal) table(rows []entry) {
	name, typ := 0, 0
	for _, r := range rows {
		if w := columns(r.name); w <= maxColumn {
			name = max(name, w)
		}
		if w := columns(r.typ); w <= maxColumn {
			typ = max(typ, w)
		}
	}
	for _, r := range rows {
		head, at := "    ", 4
		if name > 0 || r.name != "" {
			head += t.paint(bold, r.name) + pad(r.name, name)
			at += max(columns(r.name), name) + 2
		}
		if typ > 0 || r.typ != "" {
			head += t.paint(cyan, r.typ) + pad(r.typ, typ)
			at += max(columns(r.typ), typ) + 2
		}
		t.row(head, at, r.text)
	}
}

// maxColumn is the width above which a name or type does not widen its column.
const maxColumn = 28

// row writes a head of so many columns and the text beside it, or below where there is no room.
func (t *terminal) row(head string, at int, text string) {
	if text == "" {
		t.line(head)
		return
	}
	if t.width > 0 && t.width-at < minText {
		t.line(head)
		t.wrapped("        ", "        ", text)
		return
	}
	t.wrapped(head, strings.Repeat(" ", at), text)
}

// minText is the least width of a text column.
const minText = 24

// wrapped writes words after first; further lines begin with rest.
func (t *terminal) wrapped(first, rest, text string) {
	line, used := first, columns(rest)
	empty := true
	for word := range strings.FieldsSeq(text) {
		w := columns(word)
		if !empty && t.width > 0 && used+1+w > t.width {
			t.line(line)
			line, used, empty = rest, columns(rest), true
		}
		if !empty {
			line, used = line+" ", used+1
		}
		line, used, empty = line+word, used+w, false
	}
	t.line(line)
}

func columns(s string) int { return utf8.RuneCountInString(s) }

// pad returns the spaces that fill a column, and two more.
func pad(s string, width int) string { return strings.Repeat(" ", max(width-columns(s), 0)+2) }
