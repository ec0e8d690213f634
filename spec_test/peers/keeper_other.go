//go:build !unix

package peers

import (
	"errors"
	"os/exec"
)

// errSystem: the servers would need other start and stop code on this system.
var errSystem = errors.New("servers for tests are started on Unix only")

type keeper struct{}

func keep(string, []string, string, []string) (*keeper, error) { return nil, errSystem }
func (*keeper) do(string) error                                { return errSystem }
func (*keeper) end()                                           {}
func runAs(*exec.Cmd, []string) error                          { return errSystem }
func giveTo(string, []string) error                            { return errSystem }
