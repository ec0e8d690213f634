// Package examples holds complete programs of 10 to 60 lines to start from. They are part of the
// manual, and each is run by a spec.
package examples

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

//go:embed scripts/*.lua
var files embed.FS

// An Example is one of the programs.
type Example struct {
	Name   string // as "login"
	Short  string // the first sentence of the comment at its top
	Source string
}

// All returns the examples by name.
func All() ([]Example, error) {
	entries, err := fs.ReadDir(files, "scripts")
	if err != nil {
		return nil, err
	}
	var all []Example
	for _, e := range entries {
		source, err := files.ReadFile(path.Join("scripts", e.Name()))
		if err != nil {
			return nil, err
		}
		all = append(all, Example{Name: strings.TrimSuffix(e.Name(), ".lua"), Short: short(string(source)), Source: string(source)})
	}
	return all, nil
}

// short is the first sentence of the comment with which a script begins.
func short(source string) string {
	var text []string
	for line := range strings.Lines(source) {
		comment, ok := strings.CutPrefix(strings.TrimSpace(line), "--")
		if !ok {
			break
		}
		text = append(text, strings.TrimSpace(comment))
		if sentence, _, found := strings.Cut(strings.Join(text, " ")+" ", ". "); found {
			return sentence + "."
		}
	}
	return strings.Join(text, " ")
}
