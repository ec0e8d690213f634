package command

import (
	"github.com/spf13/cobra"

	"rws/luabind"
	"rws/server/logs"
)

// A configRow is one setting with its value.
type configRow struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
	Doc    string `json:"doc"`
}

func (t *terminal) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config [app.lua]",
		Short: "Show each setting with its value and where that came from",
		Long: `Shows each setting with its value and where that came from: the built-in default,
app:config in the script, a variable, or a flag, of which the last one counts. Without
a script it shows what any script would start with. Secrets show as [redacted].`,
		Example: "  rws config app.lua\n  rws config app.lua --env production --json",
		Args:    arguments(0, 1),
	}
	flags := settingFlags(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		p, err := t.openOrNone(args, flags())
		if err != nil {
			return err
		}
		defer closeProgram(p)
		rows := configRows(p.Config)
		if *asJSON {
			return writeJSON(t.out, rows)
		}
		cells := make([][]string, len(rows))
		for i, r := range rows {
			cells[i] = []string{r.Name, r.Value, r.Origin, r.Doc}
		}
		writeTable(t.out, []string{"NAME", "VALUE", "ORIGIN", "WHAT IT IS"}, cells)
		return nil
	}
	return command(cmd)
}

// openOrNone is open, but with an empty script where none is named and none is here.
func (t *terminal) openOrNone(args []string, flags map[string]string) (*luabind.Program, error) {
	if len(args) > 0 || exists("app.lua") {
		return t.open(args, flags)
	}
	return t.load(t.quietly(luabind.Options{File: "app.lua", Source: "-- nothing\n", Flags: flags}))
}

func configRows(c *luabind.Config) []configRow {
	var rows []configRow
	for _, s := range luabind.Settings() {
		value := s.Show(c)
		if value != "" && logs.Redacts(s.Name) {
			value = "[redacted]"
		}
		origin := c.Origin(s.Name)
		if origin == "flag" {
			origin = "--" + s.Flag()
		}
		rows = append(rows, configRow{s.Name, value, origin, s.Doc})
	}
	return rows
}
