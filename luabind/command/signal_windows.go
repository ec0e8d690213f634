package command

import "os"

// reloadSignals: Windows has none.
var reloadSignals []os.Signal

// upgradeSignals: none either.
var upgradeSignals []os.Signal

func isUpgrade(os.Signal) bool { return false }

func isReload(os.Signal) bool { return false }
