// Package examples holds complete programs of 10 to 60 lines to start from. They are part of the
// manual, and each is run by a spec.
package examples

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

//go:embed scripts/*.lua scripts/public scripts/templates
var files embed.FS

// An Example is one of the programs.
type Example struct {
	Name   string // as "login"
	Short  string // the first sentence of the comment at its top
	Source string
	Beside []string // files that it needs, by their paths in its folder, as "templates/login.html"
}

// All returns the examples by name.
func All() ([]Example, error) {
	entries, err := fs.ReadDir(files, "scripts")
	if err != nil {
		return nil, err
	}
	var all []Example
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		source, err := files.ReadFile(path.Join("scripts", e.Name()))
		if err != nil {
			return nil, err
		}
		one := Example{Name: strings.TrimSuffix(e.Name(), ".lua"), Short: short(string(source)), Source: string(source)}
		if one.Beside, err = beside(one.Source); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// File returns a file that examples need, by its path in their folder.
func File(name string) ([]byte, error) { return files.ReadFile(path.Join("scripts", name)) }

// beside lists the templates and folders that a script names.
func beside(source string) (names []string, err error) {
	err = fs.WalkDir(files, "scripts", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || path.Dir(name) == "scripts" {
			return err
		}
		name = strings.TrimPrefix(name, "scripts/")
		if folder, file := path.Split(name); strings.Contains(source, `"`+path.Clean(folder)+`"`) || folder == "templates/" && strings.Contains(source, `"`+file+`"`) {
			names = append(names, name)
		}
		return nil
	})
	return names, err
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
