package command

import "github.com/spf13/cobra"

// commands returns the subcommands.
func (t *terminal) commands() []*cobra.Command {
	return []*cobra.Command{
		t.newCommand(), t.serveCommand(), t.proxyCommand(), t.checkCommand(), t.testCommand(), t.routesCommand(), t.whyCommand(), t.replCommand(), t.attachCommand(),
		t.configCommand(), t.upgradeCommand(), t.migrateCommand(), t.trustCommand(), t.typesCommand(), t.docCommand(), t.versionCommand(),
	}
}

// command gives a command what most have in common: the shell completes a script.
func command(cmd *cobra.Command) *cobra.Command {
	if cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = completeScript
	}
	return cmd
}

func completeScript(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"lua"}, cobra.ShellCompDirectiveFilterFileExt
}
