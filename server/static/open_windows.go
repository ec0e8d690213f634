package static

// openFlags: a folder on Windows holds no named pipes, and os.Root refuses the
// names of devices.
const openFlags = 0
