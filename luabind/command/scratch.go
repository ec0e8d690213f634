package command

import "fmt"

// scratch is what rws does on a terminal, in a folder without app.lua.
func (t *terminal) scratch() error {
	fmt.Fprint(t.out, "There is no app.lua here.\n\n  rws new          makes one that runs at once\n  rws hello.lua    serves another script\n  rws --help       lists what else there is\n")
	return nil
}
