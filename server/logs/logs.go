// Package logs writes what the server has to say: log records through log/slog and one access
// line per request.
//
// [New] makes a logger that prints for people on a terminal and JSON, one record per line,
// everywhere else. [NewAccess] makes the faster writer for access lines, which run once per
// request. [Output] is a destination that can be swapped while loggers write to it.
//
// Whatever the form, a record cannot forge another one: control characters, terminal escapes
// and bidirectional overrides in messages, keys and values are escaped, and attributes that
// are named like a secret (password, token, cookie, …) print as "[redacted]".
package logs

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/term"
)

// Format is the form of the log. The zero value is [Auto]. It reads and prints as the words
// "auto", "pretty", "json" and "off".
type Format uint8

const (
	Auto   Format = iota // Pretty when the destination is a terminal, else JSON
	Pretty               // aligned lines for people, local time
	JSON                 // one JSON object per line, time in UTC with milliseconds (RFC 3339)
	Off                  // nothing is written
)

var formatNames = []string{"auto", "pretty", "json", "off"}

// ParseFormat reads the name of a format, in any case. An unknown name is an error that lists
// the known ones.
func ParseFormat(name string) (Format, error) {
	for i, known := range formatNames {
		if strings.EqualFold(name, known) {
			return Format(i), nil
		}
	}
	return Auto, fmt.Errorf("unknown log format %q: use auto, pretty, json or off", name)
}

// String returns the name of the format.
func (f Format) String() string {
	if int(f) < len(formatNames) {
		return formatNames[f]
	}
	return fmt.Sprintf("format(%d)", uint8(f))
}

// MarshalText prints the name of the format.
func (f Format) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText is [ParseFormat] for configuration decoders.
func (f *Format) UnmarshalText(text []byte) (err error) {
	*f, err = ParseFormat(string(text))
	return err
}

// Color says whether the pretty form is coloured. JSON never is.
type Color uint8

const (
	ColorAuto   Color = iota // on a terminal, unless NO_COLOR is set or TERM is "dumb" (no-color.org)
	ColorAlways              // even into a file or a pipe
	ColorNever
)

// Options shape a logger. The zero value is a good default.
type Options struct {
	// Format is the form of the log; default [Auto].
	Format Format
	// Level is the lowest level that is written; nil means [slog.LevelInfo]. A [slog.LevelVar]
	// may change while the logger is in use.
	Level slog.Leveler
	// Color applies to the pretty form; default [ColorAuto].
	Color Color
	// AddSource adds the place of the log call as folder/file.go:line.
	AddSource bool
	// Redact names further attributes whose value must not be logged, beside the built-in
	// ones (see [Redacts]).
	Redact []string
}

// New returns a logger that writes to w, one Write call per record. Records of concurrent
// goroutines do not mix. A destination that fails loses the record; the caller is not told.
//
// Auto format and colour are decided here, once, by what w is now: an [Output] counts as what
// it writes to at this moment.
func New(w io.Writer, o Options) *slog.Logger {
	return slog.New(newHandler(w, o))
}

func newHandler(w io.Writer, o Options) slog.Handler {
	format := o.format(w)
	if format == Off {
		return slog.DiscardHandler
	}
	base := base{
		out:    &lockedWriter{w: w},
		level:  o.level(),
		source: o.AddSource,
		redact: redactor(o.Redact),
	}
	if format == Pretty {
		return &prettyHandler{base: base, paint: paint(o.color(w))}
	}
	return &jsonHandler{base: base}
}

func (o Options) format(w io.Writer) Format {
	if o.Format != Auto {
		return o.Format
	}
	if isTerminal(w) {
		return Pretty
	}
	return JSON
}

func (o Options) level() slog.Leveler {
	if o.Level == nil {
		return slog.LevelInfo
	}
	return o.Level
}

func (o Options) color(w io.Writer) bool {
	if o.Color != ColorAuto {
		return o.Color == ColorAlways
	}
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	fd, ok := terminal(w)
	return ok && enableColor(fd)
}

func isTerminal(w io.Writer) bool {
	_, ok := terminal(w)
	return ok
}

// terminal returns the descriptor of the terminal that w writes to, if it does.
func terminal(w io.Writer) (fd uintptr, ok bool) {
	switch w := w.(type) {
	case *Output:
		return terminal(w.destination())
	case interface{ Fd() uintptr }:
		fd = w.Fd()
		return fd, term.IsTerminal(int(fd))
	}
	return 0, false
}
