package upgrade

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// program is the path by which this process was started. It is looked up at the start, for the folder and
// PATH may be others later; what stands there may be another file by the time of an upgrade.
var program = find(os.Args[0], os.Executable)

// find returns the absolute path of the program that was started by a name, with its symbolic links as they
// are: they may be what an installation changes. A name that leads elsewhere (argv[0] is the caller's
// choice) counts for nothing: the file itself is taken then, "" when that is not known either.
func find(name string, executable func() (string, error)) string {
	own, err := executable()
	if err != nil {
		own = ""
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return own
	}
	if path, err = filepath.Abs(path); err != nil || own != "" && !same(path, own) {
		return own
	}
	return path
}

func same(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// check says what is wrong with a path to start a program by.
func check(path string) error {
	if path == "" {
		return fmt.Errorf("it is not known by which path this one was started (as %q)", os.Args[0])
	}
	if _, err := exec.LookPath(path); err != nil {
		return fmt.Errorf("looking for what this one was started by, now to be the new version: %w", err)
	}
	return nil
}
