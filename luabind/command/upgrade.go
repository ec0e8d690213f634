package command

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"rws/luabind/repl"
)

func (t *terminal) upgradeCommand() *cobra.Command {
	return command(&cobra.Command{
		Use:   "upgrade [app.lua]",
		Short: "Replace a running server by the program that is installed now, without losing a request",
		Long: `Has the server that runs a script start its program again, with the same arguments and
the sockets it has open: what stands now at the path that the server was started by,
which may be a newer version. When the new one is ready the old one answers what it has
and ends, and this command tells the version that serves; when it does not start, or
nothing is at that path, the old one goes on, and this command and its log say why.
SIGUSR2 does the same. Linux only.

It finds the server by its console, as rws attach does; without the setting console
send the signal: kill -USR2 PID.`,
		Example: "  rws upgrade app.lua",
		Args:    arguments(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := appFile(args)
			if err != nil {
				return err
			}
			return t.upgrade(filepath.Join(filepath.Dir(file), ownFolder, socketName))
		},
	})
}

// upgrade asks the server behind a console to be replaced, and waits for that.
func (t *terminal) upgrade(socket string) error {
	ctx, cancel := context.WithTimeout(context.Background(), upgradePatience+10*time.Second)
	defer cancel()
	c, err := repl.Dial(ctx, socket)
	if err != nil {
		return fmt.Errorf("finding the server: %w; is it running, with the setting console on?", err)
	}
	defer c.Close()
	next, err := c.Replace(ctx)
	if err != nil {
		return t.complain(fmt.Errorf("the server was not replaced, and goes on: %w", err), nil)
	}
	fmt.Fprintf(t.out, "replaced: process %d serves now%s\n", next.PID, versionOf(next))
	return nil
}

// versionOf is what is known of a new process beside its number.
func versionOf(next repl.Successor) string {
	if next.Program == "" {
		return ""
	}
	return fmt.Sprintf(": rws %s, started as %s", cmp.Or(next.Version, "of a version that it does not tell"), next.Program)
}
