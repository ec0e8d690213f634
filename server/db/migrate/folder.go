package migrate

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var fileForm = regexp.MustCompile(`^(\d{1,18})[_-](.+?)(\.up|\.down)?\.sql$`)

// Folder reads the migrations of a folder: 001_name.up.sql with 001_name.down.sql, a single
// 001_name.sql that goes up only, or one with -- +goose Up and -- +goose Down in it. Files
// that do not end in .sql are left alone; one that does and is not called like that is an
// error. dir is put before the names in messages.
func Folder(fsys fs.FS, dir string) ([]Migration, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("reading the migrations in %s: %w", dir, err)
	}
	f := folder{fsys: fsys, dir: dir, byVersion: make(map[int64]*Migration), first: make(map[int64]string)}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".sql") {
			continue
		}
		if err := f.read(e.Name()); err != nil {
			return nil, err
		}
	}
	return f.list()
}

type folder struct {
	fsys      fs.FS
	dir       string
	byVersion map[int64]*Migration
	first     map[int64]string // the file that was read first of each
}

func (f *folder) read(name string) error {
	file := path.Join(f.dir, name)
	form := fileForm.FindStringSubmatch(name)
	if form == nil {
		return fmt.Errorf("%s: the name is not that of a migration: write 001_name.up.sql and 001_name.down.sql, or 001_name.sql", file)
	}
	version, err := strconv.ParseInt(form[1], 10, 64)
	if err != nil {
		return fmt.Errorf("%s: the version is too large", file)
	}
	text, err := fs.ReadFile(f.fsys, name)
	if err != nil {
		return fmt.Errorf("reading the migration %s: %w", file, err)
	}
	g := f.byVersion[version]
	if g == nil {
		g = &Migration{Version: version, Name: form[2]}
		f.byVersion[version], f.first[version] = g, file
	}
	if g.Name != form[2] {
		return fmt.Errorf("%s: version %d is also that of a migration called %s", file, version, g.Name)
	}
	return g.fill(file, form[3], strings.TrimPrefix(string(text), "\ufeff"))
}

// fill puts the text of a file where it belongs.
func (g *Migration) fill(file, suffix, text string) error {
	parts, err := sections(file, text)
	if err != nil {
		return err
	}
	g.NoTransaction = g.NoTransaction || parts.noTransaction
	switch {
	case parts.annotated && suffix != "":
		return fmt.Errorf("%s: a file with -- +goose Up and Down is called %03d_%s.sql", file, g.Version, g.Name)
	case suffix == ".down":
		parts.down, parts.up = parts.up, Step{}
	}
	if parts.up.SQL != "" {
		if g.Up.File != "" {
			return fmt.Errorf("%s: %s goes up, too", file, g.Up.File)
		}
		g.Up = parts.up
	}
	if parts.down.SQL != "" {
		if g.Down.File != "" {
			return fmt.Errorf("%s: %s goes down, too", file, g.Down.File)
		}
		g.Down = parts.down
	}
	return nil
}

func (f *folder) list() ([]Migration, error) {
	var out []Migration
	for _, g := range f.byVersion {
		if g.Up.empty() {
			up := path.Join(f.dir, fmt.Sprintf("%03d_%s.up.sql", g.Version, g.Name))
			if g.Down.File == "" {
				return nil, fmt.Errorf("%s: the file is empty", f.first[g.Version])
			}
			return nil, fmt.Errorf("%s: there is no way up: %s is missing or empty", g.Down.File, up)
		}
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b Migration) int { return cmp.Compare(a.Version, b.Version) })
	return out, nil
}

type parsed struct {
	up, down      Step
	annotated     bool // it has Up and Down
	noTransaction bool
}

// sections parts a file at -- +goose Up and -- +goose Down. All lines stay where they are, so
// that the numbers of lines are those of the file.
func sections(file, text string) (parsed, error) {
	var p parsed
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	starts := map[string]int{}
	for i, line := range lines {
		command, _ := annotation(line)
		switch command {
		case "no transaction":
			p.noTransaction = true
		case "up", "down":
			if _, ok := starts[command]; ok {
				return p, fmt.Errorf("%s:%d: a second -- +goose %s", file, i+1, command)
			}
			starts[command] = i + 1
		case "envsub on", "envsub off":
			return p, fmt.Errorf("%s:%d: variables of the environment are not put into migrations; take -- +goose %s out", file, i+1, command)
		}
	}
	up, hasUp := starts["up"]
	down, hasDown := starts["down"]
	switch {
	case !hasUp && !hasDown:
		p.up = Step{SQL: text, File: file, Line: 1}
		return p, nil
	case !hasUp:
		return p, fmt.Errorf("%s: it has -- +goose Down and no -- +goose Up", file)
	case hasDown && down < up:
		return p, fmt.Errorf("%s:%d: -- +goose Down comes before Up", file, down)
	}
	p.annotated = true
	end := len(lines)
	if hasDown {
		end = down - 1
		p.down = Step{SQL: strings.Join(lines[down:], "\n"), File: file, Line: down + 1}
	}
	p.up = Step{SQL: strings.Join(lines[up:end], "\n"), File: file, Line: up + 1}
	return p, nil
}
