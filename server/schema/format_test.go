package schema_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"rws/server/schema"
)

func label(n int) string { return strings.Repeat("a", n) }

// Every type that is text of one form, at its borders.
var formats = []struct {
	spec      string
	good, bad []string
}{
	{"email", []string{
		"ann@example.com", "a.b+c@x-y.co", "!#$%&'*+/=?^_`{|}~-@a.ee", "ANN@EXAMPLE.COM", "a@b.c.d",
		label(64) + "@example.com",
	}, []string{
		"ann", "@example.com", "ann@", "ann@localhost", "ann@@x.com", "ann@x@y.com", ".ann@x.com", "ann.@x.com", "a..b@x.com",
		"ann @x.com", "ann@x..com", "ann@-x.com", "ann@1.2.3.4", "ann@[1.2.3.4]", `"ann"@x.com`, "õ@x.com", "ann@x.com\n", "ann@x.com.",
		label(65) + "@example.com", "ann@" + strings.Repeat(label(60)+".", 4) + "example.com",
	}},
	{"url", []string{
		"https://example.com", "http://example.com/", "HTTPS://Example.com:8443/a/b?c=d&e[]=%C3%B5#f", "http://127.0.0.1:1", "http://[::1]:65535/",
		"http://localhost/", "https://xn--un-tka.ee", "http://example.com:/",
	}, []string{
		"", "example.com", "//example.com", "ftp://example.com", "javascript:alert(1)", "https:", "https://", "https:///a", "https:example.com",
		"https://ann@example.com", "https://ann:x@example.com", "https://example.com:0", "https://example.com:65536", "https://example.com:x",
		"https://exa mple.com", "https://example.com/a b", "https://example.com/%zz", "https://example.com/?%1", "https://example.com/õ",
		"https://example.com/\n", "https://-x.com", "https://1.2.3", "https://[fe80::1%25eth0]/", " https://example.com", "https://example.com/\\x",
		"https://example.com/<b>",
	}},
	{"uuid", []string{
		"123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000", "00000000-0000-0000-0000-000000000000",
		"019535d9-3df7-79fb-b466-fa907fa17f9e",
	}, []string{
		"123e4567e89b12d3a456426614174000", "{123e4567-e89b-12d3-a456-426614174000}", "123e4567-e89b-12d3-a456-42661417400",
		"123e4567-e89b-12d3-a456-42661417400g", "123e4567-e89b-12d3-a4560426614174000", "-23e4567-e89b-12d3-a456-426614174000",
	}},
	{"slug", []string{"a", "0", "my-first-note", "a-1"}, []string{"-a", "a-", "a--b", "A", "a_b", "a b", "õ", "-"}},
	{"date", []string{"2026-01-31", "2024-02-29", "2000-02-29", "0000-01-01", "9999-12-31", "2026-04-30"}, []string{
		"2026-1-31", "2026-02-29", "1900-02-29", "2026-04-31", "2026-00-01", "2026-13-01", "2026-01-00", "2026-01-32", "2026/01/31",
		"20260131", "2026-01-31T00:00:00Z", "026-01-311", "+026-01-31", "2026-01-3x",
	}},
	{"time", []string{"00:00", "23:59", "13:45:59", "13:45:00.5", "13:45:00.123456789"}, []string{
		"24:00", "9:00", "13:60", "13:45:60", "13:45:", "13:45:00.", "13:45:00.1234567890", "13:45:00,5", "13:45Z", "13:4", "13-45", "-1:00", "13:45:0x",
	}},
	{"datetime", []string{
		"2026-01-31T13:45:00Z", "2026-01-31T13:45:00.5+02:00", "2026-01-31T00:00:00-23:59", "2026-01-31T13:45:00.123456789Z",
	}, []string{
		"2026-01-31", "2026-01-31T13:45:00", "2026-01-31T13:45Z", "2026-01-31 13:45:00Z", "2026-01-31t13:45:00z", "2026-01-31T9:45:00ZZ",
		"2026-01-31T13:45:60Z", "2026-02-30T13:45:00Z", "2026-01-31T13:45:00+24:00", "2026-01-31T13:45:00+0200", "2026-01-31T13:45:00,5Z",
		"2026-01-31T13:45:00.Z", "2026-01-31T+13:45:00", "2026-01-31T13:45:00Z+02:00", "2026-01-31T24:00:00Z",
	}},
	{"ip", []string{"192.0.2.1", "2001:db8::1", "::", "::ffff:192.0.2.1"}, []string{
		"192.0.2", "192.0.2.256", "192.0.2.01", "fe80::1%eth0", "[::1]", "192.0.2.1:80", "192.0.2.0/24", "localhost",
	}},
	{"hostname", []string{
		"localhost", "www.example.com", "a-b.c", "1.example", "xn--un-tka.ee", label(63) + ".com", strings.Repeat(label(62)+".", 4)[:251] + ".a",
	}, []string{
		"-a.com", "a-.com", "a..b", ".a", "a.", "a_b", "1.2.3.4", "127", label(64) + ".com", "õ.ee", "a b", strings.Repeat(label(62)+".", 4) + "aa",
	}},
	{"decimal", []string{"0", "-0.00", "12.50", "123456789012345678901234567890.12", "-1", strings.Repeat("9", 64)}, []string{
		".5", "5.", "+1", "007", "1e3", "1,5", "0x1", "--1", "-", "1 ", "NaN", strings.Repeat("9", 65),
	}},
	{"decimal -0.5..99.90", []string{"-0.5", "-0.50", "99.9", "99.900000", "0"}, []string{"-0.51", "99.91", "100"}},
	{"enum a|'b c'|ä", []string{"a", "b c", "ä"}, []string{"b", "A", "a|b c", "ab"}},
	{"string", []string{" a ", "õ", "a\nb", "\u200b", "\U0001f600"}, []string{"\x00", "a\x00b", "\xff", "\xed\xa0\x80"}},
	{"string 2..3", []string{"ab", "abc", "õõ", "õõõ", "\U0001f600\U0001f600"}, []string{"a", "õ", "abcd"}},
	{"string /^[a-z]+$/ 1..3", []string{"a", "abc"}, []string{"A", "abcd", "a\n"}},
	{"email ..15", []string{"ann@example.com"}, []string{"anna@example.com"}},
}

func TestTextTypes(t *testing.T) {
	for _, test := range formats {
		o := declare(t, "f", test.spec)
		for _, s := range test.good {
			for source, check := range bothWays(o) {
				if out, errs := check(s); len(errs) > 0 || out["f"] != s {
					t.Errorf("%s: %s %q: %v, %v", test.spec, source, s, out["f"], errs)
				}
			}
		}
		for _, s := range test.bad {
			for source, check := range bothWays(o) {
				out, errs := check(s)
				if len(errs) != 1 || errs[0].Path != "f" || errs[0].Message == "" || out != nil {
					t.Errorf("%s: %s %q: %v, %v", test.spec, source, s, out, errs)
				}
			}
		}
	}
}

// bothWays checks one value as text and as JSON.
func bothWays(o *schema.Object) map[string]func(string) (map[string]any, schema.Errors) {
	return map[string]func(string) (map[string]any, schema.Errors){
		"text": func(s string) (map[string]any, schema.Errors) {
			return o.CheckStrings(func(string) []string { return []string{s} })
		},
		"json": func(s string) (map[string]any, schema.Errors) { return o.Check(map[string]any{"f": s}) },
	}
}

func TestPatternsInJSONSchemaSayTheSame(t *testing.T) {
	for _, test := range formats {
		pattern, ok := parse(t, test.spec).JSONSchema()["pattern"].(string)
		if !ok || strings.Contains(test.spec, " ") {
			continue
		}
		re := regexp.MustCompile(pattern)
		for _, s := range test.good {
			if !re.MatchString(s) {
				t.Errorf("%s: %s does not match %q", test.spec, pattern, s)
			}
		}
		for _, s := range test.bad {
			if re.MatchString(s) && len(s) <= 64 {
				t.Errorf("%s: %s matches %q", test.spec, pattern, s)
			}
		}
	}
}

func FuzzDatetime(f *testing.F) {
	for _, test := range formats {
		if test.spec == "datetime" || test.spec == "date" {
			for _, s := range append(test.good, test.bad...) {
				f.Add(s)
			}
		}
	}
	o := declare(f, "f", "datetime")
	f.Fuzz(func(t *testing.T, s string) {
		if _, errs := o.Check(map[string]any{"f": s}); len(errs) > 0 {
			return
		}
		if _, err := time.Parse(time.RFC3339, s); err != nil {
			t.Errorf("%q is a datetime, but %v", s, err)
		}
	})
}
