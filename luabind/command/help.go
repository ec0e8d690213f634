package command

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rws/server/suggest"
)

// help makes --help, the command help, and the errors for wrong flags of rws and of its
// subcommands.
func help(root *cobra.Command) {
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { writeHelp(cmd.OutOrStdout(), cmd) })
	root.SetUsageFunc(func(cmd *cobra.Command) error { writeHelp(cmd.ErrOrStderr(), cmd); return nil })
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(&cobra.Command{
		Use:   "help [command]",
		Short: "Say what a command does",
		Args:  arguments(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return root.Help()
			}
			for _, cmd := range root.Commands() {
				if cmd.Name() == args[0] {
					return cmd.Help()
				}
			}
			return unknownCommand(root, args[0])
		},
	})
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.Short = "Print a script that makes a shell complete commands, flags and names"
		}
	}
}

// unknownCommand is the error for a word that is neither a command nor a script.
func unknownCommand(cmd *cobra.Command, word string) error {
	names := scriptsIn(".")
	for _, c := range cmd.Root().Commands() {
		names = append(names, c.Name())
	}
	return fmt.Errorf("%q is neither a command nor a script here%s; `rws --help` lists the commands", word, suggest.DidYouMean(word, names))
}

// arguments accepts between least and most arguments.
func arguments(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return fmt.Errorf("an argument is missing: %s", cmd.UseLine())
		case len(args) > most:
			return fmt.Errorf("%q is one argument too many: %s", args[most], cmd.UseLine())
		}
		return nil
	}
}

// flagError says which flag was meant.
func flagError(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())
	}
	given, word := "--"+unknown.GetSpecifiedName(), unknown.GetSpecifiedName()
	if group := unknown.GetSpecifiedShortnames(); group != "" {
		given, word = "-"+group, group // as in -port, with one dash
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	meant := ""
	if near := suggest.Closest(word, names); near != "" {
		meant = fmt.Sprintf(" (did you mean --%s?)", near)
	} else if slices.Contains(names, word) {
		meant = fmt.Sprintf(" (did you mean --%s?)", word)
	}
	return fmt.Errorf("unknown flag %s%s; see `%s --help`", given, meant, cmd.CommandPath())
}

// writeHelp writes what a command does, how it is called and what it takes.
func writeHelp(w io.Writer, cmd *cobra.Command) {
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	fmt.Fprintf(w, "%s\n\nUsage:\n  %s\n", text, cmd.UseLine())
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", cmd.Example)
	}
	writeCommands(w, cmd)
	writeFlags(w, cmd)
}

func writeCommands(w io.Writer, cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	fmt.Fprint(w, "\nCommands:\n")
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			fmt.Fprintf(w, "  %-12s %s\n", c.Name(), c.Short)
		}
	}
}

// writeFlags lists flags, and settings apart from them: in full with rws itself only.
func writeFlags(w io.Writer, cmd *cobra.Command) {
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	own.SortFlags = false
	var settings []*pflag.Flag
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if isSetting(f) {
			settings = append(settings, f)
		} else {
			own.AddFlag(f)
		}
	})
	if own.HasAvailableFlags() {
		fmt.Fprintf(w, "\nFlags:\n%s", own.FlagUsagesWrapped(widthOf(w)))
	}
	switch {
	case len(settings) == 0:
	case cmd.HasParent():
		fmt.Fprint(w, "\nThe settings that `rws --help` lists, such as --env production, are flags here too.\n")
	default:
		fmt.Fprint(w, "\nSettings, which are also options of app:config { max_body = \"1mb\" } and variables as\nRWS_MAX_BODY=1mb (a flag comes before a variable, a variable before app:config):\n")
		for _, f := range settings {
			separator := " "
			if f.NoOptDefVal != "" {
				separator = "="
			}
			fmt.Fprintf(w, "  %-28s %s\n", "--"+f.Name+separator+cmp.Or(f.DefValue, "…"), f.Usage)
		}
	}
}
