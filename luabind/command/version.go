package command

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (t *terminal) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "version",
		Short:             "Print the version, the build and the modules",
		Long:              "Prints the version of rws, the Go version and system it was built for, and the commit\nwhen it was built from one.",
		Example:           "  rws version --modules      with the modules that are built in",
		Args:              arguments(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	modules := cmd.Flags().Bool("modules", false, "list the modules that are built in")
	cmd.RunE = func(*cobra.Command, []string) error {
		t.version(*modules)
		return nil
	}
	return cmd
}

func (t *terminal) version(modules bool) {
	fmt.Fprintf(t.out, "rws %s\n%s %s/%s\n", Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return
	}
	if commit := commitOf(info); commit != "" {
		fmt.Fprintf(t.out, "commit %s\n", commit)
	}
	if !modules {
		return
	}
	if len(info.Deps) == 0 {
		fmt.Fprintln(t.out, "\nthis build does not tell its modules")
		return
	}
	fmt.Fprintln(t.out)
	var rows [][]string
	for _, m := range info.Deps {
		rows = append(rows, []string{m.Path, m.Version})
	}
	writeTable(t.out, []string{"MODULE", "VERSION"}, rows)
}

// commitOf returns the commit rws was built from, "" when that is not known.
func commitOf(info *debug.BuildInfo) string {
	values := make(map[string]string)
	for _, s := range info.Settings {
		values[s.Key] = s.Value
	}
	commit := values["vcs.revision"]
	if commit != "" && values["vcs.time"] != "" {
		commit += " " + values["vcs.time"]
	}
	if values["vcs.modified"] == "true" {
		commit += " (modified)"
	}
	return commit
}
