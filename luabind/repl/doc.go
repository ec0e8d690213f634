// Package repl is the console of a running app: it reads Lua line by line, runs each line
// exactly once in the live isolate, and shows what came of it.
//
// A [Session] is one conversation. It finds a name among its own variables first, then
// among the top-level locals of the script, then among the globals; assigning a name that
// is none of these makes a variable of the session, so that nothing leaks into the app.
// Three front ends share it: [Terminal] with a line editor, [Pipe] for scripts, and
// [Listen] with [Attach] over a unix socket.
//
// The package does not know how an app is loaded or served; a [Host] tells it.
package repl
