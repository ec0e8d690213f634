package transport

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Where the system does not tell whether a connection is alive, reading does, after a while.
func TestAliveByReading(t *testing.T) {
	here, there := net.Pipe()
	c := newConn(here, &Options{}, client{})
	c.since = time.Now().Add(-time.Minute)
	assert.True(t, c.alive())
	c.limit(10*time.Second, true)
	go func() { _, _ = there.Write([]byte("abc")) }()
	n, err := c.in.Read(make([]byte, 3))
	assert.NoError(t, err, "the deadline of the probe is gone")
	assert.Equal(t, 3, n)
	go func() { _, _ = there.Write([]byte("unasked")) }()
	time.Sleep(10 * time.Millisecond)
	assert.False(t, c.alive())
	there.Close()
	assert.False(t, c.alive())
	here.Close()
}
