package luadoc

import (
	"regexp"
	"strings"
)

// Mention is a place of the manual that speaks of a word.
type Mention struct {
	Name string // as scripts write it
	Line string // the line with the word, or the first one where the name has it
}

// Mentions lists where the manual speaks of a word, or of one that begins with it, in either case:
// names with it first, then texts, each in the order of the files.
func (p *Package) Mentions(word string) []Mention {
	if word = strings.TrimSpace(word); word == "" {
		return nil
	}
	is := regexp.MustCompile(`(?i)(^|[^a-z0-9])` + regexp.QuoteMeta(word))
	var named, told []Mention
	p.texts(func(name, text string) {
		first, _, _ := strings.Cut(text, "\n")
		if is.MatchString(name) {
			named = append(named, Mention{name, first})
			return
		}
		for line := range strings.SplitSeq(text, "\n") {
			if is.MatchString(line) {
				told = append(told, Mention{name, strings.TrimSpace(line)})
				return
			}
		}
	})
	return append(named, told...)
}

// texts tells all that is said of each name: its text, and those of its parameters and results.
func (p *Package) texts(yield func(name, text string)) {
	for _, c := range p.Classes {
		yield(c.Label, c.Text)
	}
	for _, f := range p.Functions {
		lines := []string{f.Text}
		for _, a := range f.Params {
			lines = append(lines, a.Text)
		}
		for _, r := range f.Returns {
			lines = append(lines, r.Text)
		}
		yield(f.Call, strings.Join(lines, "\n"))
	}
	for _, f := range p.Fields {
		yield(f.Call, f.Text)
	}
	for _, a := range p.Aliases {
		yield(a.Name, a.Text)
	}
}
