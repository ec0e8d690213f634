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
	if text, err := os.ReadFile(file); err == nil && !p.options.NoDotEnv {
		p.depend(".env")
		if env, err = readVariables(".env", string(text)); err != nil {
			return nil, err
		}
	}
	for _, pair := range p.options.Environ {
		if k, v, ok := strings.Cut(pair, "="); ok {
			env[k] = v
		}
	}
	return env, nil
}

// readVariables reads a file of variables. The library takes what it does not understand for
// something else, so the lines are looked at before. Errors have no value in them, since values are
// secrets; the library's own quote the rest of the file.
func readVariables(name, text string) (map[string]string, error) {
	text = strings.TrimPrefix(strings.ReplaceAll(text, "\r\n", "\n"), "\ufeff")
	for line, rest := 1, text; rest != ""; {
		length, why := readVariable(rest)
		if why != "" {
			return nil, fmt.Errorf("%s:%d: %s", name, line, why)
		}
		line += strings.Count(rest[:length], "\n")
		rest = rest[length:]
	}
	env, err := godotenv.Unmarshal(text)
	if err != nil {
		return nil, fmt.Errorf("%s can't be read: %s", name, howToWrite)
	}
	return env, nil
}

const howToWrite = `write NAME=value or NAME="some value", quotes closed; a comment begins with #`

var (
	assignment   = regexp.MustCompile(`^[ \t]*(?:export[ \t]+)?([^=:\n]*?)[ \t]*[=:][ \t]*`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)
)

// readVariable returns the length of the first line of text, or of the lines if a value in quotes
// goes on for more, and what is wrong with it.
func readVariable(text string) (length int, why string) {
	length = lineLength(text)
	if content := strings.TrimSpace(text[:length]); content == "" || content[0] == '#' {
		return length, ""
	}
	m := assignment.FindStringSubmatchIndex(text[:length])
	if m == nil {
		return 0, "the line can't be read: " + howToWrite
	}
	switch name := text[m[2]:m[3]]; {
	case name == "":
		return 0, "the line can't be read, there is no name before the sign: " + howToWrite
	case !variableName.MatchString(name):
		return 0, "the line can't be read: a name has letters, digits, _ and . and begins with no digit; " + howToWrite
	default:
		n, why := readValue(text[m[1]:])
		if why != "" {
			return 0, "the variable " + name + " can't be read: " + why
		}
		return m[1] + n, ""
	}
}

func lineLength(text string) int {
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		return i + 1
	}
	return len(text)
}

// readValue returns the length of a value with the rest of its line, and what is wrong with it.
func readValue(text string) (length int, why string) {
	if text == "" || text[0] != '"' && text[0] != '\'' {
		length = lineLength(text)
		value, _, _ := strings.Cut(text[:length], " #")
		value = strings.TrimSpace(value)
		for _, quote := range []string{`"`, `'`} {
			if strings.HasSuffix(value, quote) && strings.Count(value, quote)%2 == 1 {
				return 0, "it ends with a quote that is not opened: " + howToWrite
			}
		}
		return length, ""
	}
	end := 1
	for ; end < len(text) && (text[end] != text[0] || text[end-1] == '\\'); end++ {
	}
	if end == len(text) {
		return 0, "its quote is not closed: " + howToWrite
	}
	end++
	rest := text[end : end+lineLength(text[end:])]
	if after := strings.TrimSpace(rest); after != "" && after[0] != '#' {
		return 0, "there is more behind the quote that closes it: " + howToWrite + `; a quote inside is \"`
	}
	return end + len(rest), ""
}
