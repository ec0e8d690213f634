// Rws runs an app.lua: routes, middleware, files and more, declared in Lua and served in
// Go. See README.md.
package main

import (
	"os"

	"rws/luabind/command"
)

func main() { os.Exit(command.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
