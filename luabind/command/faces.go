package command

import (
	"io/fs"

	"rws/stdlib"
)

// faces returns the annotated files that editors and the manual read.
func faces() fs.FS { return stdlib.Files() }
