package spec_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// An answer is what a request got.
type answer struct {
	status int
	proto  string
	header http.Header
	body   string
	count  int // of answers, for raw; this is the last one
}

// String is the readable form: what stdout gets.
func (a *answer) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d %s\n", a.proto, a.status, http.StatusText(a.status))
	for _, name := range slices.Sorted(maps.Keys(a.header)) {
		if name == "Date" {
			continue
		}
		for _, v := range a.header[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	fmt.Fprintf(&b, "\n%s", a.body)
	if !strings.HasSuffix(a.body, "\n") {
		b.WriteByte('\n')
	}
	return b.String()
}

// answer returns the last one.
func (s *spec) answer(args []string, low, high int, usage string) (*answer, error) {
	if len(args) < low || len(args) > high {
		return nil, usageError(usage)
	}
	if s.last == nil {
		return nil, usageError("there is no answer yet: http GET /")
	}
	return s.last, nil
}

func status(s *spec, args []string) error {
	a, err := s.answer(args, 1, 1, "status CODE")
	if err != nil {
		return err
	}
	if strconv.Itoa(a.status) != args[0] {
		return fmt.Errorf("it is %d, not %s", a.status, args[0])
	}
	return nil
}

func answers(s *spec, args []string) error {
	a, err := s.answer(args, 1, 1, "answers N")
	if err != nil {
		return err
	}
	if strconv.Itoa(a.count) != args[0] {
		return fmt.Errorf("there are %d, not %s", a.count, args[0])
	}
	return nil
}

func header(s *spec, args []string) error {
	a, err := s.answer(args, 1, 2, "header NAME [VALUE]")
	if err != nil {
		return err
	}
	values, there := a.header[http.CanonicalHeaderKey(args[0])]
	switch {
	case !there:
		return fmt.Errorf("there is no %s", args[0])
	case len(args) == 2 && !slices.Contains(values, args[1]):
		return fmt.Errorf("%s is %q, not %q", args[0], values, args[1])
	}
	return nil
}

func body(s *spec, args []string) error {
	a, err := s.answer(args, 1, 1, "body TEXT")
	if err != nil {
		return err
	}
	if got := strings.TrimSuffix(a.body, "\n"); got != args[0] {
		return fmt.Errorf("it is %q, not %q", got, args[0])
	}
	return nil
}

func has(s *spec, args []string) error {
	a, err := s.answer(args, 1, 1, "has TEXT")
	if err != nil {
		return err
	}
	if !strings.Contains(a.body, args[0]) {
		return fmt.Errorf("%q is not in %q", args[0], a.body)
	}
	return nil
}

func jsonValue(s *spec, args []string) error {
	a, err := s.answer(args, 2, 2, "json PATH VALUE")
	if err != nil {
		return err
	}
	var v any
	d := json.NewDecoder(strings.NewReader(a.body))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return fmt.Errorf("the body is no JSON: %w: %q", err, a.body)
	}
	for step := range strings.SplitSeq(args[0], ".") {
		if v, err = child(v, step); err != nil {
			return fmt.Errorf("%s: %w in %s", args[0], err, a.body)
		}
	}
	if got := jsonText(v); got != args[1] {
		return fmt.Errorf("%s is %s, not %s", args[0], got, args[1])
	}
	return nil
}

// child returns a member of an object, an element of an array, or with "length" its length.
func child(v any, step string) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		if x, ok := v[step]; ok {
			return x, nil
		}
	case []any:
		if step == "length" {
			return len(v), nil
		}
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(v) {
			return v[i], nil
		}
	}
	return nil, fmt.Errorf("there is no %q", step)
}

// jsonText is a string as it is, anything else as JSON.
func jsonText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
