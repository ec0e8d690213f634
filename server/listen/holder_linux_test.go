package listen_test

import (
	"slices"
	"testing"

	"rws/server/listen"
)

func TestListeningSockets(t *testing.T) {
	table := `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31337 1 0 100 0 0 10 0
   1: 0100007F:0BB8 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 31338 1 0 20 4 30 10 -1
   2: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 42 1 0 100 0 0 10 0
`
	if got := listen.Listening([]byte(table), 3000); !slices.Equal(got, []string{"31337"}) {
		t.Errorf("got %q", got)
	}
	if got := listen.Listening([]byte(table), 50000); got != nil {
		t.Errorf("got %q", got)
	}
}

func FuzzListeningSockets(f *testing.F) {
	f.Add([]byte("0: 0100007F:0BB8 00000000:0000 0A 0 0 0 0 0 7"), uint16(3000))
	f.Add([]byte("\n0: : : 0A\n"), uint16(0))
	f.Fuzz(func(t *testing.T, table []byte, port uint16) { listen.Listening(table, port) })
}
