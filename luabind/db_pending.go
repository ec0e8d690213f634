package luabind

import (
	"context"
	"fmt"
	"slices"
	"time"

	"rws/server/db/migrate"
)

// lookTime is what it may take to find out which migrations have run, of an app that runs without
// them.
const lookTime = 5 * time.Second

// notApplied are the migrations that have not run, or are not as they ran.
func notApplied(ctx context.Context, m *migrate.Migrator) ([]migrate.Status, error) {
	all, err := m.Status(ctx)
	return slices.DeleteFunc(all, func(g migrate.Status) bool { return g.State == migrate.Applied }), err
}

// listed are migrations for people: "3 create_table_notes (pending)".
func listed(list []migrate.Status) []string {
	out := make([]string, 0, len(list))
	for _, g := range list {
		out = append(out, fmt.Sprintf("%d %s (%s)", g.Version, g.Name, g.State))
	}
	return out
}

// warnOfMigrations says in the log what an app may miss that starts without running its migrations.
func (p *Program) warnOfMigrations(ctx context.Context, s *source, m *migrate.Migrator) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	left, err := notApplied(ctx, m)
	if err != nil {
		p.logger.Warn("whether the migrations have run is not known", "database", s.name, "error", err)
		return
	}
	s.migrations.left = left
	if len(left) == 0 {
		return
	}
	run := "rws migrate up " + p.Main()
	if i := slices.IndexFunc(left, func(g migrate.Status) bool { return g.State == migrate.Dirty }); i >= 0 {
		run = fmt.Sprintf("rws migrate status %s; when the tables are mended: rws migrate resolve %d applied|pending %s", p.Main(), left[i].Version, p.Main())
	}
	if i := slices.IndexFunc(left, m.Refuses); i >= 0 && left[i].State != migrate.Dirty {
		p.warnOfRefusal(s, left, m)
		return
	}
	p.logger.Warn("migrations have not run, and migrate=false leaves them so", "database", s.name, "migrations", listed(left), "run", run)
}

// warnOfRefusal is for migrations that "rws migrate up" would not go past either.
func (p *Program) warnOfRefusal(s *source, left []migrate.Status, m *migrate.Migrator) {
	p.logger.Warn("migrations are not as they ran, and nothing more can run before that is mended", "database", s.name, "migrations", listed(left), "look", "rws migrate status "+p.Main())
}
