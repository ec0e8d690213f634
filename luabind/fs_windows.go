package luabind

// openFlags are none: names of pipes can't be reached from a folder.
const openFlags = 0
