package fault

import (
	"regexp"
	"sync"
)

// pattern returns a regular expression that is compiled when it is first used. Compiling those of
// this package takes longer than all else that the package does before main, and few programs fail.
func pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
