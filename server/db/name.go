package db

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxName is the length of an identifier that every engine takes, in bytes.
const maxName = 63

// Quote returns an identifier in the quotes of the engine, as in "user" or `user`. A dot
// parts schema, table and column. Letters, digits, _ and $ are allowed, and spaces and other
// characters but quotes and control characters, because columns are called like that.
func Quote(engine Engine, name string) (string, error) {
	parts := strings.Split(name, ".")
	if len(parts) > 3 {
		return "", badName(name, "it has more than three parts")
	}
	for i, part := range parts {
		if err := checkName(name, part); err != nil {
			return "", err
		}
		if engine == MySQL {
			parts[i] = "`" + part + "`"
		} else {
			parts[i] = `"` + part + `"`
		}
	}
	return strings.Join(parts, "."), nil
}

func checkName(whole, part string) error {
	switch {
	case part == "":
		return badName(whole, "a part of it is empty")
	case len(part) > maxName:
		return badName(whole, fmt.Sprintf("it is longer than %d bytes", maxName))
	case !utf8.ValidString(part):
		return badName(whole, "it is not UTF-8")
	}
	for _, r := range part {
		if r < ' ' || r == 0x7f || strings.ContainsRune("\"`'\\[];", r) {
			return badName(whole, fmt.Sprintf("%q cannot stand in a name", r))
		}
	}
	return nil
}

func badName(name, why string) error {
	return &Error{Code: CodeRefused, Err: fmt.Errorf("%q is not the name of a table or column: %s", excerpt(name, 80), why)}
}

// column quotes what may also be * or table.*.
func column(engine Engine, name string) (string, error) {
	if name == "*" {
		return "*", nil
	}
	if table, ok := strings.CutSuffix(name, ".*"); ok {
		quoted, err := Quote(engine, table)
		return quoted + ".*", err
	}
	return Quote(engine, name)
}
