// Package vm runs Lua in isolates.
//
// An Isolate is one Lua universe: one set of globals and top-level locals. Each
// request, job, tick or REPL line is a Run: a goroutine on a reused Lua thread of
// the isolate. A run holds the isolate's lock while Lua executes and gives it up in
// every Go function that waits (Wait), so that waiting requests cost the others
// nothing and no Lua code is ever preempted. Nothing yields: Lua may wait inside
// pcall, a metamethod, an iterator, a sort comparator or a coroutine.
//
// Lock order: an isolate's lock first, engine locks after; never the reverse. A
// goroutine holds at most one isolate's lock. Values of one isolate never reach
// another.
//
// Guard rails: a run has a deadline and a stall limit. A watchdog per isolate marks
// a run that overstays, and the interpreter raises at its next instruction; pcall
// can't swallow that, because the instruction after it raises again.
package vm
