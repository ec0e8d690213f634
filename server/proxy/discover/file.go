package discover

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxFile is how many bytes a file of targets may have. More are an error.
const MaxFile = 1 << 20

// File is the source of a file of targets. It has one on each line, with what follows of its URL
// in any order, and comments:
//
//	# the old rack
//	http://10.0.0.7:9001
//	http://10.0.0.8:9001 weight=3
//	http://10.0.0.9:9001 backup
//
// or it is JSON, a list of URLs and [Target]s:
//
//	["http://10.0.0.7:9001", {"url": "http://10.0.0.8:9001", "weight": 3}]
//
// [Follow] sees changes of the file at once.
func File(path string) Source { return file(path) }

type file string

func (f file) String() string { return "file:" + string(f) }

func (f file) Targets(context.Context) ([]Target, error) {
	if info, err := os.Stat(string(f)); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", string(f)) // a pipe could be waited for without end
	}
	in, err := os.Open(string(f))
	if err != nil {
		return nil, err
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, MaxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > MaxFile {
		return nil, fmt.Errorf("it is larger than %d bytes", MaxFile)
	}
	return ParseFile(text)
}

// ParseFile reads the targets of a file; see [File]. It does not look into the URLs.
func ParseFile(text []byte) ([]Target, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if start := bytes.TrimSpace(text); len(start) > 0 && (start[0] == '[' || start[0] == '{') {
		return parseJSON(start)
	}
	return parseLines(string(text))
}

func parseLines(text string) ([]Target, error) {
	var all []Target
	n := 0
	for line := range strings.Lines(text) {
		n++
		t, ok, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if ok {
			all = append(all, t)
		}
	}
	return all, nil
}

// parseLine reads a line; false means that nothing stands there.
func parseLine(line string) (t Target, ok bool, err error) {
	for i, word := range strings.Fields(line) {
		value, weight := strings.CutPrefix(word, "weight=")
		switch {
		case strings.HasPrefix(word, "#"):
			return t, i > 0, nil
		case i == 0:
			t.URL = word
		case word == "backup":
			t.Backup = true
		case weight:
			if t.Weight, err = strconv.Atoi(value); err != nil || t.Weight < 1 || t.Weight > maxWeight {
				return t, false, fmt.Errorf("weight=%s: give 1 to %d", value, maxWeight)
			}
		default:
			return t, false, fmt.Errorf("%q is not understood: after the URL stand weight=N and backup", word)
		}
		ok = true
	}
	return t, ok, nil
}

func parseJSON(text []byte) ([]Target, error) {
	var items []jsontext.Value
	if err := json.Unmarshal(text, &items); err != nil {
		return nil, fmt.Errorf("it is not a JSON list: %w", err)
	}
	all := make([]Target, len(items))
	for i, item := range items {
		into := any(&all[i])
		if item.Kind() == '"' {
			into = &all[i].URL
		}
		if err := json.Unmarshal(item, into, json.RejectUnknownMembers(true)); err != nil {
			return nil, fmt.Errorf("item %d: %w", i+1, err)
		}
		if all[i].URL == "" {
			return nil, fmt.Errorf("item %d: %w", i+1, errors.New("it has no url"))
		}
	}
	return all, nil
}
