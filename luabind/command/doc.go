package command

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"rws/examples"
	"rws/luabind/luadoc"
	"rws/server/suggest"
)

func (t *terminal) docCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doc [name]",
		Short: "Print the manual, or what it says about a name",
		Long: `Prints what the manual says about a name that scripts can use, written as in a script:
a function, a method, a field, a table or a kind of value; or one of its examples, which
are whole programs; which files belong beside it is said too. A word that is no name is
looked for in all texts. Without a name it lists what there is. It is the text that
editors and the REPL show.`,
		Example: "  rws doc app:get\n  rws doc rws.json\n  rws doc websocket\n  rws doc examples/login > app.lua\n  rws doc --markdown > manual.md",
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
			return t.markdownExamples()
		case len(args) == 0:
			return t.contents(manual)
		}
		if name, ok := strings.CutPrefix(args[0], "examples/"); ok {
			return t.example(name)
		}
		return t.doc(manual, args[0])
	}
	return command(cmd)
}

// doc prints what the manual says about a name.
func (t *terminal) doc(manual *luadoc.Package, name string) error {
	s, ok := manual.Lookup(name)
	if !ok {
		s, ok = setting(manual, name)
	}
	if whole, one := manual.Ending(name); !ok && one {
		s, ok = manual.Lookup(whole)
	}
	if !ok {
		return t.mentions(manual, name)
	}
	fmt.Fprint(t.out, luadoc.Text(s, widthOf(t.out), isColorful(t.out)))
	return nil
}

// mentions prints where commands and the manual speak of a word that is no name.
func (t *terminal) mentions(manual *luadoc.Package, word string) error {
	const most = 20
	var rows [][]string
	for _, cmd := range t.commands() {
		if cmd.Name() == word || strings.Contains(strings.ToLower(cmd.Long), strings.ToLower(word)) {
			rows = append(rows, []string{"rws help " + cmd.Name(), cmd.Short})
		}
	}
	for _, m := range manual.Mentions(word) {
		rows = append(rows, []string{m.Name, m.Line})
	}
	if len(rows) == 0 {
		meant := ""
		if near := manual.Suggest(word); len(near) > 0 {
			meant = "; did you mean " + strings.Join(near, ", ") + "?"
		}
		return fmt.Errorf("the manual has nothing on %q%s (`rws doc` lists what there is)", word, meant)
	}
	fmt.Fprintf(t.out, "Nothing is called %q. It is spoken of here:\n\n", word)
	more := len(rows) - most
	writeTable(t.out, []string{"NAME", "WHAT IT SAYS"}, rows[:min(most, len(rows))])
	if more > 0 {
		fmt.Fprintf(t.out, "\nand in %d more places.\n", more)
	}
	return nil
}

// setting looks a name up among the settings, as in "trusted_proxies" and "session.cookie.name".
func setting(manual *luadoc.Package, name string) (luadoc.Symbol, bool) {
	class := "rws.Config"
	parts := strings.Split(name, ".")
	for _, part := range parts[:len(parts)-1] {
		for word := range strings.SplitSeq(part, "_") {
			if word != "" {
				class += strings.ToUpper(word[:1]) + word[1:]
			}
		}
	}
	return manual.Lookup(class + "." + parts[len(parts)-1])
}

// contents lists the tables and kinds of values, the tables of options and results, and the examples.
func (t *terminal) contents(manual *luadoc.Package) error {
	classes := slices.Clone(manual.Classes)
	slices.SortStableFunc(classes, func(a, b *luadoc.Class) int { return cmp.Compare(a.Label, b.Label) })
	var rows [][]string
	var tables []string
	for _, c := range classes {
		if isPlainTable(c.Label) {
			tables = append(tables, c.Label)
			continue
		}
		line, _, _ := strings.Cut(c.Text, "\n")
		rows = append(rows, []string{c.Label, line})
	}
	writeTable(t.out, []string{"NAME", "WHAT IT IS"}, rows)
	all, err := examples.All()
	if err != nil {
		return err
	}
	rows = nil
	for _, e := range all {
		rows = append(rows, []string{"examples/" + e.Name, e.Short})
	}
	fmt.Fprintln(t.out)
	writeTable(t.out, []string{"EXAMPLE", "WHAT IT SHOWS"}, rows)
	fmt.Fprintf(t.out, "\nTables of options and results: %s.\n", strings.Join(tables, ", "))
	fmt.Fprintln(t.out, "\nrws doc NAME says more, as in `rws doc app:get` and `rws doc examples/hello`.")
	return nil
}

// isPlainTable tells names of tables that scripts fill in or get, as rws.CorsOptions, from those
// that they write.
func isPlainTable(label string) bool {
	name, ok := strings.CutPrefix(label, "rws.")
	return ok && name != "" && unicode.IsUpper(rune(name[0]))
}

// beside tells, where the program does not go, how to have the files that it needs.
func (t *terminal) beside(e examples.Example) {
	for _, name := range e.Beside {
		fmt.Fprintf(t.err, "it needs %s, which rws doc examples/%s prints\n", name, name)
	}
}

// example prints a program, or a file that one needs.
func (t *terminal) example(name string) error {
	all, err := examples.All()
	if err != nil {
		return err
	}
	var names []string
	for _, e := range all {
		if e.Name == strings.TrimSuffix(name, ".lua") {
			fmt.Fprint(t.out, e.Source)
			t.beside(e)
			return nil
		}
		if slices.Contains(e.Beside, name) {
			text, err := examples.File(name)
			fmt.Fprintf(t.out, "%s", text)
			return err
		}
		names = append(names, e.Name)
	}
	return fmt.Errorf("no example is called %q%s (`rws doc` lists them)", name, suggest.DidYouMean(name, names))
}

// markdownExamples is the part of the manual with the programs.
func (t *terminal) markdownExamples() error {
	all, err := examples.All()
	if err != nil {
		return err
	}
	fmt.Fprint(t.out, "\n# Examples\n")
	for _, e := range all {
		fmt.Fprintf(t.out, "\n## examples/%s\n\n```lua\n%s```\n", e.Name, e.Source)
	}
	return nil
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
	programs, _ := examples.All() // which are in the binary
	for _, e := range programs {
		names = append(names, "examples/"+e.Name)
	}
	return names
}
