package command

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

func (t *terminal) upgradeCommand() *cobra.Command {
	return command(&cobra.Command{
		Use:   "upgrade [app.lua]",
		Short: "Replace a running server by the program that is installed now, without losing a request",
		Long: `Has the server that runs a script start its program again, which may be a newer
version by now, with the same arguments and the sockets it has open. When the new one
is ready the old one answers what it has and ends; when it does not start, the old one
goes on and its log says why. SIGUSR2 does the same. Linux only.

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
	old, err := serverOf(socket)
	if err != nil {
		return fmt.Errorf("finding the server: %w", err)
	}
	if err := askUpgrade(old); err != nil {
		return fmt.Errorf("asking the server, process %d, to be replaced: %w", old, err)
	}
	for end := time.Now().Add(upgradePatience + 10*time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if now, err := serverOf(socket); err == nil && now != old {
			fmt.Fprintf(t.out, "replaced: process %d serves in place of %d\n", now, old)
			return nil
		}
	}
	return errors.New("the server was not replaced; its log says why")
}
