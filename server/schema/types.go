package schema

import "slices"

// Type is the type of a field, as its spec spells it.
type Type string

// The types; the package comment says what each accepts.
const (
	TypeString   Type = "string"
	TypeInt      Type = "int"
	TypeNumber   Type = "number"
	TypeDecimal  Type = "decimal"
	TypeBool     Type = "bool"
	TypeEnum     Type = "enum"
	TypeEmail    Type = "email"
	TypeURL      Type = "url"
	TypeUUID     Type = "uuid"
	TypeSlug     Type = "slug"
	TypeDate     Type = "date"
	TypeTime     Type = "time"
	TypeDatetime Type = "datetime"
	TypeIP       Type = "ip"
	TypeHostname Type = "hostname"
	TypeFile     Type = "file"
	TypeObject   Type = "object"
	TypeAny      Type = "any"
	TypeList     Type = "list" // spelled [T]
)

// The limits of what a check accepts.
const (
	MaxDepth  = 32        // objects and lists in each other, the input itself being the first
	MaxItems  = 10_000    // items of a list whose range has no upper end
	MaxErrors = 100       // errors of one check; it stops there
	MaxInt    = 1<<53 - 1 // upper end of an int whose range has none; the lower is -MaxInt

	maxDecimal = 64 // characters of a decimal
)

// measure says what the range of a type counts.
type measure int

const (
	noRange measure = iota
	byInt
	byNumber
	byDecimal
	byLength
	byItems
	byBytes
)

// text is what is special about a type whose values are texts of one form.
type text struct {
	valid   func(string) bool
	must    string // the message when it is not valid
	format  string // in JSON Schema
	pattern string // in JSON Schema, where no format says the same
}

type typeInfo struct {
	measure measure
	text    *text
	noRange string // why there is no range and what to do instead
}

// types is the closed set of types that have a name of their own in a spec.
var types = map[Type]*typeInfo{
	TypeString:   {measure: byLength},
	TypeInt:      {measure: byInt},
	TypeNumber:   {measure: byNumber},
	TypeFile:     {measure: byBytes},
	TypeDecimal:  {measure: byDecimal, text: decimalText},
	TypeEmail:    {measure: byLength, text: emailText},
	TypeURL:      {measure: byLength, text: urlText},
	TypeSlug:     {measure: byLength, text: slugText},
	TypeHostname: {measure: byLength, text: hostnameText},
	TypeUUID:     {text: uuidText, noRange: "a uuid always has 36 characters"},
	TypeIP:       {text: ipText, noRange: "compare addresses in the handler"},
	TypeDate:     {text: dateText, noRange: "compare dates in the handler"},
	TypeTime:     {text: timeText, noRange: "compare times in the handler"},
	TypeDatetime: {text: datetimeText, noRange: "compare times in the handler"},
	TypeBool:     {noRange: "a bool is true or false"},
	TypeEnum:     {noRange: `its values are listed: "enum a|b|c"`},
	TypeObject:   {noRange: "give its members instead"},
	TypeAny:      {noRange: "say which type it is, such as int or string"},
}

var (
	decimalText = &text{
		valid:   isDecimal,
		must:    "must be a decimal number such as 12.50",
		pattern: `^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`,
	}
	emailText = &text{
		valid:  isEmail,
		must:   "must be an e-mail address such as ann@example.com",
		format: "email",
	}
	urlText = &text{
		valid:  isURL,
		must:   "must be a web address such as https://example.com/page",
		format: "uri",
	}
	slugText = &text{
		valid:   isSlug,
		must:    "must be lower-case letters, digits and single hyphens, such as my-first-note",
		pattern: `^[a-z0-9]+(-[a-z0-9]+)*$`,
	}
	hostnameText = &text{
		valid:  isHostname,
		must:   "must be a host name such as www.example.com",
		format: "hostname",
	}
	uuidText = &text{
		valid:  isUUID,
		must:   "must be a UUID such as 123e4567-e89b-12d3-a456-426614174000",
		format: "uuid",
	}
	ipText = &text{
		valid: isIP,
		must:  "must be an IP address such as 192.0.2.1 or 2001:db8::1",
	}
	dateText = &text{
		valid:  isDate,
		must:   "must be a date such as 2026-01-31",
		format: "date",
	}
	timeText = &text{
		valid:   isTime,
		must:    "must be a time of day such as 13:45 or 13:45:30",
		pattern: `^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?$`, // "time" means one with a zone
	}
	datetimeText = &text{
		valid:  isDatetime,
		must:   "must be a date and time with its zone such as 2026-01-31T13:45:00Z",
		format: "date-time",
	}
)

// listInfo is for lists, which are spelled with brackets.
var listInfo = &typeInfo{measure: byItems}

// elsewhere are the names that other languages have for a type.
var elsewhere = map[string]string{
	"integer": "int", "long": "int", "float": "number", "double": "number", "numeric": "decimal", "money": "decimal",
	"boolean": "bool", "str": "string", "text": "string", "varchar": "string", "char": "string", "password": "string",
	"mail": "email", "uri": "url", "guid": "uuid", "timestamp": "datetime", "instant": "datetime", "host": "hostname",
	"domain": "hostname", "ipv4": "ip", "ipv6": "ip", "table": "object", "map": "object", "json": "any", "upload": "file",
	"oneof": "enum", "choice": "enum", "array": "[string]", "list": "[string]",
}

// typeNames are the names of the types in alphabetical order.
func typeNames() []string {
	names := make([]string, 0, len(types))
	for t := range types {
		names = append(names, string(t))
	}
	slices.Sort(names)
	return names
}
