package listen

// Listening is the reader of /proc/net/tcp.
var Listening = listening
