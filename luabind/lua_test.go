package luabind_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"rws/luabind"
	"rws/luabind/fault"
)

// checks is what the scripts of these tests use: eq(got, want), list(got, want) for lists and
// tables, and raises(code, text, fn, …).
const checks = `
local M = {}
function M.eq(got, want)
  if got ~= want then error(("got %s, expected %s"):format(tostring(got), tostring(want)), 2) end
end
local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for k, v in pairs(a) do if not same(v, b[k]) then return false end end
  for k in pairs(b) do if a[k] == nil then return false end end
  return true
end
function M.list(got, want)
  if not same(got, want) then
    error(("got %s, expected %s"):format(rws.json.encode(got), rws.json.encode(want)), 2)
  end
end
function M.raises(code, text, fn, ...)
  local ok, err = rws.try(fn, ...)
  if ok then error("no error; expected " .. code .. ": " .. text, 2) end
  if err.code ~= code or not err.message:find(text, 1, true) then
    error(("got %s: %s; expected %s: %s"):format(tostring(err.code), err.message, code, text), 2)
  end
end
return M
`

// program loads a script in a folder of its own. change may adapt the options.
func program(t testing.TB, source string, change ...func(*luabind.Options)) (*luabind.Program, error) {
	t.Helper()
	o := luabind.Options{File: "app.lua", Dir: t.TempDir(),
		Source: `local C = require "checks" local eq, list, raises = C.eq, C.list, C.raises ` + source}
	for _, f := range change {
		f(&o)
	}
	if err := os.WriteFile(filepath.Join(o.Dir, "checks.lua"), []byte(checks), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := luabind.Load(o)
	if err == nil {
		t.Cleanup(func() { p.Close(t.Context()) })
	}
	return p, err
}

// script runs a script that must not fail.
func script(t testing.TB, source string, change ...func(*luabind.Options)) *luabind.Program {
	t.Helper()
	p, err := program(t, source, change...)
	if e, ok := errors.AsType[*fault.Error](err); ok {
		t.Fatalf("%s\n%s", e, e.Value)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// scripts runs each script as a test of its own.
func scripts(t *testing.T, sources map[string]string, change ...func(*luabind.Options)) {
	t.Helper()
	for name, source := range sources {
		t.Run(name, func(t *testing.T) { script(t, source, change...) })
	}
}

// ask makes a GET request to the program.
func ask(ctx context.Context, t *testing.T, p *luabind.Program) *luabind.Answer {
	t.Helper()
	caller, err := p.Caller()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := caller.Do(ctx, luabind.Call{Method: "GET", Target: "/"})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}
