package static

// WindowsRefuses lets the name rules of Windows be tested on every system.
var WindowsRefuses = windowsRefuses
