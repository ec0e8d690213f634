package command

import (
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
		Long: `Has the server that runs a script start its program again, which may be a newer
version by now, with the same arguments and the sockets it has open. When the new one
is ready the old one answers what it has and ends; when it does not start, the old one
goes on, and this command and its log say why. SIGUSR2 does the same. Linux only.

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
	pid, err := c.Replace(ctx)
	if err != nil {
		return t.complain(fmt.Errorf("the server was not replaced, and goes on: %w", err), nil)
	}
	fmt.Fprintf(t.out, "replaced: process %d serves now\n", pid)
	return nil
}
