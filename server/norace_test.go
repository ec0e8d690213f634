//go:build !race

package server_test

// raced says that the race detector is on.
const raced = false
