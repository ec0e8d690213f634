package repl

import (
	"os/exec"
	"runtime"
)

// browse shows a URL in the browser of whoever sits at the terminal. An error means that
// there is no program to do so.
func browse(url string) error {
	args := opener(runtime.GOOS, url)
	cmd := exec.Command(args[0], args[1:]...)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // some stay until the browser is closed
	return nil
}

// opener is the command line that opens a URL on a system.
func opener(system, url string) []string {
	switch system {
	case "darwin":
		return []string{"open", url}
	case "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler", url}
	}
	return []string{"xdg-open", url}
}
