package session

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// data is the content of a session, each value as JSON.
type data map[string]jsontext.Value

// decoders are used again: one takes as much to make as to read a small session.
var decoders = sync.Pool{New: func() any { return new(jsontext.Decoder) }}

// parseData reads a JSON object; the values are parts of b, which must not change.
func parseData(b []byte) (data, error) {
	d := decoders.Get().(*jsontext.Decoder)
	defer decoders.Put(d)
	d.Reset(bytes.NewReader(b))
	if token, err := d.ReadToken(); err != nil || token.Kind() != '{' {
		return nil, errors.New("session: the stored data is no JSON object")
	}
	out := make(data)
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, fmt.Errorf("session: the stored data is broken: %w", err)
		}
		key := name.String()
		value, err := d.ReadValue()
		if err != nil {
			return nil, fmt.Errorf("session: the stored data is broken: %w", err)
		}
		end := int(d.InputOffset())
		out[key] = jsontext.Value(b[end-len(value) : end : end])
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, fmt.Errorf("session: the stored data is broken: %w", err)
	}
	return out, nil
}

// encode writes the object with its keys in order, so that the same data is the same text.
func (d data) encode() ([]byte, error) {
	b := []byte{'{'}
	for i, key := range slices.Sorted(maps.Keys(d)) {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = jsontext.AppendQuote(b, key); err != nil {
			return nil, fmt.Errorf("session: the key %q is not valid UTF-8", key)
		}
		b = append(append(b, ':'), d[key]...)
	}
	return append(b, '}'), nil
}

// with returns a copy with changes; a nil value removes.
func (d data) with(changes data) data {
	out := maps.Clone(d)
	if out == nil {
		out = make(data)
	}
	for key, value := range changes {
		if value == nil {
			delete(out, key)
		} else {
			out[key] = value
		}
	}
	return out
}

// compact returns valid JSON without spaces, or an error. Long integers stay as they are.
func compact(key string, raw []byte) (jsontext.Value, error) {
	v := jsontext.Value(raw).Clone()
	if err := v.Compact(); err != nil {
		return nil, fmt.Errorf("session: the value of %q is no JSON: %w", key, err)
	}
	return v, nil
}

// check returns an error for what parseData could not read again: Compact lets text pass that
// is not UTF-8, and names that are there twice, and in a session a value lies one level deeper.
func check(key string, v jsontext.Value) error {
	if !utf8.ValidString(key) {
		return fmt.Errorf("session: the key %q is not UTF-8", key)
	}
	if v == nil {
		return nil
	}
	d := jsontext.NewDecoder(io.MultiReader(strings.NewReader("["), bytes.NewReader(v), strings.NewReader("]")))
	if err := d.SkipValue(); err != nil {
		return fmt.Errorf("session: the value of %q cannot be stored: %w", key, err)
	}
	return nil
}

func marshal(key string, value any) (jsontext.Value, error) {
	b, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("session: the value of %q cannot be stored: %w", key, err)
	}
	return b, nil
}

// unmarshal returns plain values: nil, bool, string, int64 for integers that fit, float64,
// []any and map[string]any.
func unmarshal(v jsontext.Value) (any, error) {
	var out any
	err := json.Unmarshal(v, &out, json.WithUnmarshalers(json.UnmarshalFromFunc(exact)))
	return out, err
}

func unmarshalFlashes(v jsontext.Value, to *map[string][]string) error {
	if err := json.Unmarshal(v, to); err != nil {
		return fmt.Errorf("session: the flash messages are broken: %w", err)
	}
	return nil
}

// exact reads integers as int64.
func exact(d *jsontext.Decoder, to *any) error {
	if d.PeekKind() != '0' {
		return errors.ErrUnsupported // as ever
	}
	v, err := d.ReadValue()
	if err != nil {
		return err
	}
	if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		*to = n
		return nil
	}
	f, err := strconv.ParseFloat(string(v), 64)
	*to = f
	return err
}

// userOf returns the user that a value names: a string or a number.
func userOf(key string, v jsontext.Value) (string, error) {
	if v == nil || v.Kind() == 'n' {
		return "", nil
	}
	user := string(v)
	switch v.Kind() {
	case '"':
		unquoted, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return "", err
		}
		user = string(unquoted)
	case '0':
	default:
		return "", fmt.Errorf("session: %q names the user, so it is a string or a number", key)
	}
	if strings.Contains(user, "\x00") { // which Postgres cannot hold
		return "", fmt.Errorf("session: %q names the user with a character U+0000 in it", key)
	}
	if len(user) > maxUser {
		return "", fmt.Errorf("session: %q names the user with %d bytes, at most %d are taken", key, len(user), maxUser)
	}
	return user, nil
}

// maxUser is what the column in SQL holds.
const maxUser = 255
