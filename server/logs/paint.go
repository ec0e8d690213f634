package logs

import "log/slog"

// color is the number of an SGR sequence (ECMA-48 §8.3.117).
type color string

const (
	noColor color = ""
	dim     color = "2"
	red     color = "31"
	green   color = "32"
	yellow  color = "33"
	cyan    color = "36"
)

// paint says whether colours are on.
type paint bool

func (p paint) start(dst []byte, c color) []byte {
	if !p || c == noColor {
		return dst
	}
	return append(append(append(dst, "\x1b["...), c...), 'm')
}

func (p paint) end(dst []byte, c color) []byte {
	if !p || c == noColor {
		return dst
	}
	return append(dst, "\x1b[0m"...)
}

func (p paint) add(dst []byte, c color, s string) []byte {
	return p.end(append(p.start(dst, c), s...), c)
}

func levelColor(level slog.Level) color {
	switch {
	case level >= slog.LevelError:
		return red
	case level >= slog.LevelWarn:
		return yellow
	case level >= slog.LevelInfo:
		return green
	}
	return dim
}

func statusColor(status int) color {
	switch status / 100 {
	case 2:
		return green
	case 3:
		return cyan
	case 4:
		return yellow
	case 5:
		return red
	}
	return noColor
}
