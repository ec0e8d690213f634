package luabind

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"rws/luabind/fault"
	"rws/server/logs"
)

// AccessLogConfig is the part of Config that is about the line per request.
type AccessLogConfig struct {
	Format   string // asLog, "pretty", "json", "common", "combined" or a text with variables
	File     string // "" is where the log goes
	MaxSize  int64
	MaxFiles int
	MaxAge   time.Duration // 0 keeps old files whatever their age
	Every    time.Duration // 0 does not begin a new file by time
	Compress bool
	Sample   float64
	Redact   []string
}

// asLog is the format of access lines that is that of the log.
const asLog = "auto"

// accessLogSettings are the settings of the line per request.
func accessLogSettings() []Setting {
	of := func(c *Config) *AccessLogConfig { return &c.AccessLogs }
	return []Setting{
		textSetting("access_log.format", asLog, `"common", "combined", "json", "pretty", or a text such as '$remote_addr "$request" $status'; "auto" is as log`, func(c *Config) *string { return &of(c).Format }),
		textSetting("access_log.file", "", "file for these lines alone; SIGHUP opens it again", func(c *Config) *string { return &of(c).File }),
		sizeSetting("access_log.max_size", "100mb", "size at which a new file is begun", func(c *Config) *int64 { return &of(c).MaxSize }),
		intSetting("access_log.max_files", "7", "old files that stay; 0 is all", 0, 10_000, func(c *Config) *int { return &of(c).MaxFiles }),
		spanSetting("access_log.max_age", "off", `age, in days, at which old files go; "off" is never`, func(c *Config) *time.Duration { return &of(c).MaxAge }),
		spanSetting("access_log.every", "off", `time after which a new file is begun; "off" is by size alone`, func(c *Config) *time.Duration { return &of(c).Every }),
		boolSetting("access_log.compress", "true", "compress old files by gzip", func(c *Config) *bool { return &of(c).Compress }),
		{"access_log.sample", "1", "share of the lines that are written; server errors always are", readSample, func(c *Config) string { return strconv.FormatFloat(of(c).Sample, 'g', -1, 64) }},
		listSetting("access_log.redact", "", "names in queries and headers whose values are not written, beside token, password and their like", func(c *Config) *[]string { return &of(c).Redact }),
	}
}

// spanSetting is a duration that may be "off".
func spanSetting(name, def, doc string, at func(*Config) *time.Duration) Setting {
	s := durationSetting(name, def, doc, at)
	read, show := s.read, s.show
	s.read = func(c *Config, text string) error {
		if text == "off" {
			*at(c) = 0
			return nil
		}
		return read(c, text)
	}
	s.show = func(c *Config) string {
		if *at(c) == 0 {
			return "off"
		}
		return show(c)
	}
	return s
}

func readSample(c *Config, text string) error {
	share, err := strconv.ParseFloat(text, 64)
	if err != nil || !(share > 0 && share <= 1) {
		return fmt.Errorf("%q is no share over 0 up to 1; access_log = false writes none", text)
	}
	c.AccessLogs.Sample = share
	return nil
}

// form splits a format into what the logger calls Format and Form.
func (c *AccessLogConfig) form(o logs.Options) logs.AccessOptions {
	a := logs.AccessOptions{Options: o, Sample: c.Sample}
	a.Redact = c.Redact
	if c.File != "" { // of its own: what the log does is not about it
		a.Level, a.Format, a.Color = nil, logs.Auto, logs.ColorNever
	}
	switch format, err := logs.ParseFormat(c.Format); {
	case c.Format == asLog:
	case err == nil && format != logs.Off:
		a.Format = format
	default:
		a.Form = c.Format
		if a.Format == logs.Off {
			a.Format = logs.JSON // what is asked for by name is written
		}
	}
	return a
}

func (c *AccessLogConfig) files() logs.FileOptions {
	return logs.FileOptions{MaxSize: c.MaxSize, Every: c.Every, Keep: c.MaxFiles, KeepFor: c.MaxAge, Plain: !c.Compress}
}

// checkAccessLog refuses what could not be written, without opening a file.
func (p *Program) checkAccessLog() []*fault.Error {
	c := &p.Config.AccessLogs
	if c.Format == "" {
		return []*fault.Error{settingError("access_log.format", p.Config, errors.New(`it is empty; leave it out for lines as those of the log, or set access_log = false for none`))}
	}
	if _, err := logs.OpenAccess(io.Discard, c.form(logs.Options{})); err != nil {
		return []*fault.Error{settingError("access_log.format", p.Config, err)}
	}
	if faults := p.Config.checkAccessFile(); len(faults) > 0 {
		return faults
	}
	if err := p.checkAccessFolder(); err != nil {
		return []*fault.Error{settingError("access_log.file", p.Config, err)}
	}
	if err := c.files().Check(); err != nil {
		name := "access_log.max_size"
		switch {
		case strings.HasPrefix(err.Error(), "every"):
			name = "access_log.every"
		case strings.HasPrefix(err.Error(), "keep for"):
			name = "access_log.max_age"
		}
		return []*fault.Error{settingError(name, p.Config, err)}
	}
	return nil
}

// checkAccessFile refuses settings of a file where there is none, and an empty list.
func (c *Config) checkAccessFile() (faults []*fault.Error) {
	for _, name := range []string{"max_size", "max_files", "max_age", "every", "compress"} {
		if name = "access_log." + name; c.AccessLogs.File == "" && c.Origin(name) != fromDefault {
			faults = append(faults, settingError(name, c, errors.New(`it is about the file of access_log.file, and there is none: name one, or leave this out`)))
		}
	}
	if len(c.AccessLogs.Redact) == 0 && c.Origin("access_log.redact") != fromDefault {
		faults = append(faults, settingError("access_log.redact", c, errors.New("it names nothing; leave it out for the names that are redacted in any case")))
	}
	return faults
}

// checkAccessFolder refuses a file in a folder that is not there.
func (p *Program) checkAccessFolder() error {
	file := p.Config.AccessLogs.File
	if file == "" || !p.Config.AccessLog {
		return nil
	}
	info, err := os.Stat(filepath.Dir(p.path(file)))
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%q is no folder", filepath.Dir(file))
	}
	if err != nil {
		return fmt.Errorf("the folder of %q: %w; create the folder or correct its name", file, err)
	}
	return nil
}

// AccessLog writes the line per request where the settings say.
type AccessLog struct {
	*logs.AccessLogger
	file *logs.File
}

// OpenAccessLog opens what the settings say: lines go to w, in the form of the log that o says, or to
// a file. Close it. The error is a *fault.Error when a setting is at fault.
func (p *Program) OpenAccessLog(w io.Writer, o logs.Options) (*AccessLog, error) {
	c := &p.Config.AccessLogs
	l := &AccessLog{}
	if c.File != "" && p.Config.AccessLog {
		file, err := logs.OpenFile(p.path(c.File), c.files())
		if err != nil {
			return nil, settingError("access_log.file", p.Config, err)
		}
		l.file, w = file, file
	}
	logger, err := logs.OpenAccess(w, c.form(o))
	if err != nil {
		return nil, settingError("access_log.format", p.Config, err)
	}
	l.AccessLogger = logger
	return l, nil
}

// Reopen opens the file by its name again; nothing happens without a file.
func (l *AccessLog) Reopen() error {
	if l.file == nil {
		return nil
	}
	return errors.Join(l.Flush(), l.file.Reopen())
}

// Close writes the last lines and closes the file.
func (l *AccessLog) Close() error {
	err := l.AccessLogger.Close()
	if l.file != nil {
		err = errors.Join(err, l.file.Close())
	}
	return err
}

// AccessLogDiffers reports whether a newer version of the script wants another access log than the
// one that is open.
func (c *Config) AccessLogDiffers(next *Config) bool {
	for _, s := range accessLogSettings() {
		if s.Show(c) != s.Show(next) {
			return true
		}
	}
	return c.AccessLogs.File != "" && c.AccessLog != next.AccessLog
}
