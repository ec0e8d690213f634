package command

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rws/luabind"
	"rws/luabind/fault"
	"rws/server/db/migrate"
	"rws/server/suggest"
)

// A migration is one call of `rws migrate`.
type migration struct {
	*terminal
	open  func(*luabind.Program, string) (*migrate.Migrator, func() error, error)
	flags func() map[string]string
	name  string // of the database; "" for all that have migrations
	json  bool
	rows  []migrationRow // for JSON
	wrong bool           // a status that keeps up from running
	ran   int            // of the present database
	none  bool           // a status of a database that does not exist
}

func (t *terminal) migrateCommand() *cobra.Command {
	m := &migration{terminal: t}
	m.open = m.change
	cmd := &cobra.Command{
		Use:   "migrate [up|down|to|redo|status|resolve] [app.lua]",
		Short: "Run, undo or list the migrations of an app's databases",
		Long: `Runs the migrations that the script declares with db:migrate and that have not run yet, on
the database that it names. Each runs in a transaction where the database allows it, and a
lock keeps two processes from migrating at once. With several databases --db chooses one;
without it, up and status do all of them.

The script is loaded first, on empty databases of its own, so that what it does while it
loads does not meet tables that are not there yet. There only SQL runs: the functions of
migrations run on the database itself, once.

The exit status is 1 when a migration fails, and of status when one that ran was changed, is
missing, failed half way, or comes before one that ran: up would refuse. Migrations that wait,
or that another instance is running now, are no failure. A wrong command line is 2, and
a command that Ctrl-C or SIGTERM ends 130 or 143.`,
		Example: `  rws migrate                        run those that have not run
  rws migrate status app.lua
  rws migrate down                   undo the last one
  rws migrate down 3                 undo the last three
  rws migrate to 3 --db stats`,
		Args: m.scriptOrWord,
		RunE: func(_ *cobra.Command, args []string) error { return m.each(args, m.up) },
	}
	m.addFlags(cmd)
	cmd.AddCommand(m.words()...)
	return command(cmd)
}

// words are the commands below migrate.
func (m *migration) words() []*cobra.Command {
	list := []*cobra.Command{
		{
			Use: "up [app.lua]", Short: "Run those that have not run", Args: arguments(0, 1),
			RunE: func(_ *cobra.Command, args []string) error { return m.each(args, m.up) },
		},
		{
			Use: "down [N] [app.lua]", Short: "Undo the last N that ran, 1 without a number", Args: arguments(0, 2),
			RunE: func(_ *cobra.Command, args []string) error {
				return m.numbered(withCount(args), 1, func(ctx context.Context, g *migrate.Migrator, n int64) ([]migrate.Done, error) {
					return g.Down(ctx, int(n))
				})
			},
		},
		{
			Use: "to VERSION [app.lua]", Short: "Run or undo until VERSION is the last that ran; 0 undoes all", Args: arguments(1, 2),
			RunE: func(_ *cobra.Command, args []string) error {
				return m.numbered(args, 0, func(ctx context.Context, g *migrate.Migrator, v int64) ([]migrate.Done, error) { return g.To(ctx, v) })
			},
		},
		{
			Use: "redo [app.lua]", Short: "Undo the last one and run it again", Args: arguments(0, 1),
			RunE: func(_ *cobra.Command, args []string) error {
				return m.one(args, func(ctx context.Context, g *migrate.Migrator) error { return m.report(g.Redo(ctx)) })
			},
		},
		{
			Use: "status [app.lua]", Short: "List them: which ran, which wait", Args: arguments(0, 1),
			RunE: func(_ *cobra.Command, args []string) error { m.open = m.look; return m.each(args, m.status) },
		},
		{
			Use: "resolve VERSION applied|pending [app.lua]", Short: "Say how one that failed half way was mended by hand", Args: arguments(2, 3),
			RunE: func(_ *cobra.Command, args []string) error { return m.resolve(args) },
		},
	}
	for i, cmd := range list {
		m.addFlags(cmd)
		list[i] = command(cmd)
	}
	return list
}

// addFlags: each command has its own flags, of which one command is called.
func (m *migration) addFlags(cmd *cobra.Command) {
	name := cmd.Flags().String("db", "", "the `name` of the database, where the script has several")
	asJSON := cmd.Flags().Bool("json", false, "print the status as JSON")
	if !strings.HasPrefix(cmd.Use, "status") {
		_ = cmd.Flags().MarkHidden("json")
	}
	flags := settingFlags(cmd, "migrate")
	cmd.PreRun = func(*cobra.Command, []string) { m.name, m.json, m.flags = *name, *asJSON, flags }
}

// scriptOrWord is scriptArgs for migrate.
func (m *migration) scriptOrWord(cmd *cobra.Command, args []string) error {
	if len(args) > 0 && !exists(args[0]) && !strings.ContainsAny(args[0], "./\\") {
		var words []string
		for _, c := range cmd.Commands() {
			words = append(words, c.Name())
		}
		return fmt.Errorf("%q is neither a script here nor one of %s%s", args[0], strings.Join(words, ", "), suggest.DidYouMean(args[0], words))
	}
	return arguments(0, 1)(cmd, args)
}

// change opens a database, which is made where it is missing.
func (m *migration) change(p *luabind.Program, name string) (*migrate.Migrator, func() error, error) {
	return p.Migrator(name)
}

// look makes nothing.
func (m *migration) look(p *luabind.Program, name string) (g *migrate.Migrator, done func() error, err error) {
	g, m.none, done, err = p.MigratorToLook(name)
	return g, done, err
}

// load loads the script and returns the databases that are meant.
func (m *migration) load(args []string) (*luabind.Program, []luabind.DatabaseInfo, error) {
	file, err := appFile(args)
	if err != nil {
		return nil, nil, err
	}
	o := m.quietly(luabind.Options{File: file, Flags: m.flags()})
	o.Databases = luabind.DatabasesPlan
	p, err := m.terminal.load(o)
	if err != nil {
		return nil, nil, err
	}
	list, err := m.chosen(p)
	if err != nil {
		closeProgram(p)
		return nil, nil, err
	}
	return p, list, nil
}

// chosen returns the database of --db, or all that have migrations.
func (m *migration) chosen(p *luabind.Program) ([]luabind.DatabaseInfo, error) {
	var list []luabind.DatabaseInfo
	var names []string
	for _, d := range p.Databases() {
		names = append(names, d.Name)
		if d.Name == m.name || m.name == "" && d.Declared {
			list = append(list, d)
		}
	}
	switch {
	case len(list) > 0:
		return list, nil
	case len(names) == 0:
		return nil, errors.New("the script opens no database: local db = app:db(\"sqlite:app.db\")")
	case m.name != "":
		return nil, fmt.Errorf("--db: there is no database %q%s; there are %s", m.name, suggest.DidYouMean(m.name, names), strings.Join(names, ", "))
	}
	return nil, errors.New("the script declares no migrations: db:migrate { [[create table …]] }")
}

// An action works on one database.
type action func(ctx context.Context, g *migrate.Migrator) error

// each does something with all chosen databases.
func (m *migration) each(args []string, f action) error {
	p, list, err := m.load(args)
	if err != nil {
		return err
	}
	defer closeProgram(p)
	for _, d := range list {
		if err := m.on(p, d, f); err != nil {
			return err
		}
	}
	if m.json {
		if err := writeJSON(m.out, m.rows); err != nil {
			return err
		}
	}
	if m.wrong {
		return failed{exitFailed}
	}
	return nil
}

// one does something with one database, which must be the only one or chosen.
func (m *migration) one(args []string, f action) error {
	p, list, err := m.load(args)
	if err != nil {
		return err
	}
	defer closeProgram(p)
	if len(list) > 1 {
		var names []string
		for _, d := range list {
			names = append(names, d.Name)
		}
		return fmt.Errorf("which database? choose one with --db: %s", strings.Join(names, ", "))
	}
	return m.on(p, list[0], f)
}

// on opens the database, and shows what goes wrong as an error of the script.
func (m *migration) on(p *luabind.Program, d luabind.DatabaseInfo, f action) error {
	ctx, stop := interruptible()
	defer stop()
	m.ran = 0
	g, done, err := m.open(p, d.Name)
	if err == nil {
		if !m.json {
			fmt.Fprintln(m.out, paint(isColorful(m.out)).add(bold, d.Label))
		}
		m.name = d.Name
		g.OnWait(m.waiting)
		err = f(ctx, g)
		err = errors.Join(err, done())
	}
	if err == nil {
		return nil
	}
	code := exitFailed
	if ctx.Err() != nil {
		code = interruptedBy(ctx)
	}
	if errors.Is(err, migrate.ErrGaveUp) {
		m.gaveUp()
		return failed{code}
	}
	if e, ok := errors.AsType[*fault.Error](luabind.MigrationFault(err)); ok {
		m.show(e, p.Source)
		return failed{code}
	}
	return err
}

// gaveUp says what a signal has ended.
func (m *migration) gaveUp() {
	left := "nothing was changed"
	if m.ran > 0 {
		left = "nothing was changed but what is listed above"
	}
	fmt.Fprintf(m.err, "rws: stopped waiting for another instance that is migrating; %s\n", left)
}

// waiting says why nothing happens.
func (m *migration) waiting(atMost time.Duration) {
	text := atMost.String()
	if minutes, ok := strings.CutSuffix(text, "m0s"); ok {
		text = minutes + "m"
	}
	fmt.Fprintf(m.err, "  another instance is migrating; waiting up to %s\n", text)
}

func (m *migration) up(ctx context.Context, g *migrate.Migrator) error { return m.report(g.Up(ctx)) }

// withCount puts a 1 before arguments that do not begin with a number, or what should be one.
func withCount(args []string) []string {
	if len(args) == 0 || len(args) == 1 && (exists(args[0]) || strings.ContainsAny(args[0], "./\\")) {
		return append([]string{"1"}, args...)
	}
	return args
}

// numbered reads a number of at least least before the script.
func (m *migration) numbered(args []string, least int64, f func(context.Context, *migrate.Migrator, int64) ([]migrate.Done, error)) error {
	n, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil || n < least {
		return fmt.Errorf("%q is not a whole number from %d", args[0], least)
	}
	return m.one(args[1:], func(ctx context.Context, g *migrate.Migrator) error { return m.report(f(ctx, g, n)) })
}

// report prints what ran, also when one failed after it.
func (m *migration) report(done []migrate.Done, err error) error {
	color := paint(isColorful(m.out))
	m.ran += len(done)
	for _, d := range done {
		what := color.add(green, "up  ")
		if d.Down {
			what = color.add(cyan, "down")
		}
		fmt.Fprintf(m.out, "  %s  %03d  %s  %s\n", what, d.Version, d.Name, color.add(dim, took(d.Took)))
	}
	if err == nil && len(done) == 0 {
		fmt.Fprintln(m.out, "  nothing to do")
	}
	return err
}

// A migrationRow is a migration in listings.
type migrationRow struct {
	Database  string        `json:"database"`
	Version   int64         `json:"version"`
	Name      string        `json:"name"`
	State     migrate.State `json:"state"`
	AppliedAt string        `json:"applied_at,omitempty"`
	HasDown   bool          `json:"has_down"`
	File      string        `json:"file,omitempty"`
	Note      string        `json:"note,omitempty"`
}

func (m *migration) status(ctx context.Context, g *migrate.Migrator) error {
	all, err := g.Status(ctx)
	if err != nil {
		return err
	}
	if m.none && !m.json {
		fmt.Fprintln(m.out, "  the database does not exist yet: rws migrate makes it")
	}
	rows := make([]migrationRow, 0, len(all))
	for _, s := range all {
		r := migrationRow{Database: m.name, Version: s.Version, Name: s.Name, State: s.State, HasDown: s.HasDown, File: s.File, Note: s.Note}
		if m.none && m.json {
			r.Note = "the database does not exist yet"
		}
		if !s.AppliedAt.IsZero() && s.State != migrate.Running {
			r.AppliedAt = s.AppliedAt.UTC().Format(time.RFC3339)
		}
		rows = append(rows, r)
		m.wrong = m.wrong || g.Refuses(s)
	}
	if m.json {
		m.rows = append(m.rows, rows...)
		return nil
	}
	cells := make([][]string, len(rows))
	for i, r := range rows {
		down := "yes"
		if !r.HasDown {
			down = "no"
		}
		cells[i] = []string{strconv.FormatInt(r.Version, 10), r.Name, string(r.State), r.AppliedAt, down, r.File, r.Note}
	}
	writeTable(m.out, []string{"VERSION", "NAME", "STATE", "APPLIED", "DOWN", "FILE", "NOTE"}, cells)
	return nil
}

func (m *migration) resolve(args []string) error {
	version, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil || version < 1 {
		return fmt.Errorf("%q is not a version", args[0])
	}
	if args[1] != "applied" && args[1] != "pending" {
		return fmt.Errorf("%q is neither applied nor pending: is the migration, as the tables are now, done or not", args[1])
	}
	return m.one(args[2:], func(ctx context.Context, g *migrate.Migrator) error {
		if err := g.Resolve(ctx, version, args[1] == "applied"); err != nil {
			return err
		}
		fmt.Fprintf(m.out, "  %d is %s now\n", version, args[1])
		return nil
	})
}
