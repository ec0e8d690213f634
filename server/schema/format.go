package schema

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// The checks of the text types, by hand: they are on the hot path, and the standard parsers take more than the RFCs
// (time.Parse takes "T9:00:00Z", url.Parse takes blanks).

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

func isAlnum(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// digits counts the decimal digits at the start of s.
func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

func isInt(s string) bool {
	s = strings.TrimPrefix(s, "-")
	return s != "" && digits(s) == len(s)
}

// isNumber is the number of RFC 8259 §6, leading zeros allowed.
func isNumber(s string) bool {
	mantissa, exponent, ok := cutExponent(s)
	if ok && !isInt(strings.TrimPrefix(exponent, "+")) {
		return false
	}
	whole, fraction, dot := strings.Cut(mantissa, ".")
	return isInt(whole) && (!dot || fraction != "" && digits(fraction) == len(fraction))
}

func cutExponent(s string) (mantissa, exponent string, found bool) {
	i := strings.IndexAny(s, "eE")
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func isDecimal(s string) bool {
	if len(s) > maxDecimal || strings.ContainsAny(s, "eE") || !isNumber(s) {
		return false
	}
	s = strings.TrimPrefix(s, "-")
	return s[0] != '0' || len(s) == 1 || s[1] == '.'
}

func isEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || len(s) > 254 || len(local) > 64 || !isHostname(domain) || !strings.Contains(domain, ".") {
		return false
	}
	after := byte('.')
	for i := range len(local) {
		c := local[i]
		if c == '.' && after == '.' || !isAlnum(c) && strings.IndexByte(".!#$%&'*+/=?^_`{|}~-", c) < 0 {
			return false
		}
		after = c
	}
	return after != '.'
}

func isHostname(s string) bool {
	if len(s) > 253 {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return false
		}
		last = label
	}
	return digits(last) < len(last)
}

func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if !isAlnum(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}

func isIP(s string) bool {
	addr, err := netip.ParseAddr(s)
	return err == nil && addr.Zone() == ""
}

func isURL(s string) bool {
	if !isURIText(s) {
		return false
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return false
	}
	if host := u.Hostname(); !isHostname(host) && !isIP(host) {
		return false
	}
	if u.Port() == "" {
		return true
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
}

// isURIText tells whether s has only the characters of RFC 3986 §2, with whole percent triplets.
func isURIText(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case isAlnum(c) || strings.IndexByte("-._~:/?#[]@!$&'()*+,;=", c) >= 0:
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
		default:
			return false
		}
	}
	return true
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash && s[i] != '-' || !dash && !isHex(s[i]) {
			return false
		}
	}
	return true
}

func isSlug(s string) bool {
	after := byte('-')
	for i := range len(s) {
		c := s[i]
		if c == '-' && after == '-' || c != '-' && !isDigit(c) && (c < 'a' || c > 'z') {
			return false
		}
		after = c
	}
	return after != '-'
}

// number2 reads the two digits at s[i:], or -1.
func number2(s string, i int) int {
	if len(s) < i+2 || digits(s[i:i+2]) != 2 {
		return -1
	}
	return int(s[i]-'0')*10 + int(s[i+1]-'0')
}

func isDate(s string) bool {
	if len(s) != len("2006-01-02") || digits(s) != 4 || s[4] != '-' || s[7] != '-' {
		return false
	}
	year, month, day := number2(s, 0)*100+number2(s, 2), number2(s, 5), number2(s, 8)
	return month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

func isTime(s string) bool {
	return isMinute(s) || isSecond(s)
}

// isMinute is hh:mm.
func isMinute(s string) bool {
	if len(s) != len("15:04") || s[2] != ':' {
		return false
	}
	hour, minute := number2(s, 0), number2(s, 3)
	return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59
}

// isSecond is hh:mm:ss with up to nine digits of a fraction: the nanoseconds of time.Time.
func isSecond(s string) bool {
	if len(s) < len("15:04:05") || !isMinute(s[:5]) || s[5] != ':' {
		return false
	}
	if second := number2(s, 6); second < 0 || second > 59 {
		return false
	}
	fraction, dot := strings.CutPrefix(s[8:], ".")
	if !dot {
		return fraction == ""
	}
	return len(fraction) >= 1 && len(fraction) <= 9 && digits(fraction) == len(fraction)
}

func isDatetime(s string) bool {
	if len(s) < len("2006-01-02T15:04:05Z") || !isDate(s[:10]) || s[10] != 'T' {
		return false
	}
	clock, utc := strings.CutSuffix(s[11:], "Z")
	if utc {
		return isSecond(clock)
	}
	zone := len(clock) - len("+00:00")
	return zone > 0 && (clock[zone] == '+' || clock[zone] == '-') && isMinute(clock[zone+1:]) && isSecond(clock[:zone])
}
