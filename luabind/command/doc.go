package command

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rws/luabind/luadoc"
)

func (t *terminal) docCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doc [name]",
		Short: "Print the manual, or what it says about a name",
		Long: `Prints what the manual says about a name that scripts can use, written as in a script:
a function, a method, a field, a table or a kind of value. Without a name it lists the
tables and kinds. It is the text that editors and the REPL show.`,
		Example: "  rws doc app:get\n  rws doc rws.json\n  rws doc --markdown > manual.md",
		Args:    arguments(0, 1),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return documented(args), cobra.ShellCompDirectiveNoFileComp
		},
	}
	markdown := cmd.Flags().Bool("markdown", false, "print the whole manual as Markdown")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if *markdown && len(args) > 0 {
			return fmt.Errorf("--markdown prints the whole manual and takes no name; leave out %q", args[0])
		}
		manual, err := luadoc.ParseFS(faces())
		switch {
		case err != nil:
			return t.complain(fmt.Errorf("reading the manual: %w", err), nil)
		case *markdown:
			fmt.Fprint(t.out, luadoc.Markdown(manual))
			return nil
		case len(args) == 0:
			t.contents(manual)
			return nil
		}
		return t.doc(manual, args[0])
	}
	return command(cmd)
}

// doc prints what the manual says about a name.
func (t *terminal) doc(manual *luadoc.Package, name string) error {
	s, ok := manual.Lookup(name)
	if !ok {
		meant := ""
		if near := manual.Suggest(name); len(near) > 0 {
			meant = "; did you mean " + strings.Join(near, ", ") + "?"
		}
		return fmt.Errorf("the manual has nothing on %q%s (`rws doc` lists what there is)", name, meant)
	}
	fmt.Fprint(t.out, luadoc.Text(s, widthOf(t.out), isColorful(t.out)))
	return nil
}

// contents lists the tables and kinds of values.
func (t *terminal) contents(manual *luadoc.Package) {
	classes := slices.Clone(manual.Classes)
	slices.SortStableFunc(classes, func(a, b *luadoc.Class) int { return cmp.Compare(a.Label, b.Label) })
	var rows [][]string
	for _, c := range classes {
		line, _, _ := strings.Cut(c.Text, "\n")
		rows = append(rows, []string{c.Label, line})
	}
	writeTable(t.out, []string{"NAME", "WHAT IT IS"}, rows)
	fmt.Fprintln(t.out, "\nrws doc NAME says more, as in `rws doc app:get`.")
}

// documented lists the names for completion.
func documented(args []string) []string {
	manual, err := luadoc.ParseFS(faces())
	if err != nil || len(args) > 0 {
		return nil
	}
	var names []string
	for _, c := range manual.Classes {
		names = append(names, c.Label)
	}
	for _, f := range manual.Functions {
		names = append(names, f.Call)
	}
	for _, f := range manual.Fields {
		names = append(names, f.Call)
	}
	return names
}
