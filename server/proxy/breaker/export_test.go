package breaker

// For tests of what has no name outside.
var (
	ParseRecord  = parseRecord
	FormatRecord = formatRecord
)
