// Package stdlib is the face of rws: an annotated Lua file (LuaCATS) for every name that a
// script can use. The same text completes names in editors, is the manual and the help of
// the REPL, and is held equal to the Go code by a test.
//
// A file whose first line is ---@meta describes what Go implements.
package stdlib

import (
	"embed"
	"io/fs"
)

//go:embed rws/*.lua
var files embed.FS

// Files returns the annotated files, as "rws/http.lua".
func Files() fs.FS { return files }
