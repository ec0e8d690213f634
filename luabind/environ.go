package luabind

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/joho/godotenv"
)

// environment returns the variables and, below them, those of .env in the app's folder.
func (p *Program) environment() (map[string]string, error) {
	env := make(map[string]string)
	file := filepath.Join(p.dir, ".env")
	if text, err := os.ReadFile(file); err == nil {
		p.depend(".env")
		if env, err = godotenv.UnmarshalBytes(text); err != nil {
			return nil, badLine(".env", string(text))
		}
	}
	for _, pair := range p.options.Environ {
		if k, v, ok := strings.Cut(pair, "="); ok {
			env[k] = v
		}
	}
	return env, nil
}

var variableName = regexp.MustCompile(`^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*[=:]`)

// badLine says which line of a file of variables is none. The library's own error quotes the
// rest of the file; this one has no value in it, since values are secrets.
func badLine(name, text string) error {
	lines := strings.SplitAfter(text, "\n")
	good := 0
	for n := 1; n < len(lines); n++ {
		if _, err := godotenv.Unmarshal(strings.Join(lines[:n], "")); err == nil {
			good = n
		}
	}
	// A value in quotes may go on for lines: the culprit is the line where it begins.
	culprit := good
	for culprit < len(lines)-1 && strings.TrimSpace(lines[culprit]) == "" {
		culprit++
	}
	what := "the line"
	if m := variableName.FindStringSubmatch(lines[culprit]); m != nil {
		what = "the variable " + m[1]
	}
	return fmt.Errorf("%s:%d: %s can't be read: write NAME=value or NAME=\"some value\", quotes closed; a comment begins with #", name, culprit+1, what)
}
