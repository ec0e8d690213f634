package template

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/nikolalohinski/gonja/v2/exec"
)

// directive is one of Python's formats: flags, width, precision and verb, with the name of a
// value in front.
var directive = regexp.MustCompile(`^%(?:\((\w+)\))?([-+ 0#]*)(\d*)(?:\.(\d*))?([a-zA-Z%])`)

// filterFormat is Python's "text" % values: %s %d %i %f %e %g %x %X %o %c %r and %%, and
// %(name)s with named values. Widths and precisions go up to 1000.
func filterFormat(_ *exec.Evaluator, in *exec.Value, p *exec.VarArgs) *exec.Value {
	var b strings.Builder
	text, used := in.String(), 0
	for {
		at := strings.IndexByte(text, '%')
		if at < 0 {
			break
		}
		b.WriteString(text[:at])
		m := directive.FindStringSubmatch(text[at:])
		if m == nil {
			return fault(fmt.Errorf("%q is no format: there are %%s %%d %%f %%e %%g %%x %%o %%c %%r, and %%%% for a percent sign", shorten(text[at:], 12)))
		}
		text = text[at+len(m[0]):]
		if m[5] == "%" {
			b.WriteByte('%')
			continue
		}
		v, err := formatted(m, p, &used)
		if err != nil {
			return fault(err)
		}
		s, err := formatOne(m, v)
		if err != nil {
			return fault(err)
		}
		b.WriteString(s)
	}
	if used < len(p.Args) {
		return fault(fmt.Errorf("there are %d values for %d formats", len(p.Args), used))
	}
	b.WriteString(text)
	return exec.AsValue(b.String())
}

// formatted returns the value of a directive.
func formatted(m []string, p *exec.VarArgs, used *int) (*exec.Value, error) {
	if m[1] != "" {
		v, ok := p.KwArgs[m[1]]
		if !ok {
			return nil, fmt.Errorf("there is no value %q for %s", m[1], m[0])
		}
		return v, nil
	}
	if *used == len(p.Args) {
		return nil, fmt.Errorf("there is no value for %s", m[0])
	}
	*used++
	return p.Args[*used-1], nil
}

// maxFormat bounds widths and precisions.
const maxFormat = 1000

func formatOne(m []string, v *exec.Value) (string, error) {
	flags, verb := m[2], m[5]
	spec := "%" + flags
	for i, n := range []string{m[3], m[4]} {
		if n == "" {
			continue
		}
		if size, err := strconv.Atoi(n); err != nil || size > maxFormat {
			return "", fmt.Errorf("%s is wider than %d", shorten(m[0], 20), maxFormat)
		}
		spec += []string{"", "."}[i] + n
	}
	switch verb {
	case "s", "r":
		s, err := plainText(v)
		return fmt.Sprintf(spec+"s", s), err
	case "d", "i", "x", "X", "o", "c":
		n, ok := number(v)
		if !ok || n.float != float64(int64(n.float)) {
			return "", fmt.Errorf("%s wants a whole number, this is %s", m[0], kind(v))
		}
		return fmt.Sprintf(spec+strings.Replace(verb, "i", "d", 1), int64(n.float)), nil
	case "f", "F", "e", "E", "g", "G":
		n, ok := number(v)
		if !ok {
			return "", fmt.Errorf("%s wants a number, this is %s", m[0], kind(v))
		}
		return fmt.Sprintf(spec+verb, n.float), nil
	}
	return "", errors.New(m[0] + " is no format: there are %s %d %f %e %g %x %o %c %r, and %% for a percent sign")
}
