package luabind_test

import (
	"strings"
	"testing"

	"rws/luabind"
)

func TestURL(t *testing.T) {
	scripts(t, map[string]string{
		"parse": `
			list(rws.url.parse("https://ann:pw@example.com:8443/a%2Fb/c?q=lua&tag=x&tag=y#top"), {
				scheme = "https", user = "ann", password = "pw", host = "example.com", port = 8443,
				path = "/a%2Fb/c", query = { q = "lua", tag = { "x", "y" } }, fragment = "top" })
			list(rws.url.parse("/just/a/path"), { path = "/just/a/path", query = {} })
			list(rws.url.parse("http://[::1]:80"), { scheme = "http", host = "::1", port = 80, path = "", query = {} })`,
		"what is no URL": `
			raises("url", "this is no URL", rws.url.parse, "http://a b/")
			raises("url", "write the scheme before the host", rws.url.parse, "localhost:3000/x")
			raises("url", "the port 70000 is not one", rws.url.parse, "http://a:70000/")
			raises("url", "the query of the URL", rws.url.parse, "/?a=%zz")
			local ok, err = rws.try(rws.url.parse, "http://ann:secret@a b/")
			assert(not ok and not err.message:find("secret"), err.message)`,
		"build": `
			eq(rws.url.build { scheme = "https", host = "example.com", path = "/a b", query = { q = "x&y", n = 1 } },
				"https://example.com/a%20b?n=1&q=x%26y")
			eq(rws.url.build { path = "/a%2Fb" }, "/a%2Fb")
			eq(rws.url.build { scheme = "http", host = "::1", port = 80, path = "x" }, "http://[::1]:80/x")
			eq(rws.url.build { scheme = "https", host = "h", user = "a", password = "p@" }, "https://a:p%40@h")`,
		"what cannot be built": `
			raises("option", 'unknown option "hots" (did you mean "host"?)', rws.url.build, { hots = "x" })
			raises("url", "begins with two slashes", rws.url.build, { path = "//evil.example" })
			raises("url", 'can\'t have a "/"', rws.url.build, { scheme = "http", host = "a/b" })
			raises("url", "needs a host", rws.url.build, { scheme = "javascript", path = "alert(1)" })
			raises("url", "a port needs a host", rws.url.build, { port = 80 })
			raises("url", "65535", rws.url.build, { host = "a", port = 70000 })
			raises("url", "%25", rws.url.build, { path = "/50%" })
			raises("argument", "table expected", rws.url.build, "x")`,
		"components": `
			eq(rws.url.encode("a b/ü&+"), "a%20b%2F%C3%BC%26%2B")
			eq(rws.url.decode("a%20b+c"), "a b+c")
			raises("encoding", "a percent sign itself", rws.url.decode, "50%")`,
		"queries": `
			eq(rws.url.query_encode { b = "x y", a = { 1, 2 }, c = true }, "a=1&a=2&b=x+y&c=true")
			list(rws.url.query_decode("?a=1&b=x+y&a=2"), { a = { "1", "2" }, b = "x y" })
			raises("argument", 'field "a"', rws.url.query_encode, { a = { b = 1 } })
			raises("argument", "values have names", rws.url.query_encode, { "x" })
			eq(rws.url.query_encode { at = rws.time.at(0) }, "at=1970-01-01T00%3A00%3A00.000Z")`,
		"join": `
			eq(rws.url.join("https://a.example/x/y", "../z?q=1"), "https://a.example/z?q=1")
			eq(rws.url.join("https://a.example/x", "//b.example/"), "https://b.example/")
			eq(rws.url.join("/x/y", "z"), "/x/z")`,
	})
}

// FuzzURLBuild holds that what is built is read as the parts it was built of.
func FuzzURLBuild(f *testing.F) {
	f.Add("https", "example.com", "/a%2Fb c", "top", 443)
	f.Add("", "", "//evil.example", "", 0)
	f.Add("http", "::1", "x", "", 80)
	f.Add("javascript", "a", "alert(1)", "", 1)
	f.Add("http", "a\\@b", "/", "", 1)
	f.Fuzz(func(t *testing.T, scheme, host, path, fragment string, port int) {
		text, err := luabind.BuildURL(scheme, host, path, fragment, port)
		if err != nil {
			return
		}
		u, err := luabind.ReadURL(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if u.Scheme != strings.ToLower(scheme) || !strings.EqualFold(u.Hostname(), host) || u.User != nil || u.Fragment != fragment || u.RawQuery != "" {
			t.Errorf("%q was built of scheme %q, host %q, path %q, fragment %q", text, scheme, host, path, fragment)
		}
	})
}

func FuzzURLComponents(f *testing.F) {
	f.Add("a b/ü&+%")
	f.Add("\x00\xff")
	f.Fuzz(func(t *testing.T, text string) {
		encoded := luabind.EscapeComponent(text)
		if strings.ContainsAny(encoded, " +&=?#/:@'\"<>\n\x00") {
			t.Errorf("%q has more than a component may", encoded)
		}
		if back, err := luabind.UnescapeComponent(encoded); err != nil || back != text {
			t.Errorf("%q became %q, %v", text, back, err)
		}
		_, _ = luabind.UnescapeComponent(text)
		_, _ = luabind.ReadURL(text)
	})
}
