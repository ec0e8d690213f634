//go:build !linux

package command

import "rws/server/upgrade"

func serverOf(string) (int, error) { return 0, upgrade.ErrUnsupported }

func askUpgrade(int) error { return upgrade.ErrUnsupported }
