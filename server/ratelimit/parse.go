package ratelimit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

var units = []struct {
	per   time.Duration
	names []string // the first is how it is written
}{
	{time.Second, []string{"s", "sec", "second"}},
	{time.Minute, []string{"min", "minute", "m"}},
	{time.Hour, []string{"h", "hour"}},
	{24 * time.Hour, []string{"day", "d"}},
}

// Parse reads a rate as people write it, with what it is counted by:
//
//	100/min
//	5/min per ip
//	1000/h burst 50 per user
//	10/30s
//
// by is "" when the text does not say.
func Parse(text string) (rate Rate, by string, err error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return rate, "", fmt.Errorf(`the rate is empty: write it like "100/min" or "5/min per ip"`)
	}
	if rate, err = parseRate(words[0]); err != nil {
		return rate, "", err
	}
	for words = words[1:]; len(words) > 0; words = words[2:] {
		if len(words) == 1 {
			return rate, "", fmt.Errorf("rate %q: nothing follows %q", text, words[0])
		}
		switch {
		case words[0] == "per" && by == "":
			by = words[1]
		case words[0] == "burst" && rate.Burst == 0:
			if rate.Burst, err = strconv.Atoi(words[1]); err != nil || rate.Burst <= 0 {
				return rate, "", fmt.Errorf("rate %q: the burst %q is not a number of 1 or more", text, words[1])
			}
		default:
			return rate, "", fmt.Errorf(`rate %q: %q is not understood: a rate goes on with "burst N" and "per ip"`, text, words[0])
		}
	}
	if err := rate.check(); err != nil {
		return rate, "", fmt.Errorf("rate %q: %w", text, err)
	}
	return rate, by, nil
}

// parseRate reads "100/min".
func parseRate(text string) (Rate, error) {
	count, per, ok := strings.Cut(text, "/")
	n, err := strconv.Atoi(count)
	if !ok || err != nil || n <= 0 {
		return Rate{}, fmt.Errorf(`rate %q: write it like "100/min" or "10/30s"`, text)
	}
	for _, u := range units {
		if slices.Contains(u.names, per) {
			return Rate{Count: n, Per: u.per}, nil
		}
	}
	d, err := time.ParseDuration(per)
	if err != nil || d <= 0 {
		return Rate{}, fmt.Errorf("rate %q: the period %q is none of s, min, h, day or a duration like 30s", text, per)
	}
	return Rate{Count: n, Per: d}, nil
}
