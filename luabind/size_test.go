package luabind

import (
	"testing"
	"unsafe"
)

// What each request holds while it waits: bytes beyond these go to the allocator's next size class,
// 64 to 128 bytes for each of 10,000 requests. Keep what few requests use behind a pointer.
func TestARequestIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Ctx{}); size > 704 {
		t.Errorf("a Ctx has %d bytes", size)
	}
}
