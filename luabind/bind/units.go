package bind

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes, which scripts write as "10mb".
type Size int64

// ParseDuration reads "200ms", "1.5s", "5m", "1h30m", "7d", "2w". A bare number is an
// error: some libraries mean seconds by it, others milliseconds.
func ParseDuration(s string) (time.Duration, error) {
	rest := strings.TrimSpace(s)
	if _, err := strconv.ParseFloat(rest, 64); err == nil && rest != "0" {
		return 0, fmt.Errorf("%q has no unit: write \"%ss\", \"%sms\" or the like", s, rest, rest)
	}
	var total time.Duration
	for part := rest; part != ""; {
		n := strings.IndexFunc(part, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if n < 0 {
			n = len(part)
		}
		value, err := strconv.ParseFloat(part[:n], 64)
		if err != nil && part != "0" {
			return 0, badDuration(s)
		}
		part = part[n:]
		end := strings.IndexFunc(part, func(r rune) bool { return r >= '0' && r <= '9' })
		if end < 0 {
			end = len(part)
		}
		unit, ok := durations[part[:end]]
		if !ok && rest != "0" {
			return 0, badDuration(s)
		}
		part = part[end:]
		d := value * float64(unit)
		if d > math.MaxInt64/2 {
			return 0, fmt.Errorf("%q is too long", s)
		}
		total += time.Duration(d)
	}
	if rest == "" {
		return 0, badDuration(s)
	}
	return total, nil
}

var durations = map[string]time.Duration{
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
	"d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
}

func badDuration(s string) error {
	return fmt.Errorf("%q is not a duration: write \"200ms\", \"30s\", \"5m\", \"1h30m\", \"7d\" or \"2w\"", s)
}

// ParseSize reads "512b", "64kb", "10mb", "2gb"; one kb is 1024 bytes.
func ParseSize(s string) (Size, error) {
	rest := strings.ToLower(strings.TrimSpace(s))
	n := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if n < 0 && rest != "" && rest != "0" {
		return 0, fmt.Errorf("%q has no unit: write \"%sb\", \"%skb\", \"%smb\" or \"%sgb\"", s, rest, rest, rest, rest)
	}
	if rest == "0" {
		return 0, nil
	}
	bad := fmt.Errorf("%q is not a size: write \"512b\", \"64kb\", \"10mb\" or \"2gb\"", s)
	if n < 0 {
		return 0, bad
	}
	unit, ok := sizes[strings.TrimSpace(rest[n:])]
	value, err := strconv.ParseFloat(rest[:n], 64)
	if !ok || err != nil {
		return 0, bad
	}
	if value*unit > 1<<50 {
		return 0, fmt.Errorf("%q is too large", s)
	}
	return Size(value * unit), nil
}

var sizes = map[string]float64{"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}

// String writes the size as ParseSize reads it.
func (s Size) String() string {
	for _, u := range []struct {
		name string
		unit Size
	}{{"gb", 1 << 30}, {"mb", 1 << 20}, {"kb", 1 << 10}} {
		if s >= u.unit && s%u.unit == 0 {
			return strconv.FormatInt(int64(s/u.unit), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "b"
}
