package logs

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
)

// base is what both handlers have in common.
type base struct {
	out    io.Writer
	level  slog.Leveler
	source bool
	redact redactor
	scopes []scope // what WithGroup and WithAttrs added, in order
}

// scope is one WithGroup (the name) or one WithAttrs (the attributes).
type scope struct {
	group string
	attrs []slog.Attr
}

// Enabled reports whether records of the level are written.
func (b *base) Enabled(_ context.Context, level slog.Level) bool { return level >= b.level.Level() }

func (b base) with(s scope) base {
	b.scopes = append(slices.Clip(b.scopes), s)
	return b
}

// place returns the log call as folder/file.go:line: enough to find it, and no path of the
// machine that built the program.
func place(r slog.Record) string {
	frame, _ := runtime.CallersFrames([]uintptr{r.PC}).Next()
	if frame.File == "" {
		return ""
	}
	folder, file := filepath.Split(frame.File)
	return filepath.Base(folder) + "/" + file + ":" + strconv.Itoa(frame.Line)
}

// maxPooled keeps the buffer of one huge record from staying in memory.
const maxPooled = 64 << 10

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// emit lets write fill a pooled buffer and hands it to out in one call.
func emit(out io.Writer, write func(dst []byte) []byte) error {
	p := buffers.Get().(*[]byte)
	line := write((*p)[:0])
	_, err := out.Write(line)
	if cap(line) <= maxPooled {
		*p = line
		buffers.Put(p)
	}
	return err
}
