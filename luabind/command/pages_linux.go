package command

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// forgetStart gives back the pages of the binary that were read to start: package variables,
// commands, help. The kernel maps 16 pages around each that is touched, and counts them as ours
// until somebody else needs memory; with the libraries for databases that was 24 MB, of which
// serving uses 10. What is needed again comes from the page cache without reading the disk.
func forgetStart() {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		if pages := readOnlyPages(lines.Text(), exe); pages != nil {
			_ = unix.Madvise(pages, unix.MADV_DONTNEED) // a wish: where it fails they stay
		}
	}
}

// readOnlyPages are the pages of a line of /proc/self/maps (proc(5)), if they are the file exe and
// nobody can have written to them.
func readOnlyPages(line, exe string) []byte {
	field := strings.Fields(line)
	if len(field) != 6 || field[5] != exe || field[1][1] != '-' {
		return nil
	}
	from, to, _ := strings.Cut(field[0], "-")
	start, err := strconv.ParseUint(from, 16, 64)
	end, err2 := strconv.ParseUint(to, 16, 64)
	if err != nil || err2 != nil {
		return nil
	}
	var address unsafe.Pointer
	*(*uintptr)(unsafe.Pointer(&address)) = uintptr(start) // the memory is not Go's: it never moves
	return unsafe.Slice((*byte)(address), end-start)
}
