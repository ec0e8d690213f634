package luabind_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"rws/luabind"
)

func TestFS(t *testing.T) {
	scripts(t, map[string]string{
		"what is written is read": `
			rws.fs.write("notes/a.txt", "one\0two")
			eq(rws.fs.read("notes/a.txt"), "one\0two")
			rws.fs.write("notes/a.txt", "new")
			eq(rws.fs.read("notes/a.txt"), "new")
			eq(#rws.fs.list("notes"), 1) -- nothing is left beside it`,
		"append": `
			rws.fs.append("log/a.txt", "one\n") rws.fs.append("log/a.txt", "two\n")
			eq(rws.fs.read("log/a.txt"), "one\ntwo\n")`,
		"what is not there": `
			raises("not_found", "rws.fs.read: ", rws.fs.read, "none.txt")
			raises("not_found", 'did you mean "checks.lua"?', rws.fs.read, "check.lua")
			raises("not_found", "", rws.fs.lines, "none.txt")
			raises("not_found", "", rws.fs.open, "none.txt")
			raises("not_found", "", rws.fs.remove, "none.txt")
			raises("not_found", "", rws.fs.remove, "none", { recursive = true })
			raises("not_found", "", rws.fs.list, "none")
			raises("not_found", "", rws.fs.rename, "none", "new")
			raises("not_found", "", rws.fs.copy, "none", "new")
			eq(rws.fs.stat("none"), nil)
			eq(rws.fs.exists("none"), false)
			list(rws.fs.glob("none/*"), {})`,
		"the app's folder is all there is": `
			for _, path in ipairs { "../x", "/etc/passwd", "a/../../x", ".." } do
				raises("permission", "", rws.fs.read, path)
				raises("permission", "", rws.fs.write, path, "x")
				raises("permission", "", rws.fs.exists, path)
				raises("permission", "", rws.fs.list, path)
				raises("permission", "", rws.fs.remove, path, { recursive = true })
				raises("permission", "", rws.fs.mkdir, path)
				raises("permission", "", rws.fs.copy, "checks.lua", path)
				raises("permission", "", rws.fs.rename, "checks.lua", path)
				raises("permission", "", rws.fs.glob, path .. "/*")
			end
			raises("permission", "app:config { fs = { allow = { … } } }", rws.fs.read, "../x")
			raises("permission", "the whole folder of the app", rws.fs.remove, ".", { recursive = true })
			raises("io", "the path is empty", rws.fs.read, "")`,
		"stat": `
			rws.fs.write("a.txt", "12345")
			local s = rws.fs.stat("a.txt")
			eq(s.name, "a.txt") eq(s.type, "file") eq(s.size, 5)
			assert(s.modified + "1h" > rws.now())
			rws.fs.mkdir("d")
			eq(rws.fs.stat("d").type, "folder")
			eq(rws.fs.exists("d"), true)`,
		"list": `
			rws.fs.write("d/b.txt", "bb") rws.fs.write("d/a.txt", "a") rws.fs.mkdir("d/c")
			local names = {}
			for _, f in ipairs(rws.fs.list("d")) do names[#names + 1] = f.name .. " " .. f.type end
			list(names, { "a.txt file", "b.txt file", "c folder" })
			eq(rws.json.encode(rws.fs.list("d/c")), "[]")
			raises("io", "", rws.fs.list, "d/a.txt")`,
		"glob": `
			rws.fs.write("p/b.md", "") rws.fs.write("p/a.md", "") rws.fs.write("p/.c.md", "") rws.fs.write("q/d.md", "")
			list(rws.fs.glob("p/*.md"), { "p/a.md", "p/b.md" })
			list(rws.fs.glob("*/*.md"), { "p/a.md", "p/b.md", "q/d.md" })
			list(rws.fs.glob("p/.*"), { "p/.c.md" })
			list(rws.fs.glob("p/a.md"), { "p/a.md" })
			list(rws.fs.glob("*.lua"), { "checks.lua" })
			raises("pattern", "", rws.fs.glob, "p/[")`,
		"folders": `
			rws.fs.mkdir("a/b/c") rws.fs.mkdir("a/b/c")
			eq(rws.fs.stat("a/b/c").type, "folder")
			raises("not_empty", "{ recursive = true } removes what is in it too", rws.fs.remove, "a")
			rws.fs.remove("a/b/c")
			rws.fs.remove("a", { recursive = true })
			eq(rws.fs.exists("a"), false)
			rws.fs.write("f", "")
			raises("io", "", rws.fs.mkdir, "f/x")
			rws.fs.mkdir("d")
			raises("io", "this is a folder; rws.fs.list(path)", rws.fs.read, "d")
			raises("io", "this is a folder", rws.fs.write, "d", "x")`,
		"rename and copy": `
			rws.fs.write("a", "1")
			rws.fs.rename("a", "d/b")
			eq(rws.fs.exists("a"), false) eq(rws.fs.read("d/b"), "1")
			rws.fs.copy("d/b", "e/c")
			eq(rws.fs.read("e/c"), "1") eq(rws.fs.read("d/b"), "1")
			rws.fs.write("x", "2") rws.fs.rename("x", "d/b")
			eq(rws.fs.read("d/b"), "2")`,
		"lines": `
			rws.fs.write("a", "one\r\ntwo\n\nfour")
			local got = {}
			for line in rws.fs.lines("a") do got[#got + 1] = line end
			list(got, { "one", "two", "", "four" })
			rws.fs.write("b", "")
			for line in rws.fs.lines("b") do error(line) end
			rws.fs.write("c", ("x"):rep(200000) .. "\n" .. ("y\n"):rep(100000))
			local n, bytes = 0, 0
			for line in rws.fs.lines("c") do n = n + 1 bytes = bytes + #line end
			eq(n, 100001) eq(bytes, 300000)`,
		"an open file": `
			local f = rws.fs.open("a", "w+")
			eq(f:write("hello ", 42, "\nnext\n"), f)
			eq(f:seek(0), 0)
			eq(f:read(5), "hello")
			eq(f:lines()(), " 42")
			eq(f:seek(0, "current"), 9) -- not where reading ahead has come to
			f:write("NEXT")
			eq(f:seek(-5, "end"), 9)
			eq(f:read(), "NEXT\n") eq(f:read(), nil) eq(f:read(1), nil)
			f:close() f:close()
			eq(tostring(f), "a")
			raises("closed", "a: the file is closed", function() f:read() end)
			raises("argument", '"x" is no mode', rws.fs.open, "a", "x")
			raises("argument", 'did you mean "start"?', function() rws.fs.open("a"):seek(0, "star") end)
			raises("argument", "from 1 to", function() rws.fs.open("a"):read(0) end)`,
		"modes": `
			rws.fs.write("a", "12")
			local f = rws.fs.open("a", "ab") f:write("3") f:close()
			eq(rws.fs.read("a"), "123")
			f = rws.fs.open("a", "r+") f:write("0") f:close()
			eq(rws.fs.read("a"), "023")
			raises("io", "", function() rws.fs.open("a"):write("x") end)
			f = rws.fs.open("a", "w") f:close()
			eq(rws.fs.read("a"), "")`,
		"temp": `
			local path = rws.fs.temp(".png")
			eq(path:match("%.png$"), ".png")
			eq(rws.fs.stat(path).size, 0)
			assert(path ~= rws.fs.temp(".png"))
			raises("argument", "a suffix such as", rws.fs.temp, "/../x")`,
		"misuse": `
			raises("argument", "rws.fs.write: argument 2: string expected, got nil", rws.fs.write, "a")
			raises("option", 'unknown option "recursiv" (did you mean "recursive"?)', rws.fs.remove, "a", { recursiv = true })`,
	})
}

func TestFSAllow(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "a.txt"), []byte("outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	allow := func(o *luabind.Options) {
		o.Environ = []string{"RWS_FS_ALLOW=" + outside, "OUT=" + filepath.ToSlash(outside)}
	}
	script(t, `
		eq(rws.fs.read(env.OUT .. "/a.txt"), "outside")
		rws.fs.write(env.OUT .. "/d/b.txt", "new")
		list(rws.fs.glob(env.OUT .. "/*/*.txt"), { env.OUT .. "/d/b.txt" })
		list(rws.fs.glob(env.OUT .. "/*.txt"), { env.OUT .. "/a.txt" })
		rws.fs.rename(env.OUT .. "/a.txt", env.OUT .. "/c.txt")
		raises("io", "copy the file and remove it", rws.fs.rename, env.OUT .. "/c.txt", "c.txt")
		rws.fs.copy(env.OUT .. "/c.txt", "c.txt")
		eq(rws.fs.read("c.txt"), "outside")
		raises("permission", "", rws.fs.read, env.OUT .. "/../x")
		raises("permission", "the whole folder", rws.fs.remove, env.OUT, { recursive = true })`, allow)
}

func TestFSLinksDoNotLeadOut(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("making links needs a privilege on Windows")
	}
	script(t, `
		raises("permission", "leads out of the folder", rws.fs.read, "link")
		raises("permission", "leads out of the folder", rws.fs.write, "folder/x", "y")
		rws.fs.remove("link")`, func(o *luabind.Options) {
		secret := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(secret, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(secret, filepath.Join(o.Dir, "link")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Dir(secret), filepath.Join(o.Dir, "folder")); err != nil {
			t.Fatal(err)
		}
	})
}

func TestFSKeepsTheModeOfAFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	var file string
	script(t, `rws.fs.write("a", "new")`, func(o *luabind.Options) {
		file = filepath.Join(o.Dir, "a")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
}

func TestFSTempEndsWithItsRequest(t *testing.T) {
	var dir string
	p := script(t, `app:get("/", function(c) return rws.fs.temp() end)`, func(o *luabind.Options) { dir = o.Dir })
	answer := ask(t.Context(), t, p)
	if _, err := os.Stat(filepath.Join(dir, string(answer.Body))); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", answer.Body, err)
	}
}

// TestFSOneHandleForTwo holds that functions that share a handle get each line once.
func TestFSOneHandleForTwo(t *testing.T) {
	script(t, `
		rws.fs.write("a", ("line\n"):rep(50000))
		local f = rws.fs.open("a")
		local n = 0
		local function count() for line in f:lines() do eq(line, "line") n = n + 1 end end
		rws.parallel(count, count, count)
		eq(n, 50000)`)
}
