package logs

import "golang.org/x/sys/windows"

// enableColor switches the console to interpreting colour sequences and reports whether it
// does (Windows 10 and newer).
func enableColor(fd uintptr) bool {
	var mode uint32
	if windows.GetConsoleMode(windows.Handle(fd), &mode) != nil {
		return false
	}
	return windows.SetConsoleMode(windows.Handle(fd), mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
