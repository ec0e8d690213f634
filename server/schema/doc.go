// Package schema is the field mini-language of a route's spec table, and the check of requests against it.
//
// A field is one line of text, parsed once at start and kept as data ([Field], [Object]), so that the same text
// validates requests and describes them ([Object.JSONSchema]):
//
//	int 1.. = 1              a whole number from 1 up, 1 when absent
//	string 1..120            1 to 120 characters
//	date?                    a date that may be absent
//	[string ..20] 1..10      1 to 10 texts of at most 20 characters
//	enum a|b|c = a           one of three texts
//	string /^[a-z]+$/ 1..20  a text that matches an RE2 pattern
//	file image/* ..5mb       an uploaded picture of at most 5 mb
//
// # Grammar
//
// White space (space, tab, line end) may stand between the parts; a bound, a range and a size have none inside.
//
//	spec     = value [ "?" ] [ "=" literal ] .
//	value    = ( list | type [ format ] ) [ range ] .
//	list     = "[" value "]" .                         (items are never optional and have no default)
//	type     = "string" | "int" | "number" | … .       (the table below)
//	format   = pattern | choices | media .             (for string, enum and file, in this order)
//	pattern  = "/" RE2 "/" .                           ("\/" stands for a slash, also inside brackets)
//	choices  = choice { "|" choice } .
//	choice   = word | quoted .
//	media    = mediatype { "|" mediatype } .           ("image/png", "image/*")
//	range    = bound ".." [ bound ] | ".." bound .     (both ends belong to the range)
//	bound    = number [ unit ] .
//	unit     = "b" | "kb" | "mb" | "gb" .              (for file, always written; 1 kb = 1024 b)
//	literal  = word | quoted | "[" [ literal { "," literal } [ "," ] ] "]" .
//	quoted   = "'" text "'" | '"' text '"' .           (a backslash before a quote or a backslash)
//	word     = text without white space .              (in choices also without ? = | [ ] , and quotes;
//	                                                    in list literals without , ] and quotes)
//
// A field with a default is never absent: a "?" beside the default changes nothing and is dropped. The default must
// satisfy the field. Texts take their default quoted or bare, other types bare.
//
// # Types
//
//	type      value in Go  range of    meaning
//	string    string       characters  text, as sent: valid UTF-8 without NUL, never trimmed
//	int       int64        value       a whole number; an open end is ±(2^53-1), see below
//	number    float64      value       a finite IEEE 754 double
//	decimal   string       value       an exact decimal such as 12.50, at most 64 characters; a string in JSON too
//	bool      bool         -           JSON true or false; in text also 1, 0, on, off
//	enum      string       -           one of the listed texts
//	email     string       characters  local@domain as browsers check it (WHATWG HTML, "valid e-mail address"), with
//	                                   a dot in the domain and the lengths of RFC 5321 §4.5.3.1; ASCII, unquoted
//	url       string       characters  absolute http or https URL of RFC 3986 with a host, without user info
//	                                   (RFC 9110 §4.2.4); other letters percent-encoded or as punycode
//	uuid      string       -           RFC 9562 text form, any version, either case
//	slug      string       characters  a-z and 0-9 in words joined by single hyphens
//	date      string       -           RFC 3339 full-date, a day that exists
//	time      string       -           RFC 3339 partial-time, seconds optional as in HTML forms: 13:45, 13:45:00.5
//	datetime  string       -           RFC 3339 date-time with T, and Z or offset; no leap second; [time.Parse] takes it
//	ip        string       -           IPv4 or IPv6 address (RFC 4291 §2.2) without zone
//	hostname  string       characters  RFC 1123 §2.1 name, at most 253 characters, last label not a number
//	file      File         bytes       an uploaded file, with media types it may have
//	object    map          -           any JSON object; with members when made by [ParseNested]
//	any       any          -           any JSON value, null included
//	[T]       []any        items       list of T; at most [MaxItems] items unless the range says more
//
// Values beyond ±(2^53-1) are not exact in Lua, JavaScript and most JSON readers, so an int ends there unless its
// range names the wider bound ("int 0..9223372036854775807"). Such a field may yield any int64: who hands the value
// on to a language with doubles has to pass it as text.
//
// # Checking
//
// [Object.CheckStrings] turns text (query, path, form) into values, [Object.CheckForm] also takes files, and
// [Object.Check] judges decoded JSON, where nothing is converted: "5" is not an int, though 5.0 is. All three report
// every error at once, up to [MaxErrors], and return a fresh map with defaults filled in; an absent optional field is
// a missing key. Free-form parts (object, any) are checked for depth, list length and text, and shared with the input.
//
// Fields and objects are read-only after they are made, and safe for concurrent use.
package schema
