package command

import "os"

// reloadSignals: Windows has none.
var reloadSignals []os.Signal

func isReload(os.Signal) bool { return false }
