package server

import (
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

// machineMemory is the memory this process may use: the least limit of its cgroup, of those above
// it, and of the machine. 0 if nothing tells.
func machineMemory() int64 {
	least := totalMemory()
	lines, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(lines)) {
		id, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, _ := strings.Cut(rest, ":")
		switch {
		case id == "0" && controllers == "":
			least = min(least, leastLimit("/sys/fs/cgroup", group, "memory.max"))
		case controllers == "memory":
			least = min(least, leastLimit("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes"))
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}

// leastLimit is the least number in the file of the group and of those above it. In a container
// the group's own path may not be there, but the root is its group then.
func leastLimit(root, group, file string) int64 {
	least := int64(math.MaxInt64)
	for dir := path.Clean("/" + group); ; dir = path.Dir(dir) {
		text, _ := os.ReadFile(path.Join(root, dir, file))
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 { // "max" is none
			least = min(least, n)
		}
		if dir == "/" {
			return least
		}
	}
}

func totalMemory() int64 {
	text, _ := os.ReadFile("/proc/meminfo")
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "MemTotal:" {
			if kib, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				return kib << 10
			}
		}
	}
	return math.MaxInt64
}
