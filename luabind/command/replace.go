package command

import (
	"context"
	"errors"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"rws/luabind"
	"rws/luabind/fault"
	"rws/server/reload"
)

func (s *site) watch(ctx context.Context) {
	c := s.current().Config
	if c.Production() || !c.Watch {
		return
	}
	reload.Watch(ctx, s.watched, func(changed []string) {
		if pages := s.current().Pages(); !slices.ContainsFunc(changed, func(file string) bool { return !isAsset(file, pages) }) {
			s.current().Refresh()
			return
		}
		_ = s.reload(ctx, changed, s.reloadFailed)
	}, reload.Options{Logger: s.logger})
}

func isAsset(file string, folders []string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		below, err := filepath.Rel(strings.TrimSuffix(folder, "/..."), file)
		return err == nil && filepath.IsLocal(below)
	})
}

func (s *site) watched() []string {
	p := s.current()
	files := append(p.Files(), p.Pages()...)
	files = append(files, p.TLSFiles()...)
	if more := s.suspects.Load(); more != nil {
		files = append(files, *more...)
	}
	return files
}

func (s *site) reload(ctx context.Context, changed []string, report func(error)) error {
	s.reloads.Lock()
	defer s.reloads.Unlock()
	start := time.Now()
	p, err := luabind.Load(s.options())
	if err == nil {
		err = s.replace(ctx, p)
	}
	if err != nil {
		report(err)
		return err
	}
	s.suspects.Store(nil)
	s.warn(p, debug.FreeOSMemory)
	s.level.Set(levelOf(p.Config))
	s.logger.Info("reloaded", "file", s.file, "changed", s.relative(changed), "took", time.Since(start).Round(100*time.Microsecond))
	if logOptions(p.Config, s.err).Format != s.format {
		s.logger.Warn("the setting log changed; restart to apply it")
	}
	if s.opened.AccessLogDiffers(p.Config) {
		s.logger.Warn("the settings access_log.* changed; restart to apply them")
	}
	return nil
}

func (s *site) replace(ctx context.Context, p *luabind.Program) error {
	s.swaps.Lock()
	defer s.swaps.Unlock()
	if s.ending {
		closeProgram(p)
		return nil
	}
	old := s.current()
	err := old.Config.Fixed(p.Config) // before the script's own hooks hand over anything
	if err == nil {
		err = p.Reload(ctx, old)
	}
	if err != nil {
		closeProgram(p)
		return err
	}
	s.adopt(p)
	s.live.Store(nil)
	if err := s.server.Swap(p.App); err != nil {
		s.live.Store(old)
		return err
	}
	s.live.Store(p)
	s.program.Store(p)
	return nil
}

func (s *site) relative(files []string) string {
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = file
		if name, err := filepath.Rel(s.current().Dir(), file); err == nil {
			names[i] = filepath.ToSlash(name)
		}
	}
	return strings.Join(names, " ")
}

func (s *site) reloadFailed(err error) {
	s.logger.Error(oldGoesOn, "error", errors.New(s.broken(err)))
}

func (s *site) reloadRefused(err error) {
	s.broken(err)
	s.logger.Error(oldGoesOn)
}

func (s *site) broken(err error) string {
	why, names := err.Error(), luaFile.FindAllString(err.Error(), -1)
	if e, ok := errors.AsType[*fault.Error](err); ok {
		why = e.Text(sourceBeside(s.options()), fault.TextOptions{Locals: true, Trace: true})
		for _, f := range e.Frames {
			names = append(names, f.File)
		}
	}
	for i, name := range names {
		names[i] = filepath.Join(s.current().Dir(), name)
	}
	s.suspects.Store(&names)
	s.current().Broken(why)
	return why
}
