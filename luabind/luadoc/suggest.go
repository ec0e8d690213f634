package luadoc

import (
	"fmt"

	"rws/server/suggest"
)

// didYouMean returns ": did you mean …?" if one of the names is close to what was written.
func didYouMean(written string, names []string) string {
	if best := suggest.Closest(written, names); best != "" && best != written {
		return fmt.Sprintf(": did you mean %s?", best)
	}
	return ""
}
