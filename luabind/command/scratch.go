package command

import "fmt"

// scratch is what rws does on a terminal, in a folder without app.lua: a console to try
// things in, and a word on how to begin.
func (t *terminal) scratch() error {
	fmt.Fprint(t.out, "There is no app.lua here.\n\n  rws new          makes one that runs at once\n  rws hello.lua    serves another script\n  rws --help       lists what else there is\n\n")
	return t.repl(nil, nil)
}
