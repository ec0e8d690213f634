package luabind

import (
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// script returns the text of the main file.
func (p *Program) script() (string, error) {
	if p.options.Source != "" {
		return p.options.Source, nil
	}
	name := filepath.Base(p.options.File)
	text, err := p.root.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("reading the script: %w", err)
	}
	p.depend(name)
	return string(text), nil
}

// keep remembers a source for excerpts.
func (p *Program) keep(name, source string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sources[name] = source
}

// Source returns the text of a script file as it was loaded.
func (p *Program) Source(file string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if text, ok := p.sources[file]; ok {
		return text, true
	}
	if !strings.HasPrefix(file, p.templateDir()+"/") {
		return "", false
	}
	text, err := p.root.ReadFile(file)
	return string(text), err == nil
}

// templateDir is the folder of templates as errors name it.
func (p *Program) templateDir() string { return filepath.ToSlash(filepath.Clean(p.Config.Templates)) }

// depend makes a reload depend on a file or folder of the app.
func (p *Program) depend(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files[filepath.Join(p.dir, name)] = true // Join keeps the "..." of a folder
}

// Files returns the files and folders ("dir/...") the program was made of.
func (p *Program) Files() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.files))
}

// Pages returns the folders that app:static serves, as "public/..."; a change there is one for
// the browsers only, see Refresh.
func (p *Program) Pages() []string {
	list := make([]string, len(p.pages))
	for i, folder := range p.pages {
		list[i] = folder + "/..."
	}
	return list
}

// Dir returns the app's folder.
func (p *Program) Dir() string { return p.dir }

// templateFiles is the folder of templates, empty when there is none.
func (p *Program) templateFiles() fs.FS {
	name := filepath.Clean(p.Config.Templates)
	p.depend(name + "/...")
	sub, err := p.root.OpenRoot(name)
	if err != nil {
		return missingFolder{name}
	}
	return sub.FS()
}

// missingFolder says which folder is missing when a template is asked for.
type missingFolder struct{ name string }

// Open fails.
func (m missingFolder) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: m.name + "/" + name, Err: fs.ErrNotExist}
}
