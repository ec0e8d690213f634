//go:build !race

package http3_test

// raced says that the race detector is on.
const raced = false
