//go:build !linux

package server

// machineMemory is unknown here, so MemoryLimit is off unless it is set.
func machineMemory() int64 { return 0 }
