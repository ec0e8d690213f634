package jwt

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	lib "github.com/golang-jwt/jwt/v5"
)

// Claims are what a token says, as JSON has it: map[string]any, []any, string, bool, nil.
// Numbers are int64 if they are written as integers and fit, else float64, and so exact up to
// 2^63; an integer beyond that is a string of its digits.
type Claims map[string]any

var _ lib.Claims = Claims{}

// maxDate is the end of the year 9999: what is later is a mistake, such as milliseconds.
const maxDate = 253402300799

func decodeClaims(payload []byte) (Claims, error) {
	claims, err := decodeObject(payload)
	if err != nil {
		return nil, fmt.Errorf("%w: the claims are no JSON object: %w", ErrMalformed, err)
	}
	return claims, nil
}

// decodeObject reads a JSON object with exact integers; names that occur twice are an error.
func decodeObject(text []byte) (map[string]any, error) {
	var object map[string]any
	if err := json.Unmarshal(text, &object, json.WithUnmarshalers(json.UnmarshalFromFunc(decodeNumber))); err != nil {
		return nil, err
	}
	if object == nil {
		return nil, errors.New("it is null")
	}
	return object, nil
}

// decodeNumber reads numbers and leaves the rest to the decoder.
func decodeNumber(d *jsontext.Decoder, v *any) error {
	if d.PeekKind() != '0' {
		return errors.ErrUnsupported
	}
	text, err := d.ReadValue()
	if err != nil {
		return err
	}
	*v, err = number(string(text))
	return err
}

func number(text string) (any, error) {
	if strings.ContainsAny(text, ".eE") {
		return strconv.ParseFloat(text, 64) // an error when it is out of range
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	return text, nil
}

// date reads a NumericDate; nil means that there is none.
func (c Claims) date(name string) (*lib.NumericDate, error) {
	value, ok := c[name]
	if !ok {
		return nil, nil
	}
	var seconds float64
	switch n := value.(type) {
	case int64:
		seconds = float64(n)
	case float64:
		seconds = n
	default:
		return nil, fmt.Errorf("%s is no number of seconds: %w", name, lib.ErrInvalidType)
	}
	if seconds < 0 || seconds > maxDate {
		return nil, fmt.Errorf("%s is %v, which is no time in seconds: %w", name, value, lib.ErrInvalidType)
	}
	whole, part := math.Modf(seconds)
	return &lib.NumericDate{Time: time.Unix(int64(whole), int64(part*1e9))}, nil
}

// GetExpirationTime is exp; nil when there is none.
func (c Claims) GetExpirationTime() (*lib.NumericDate, error) { return c.date("exp") }

// GetNotBefore is nbf; nil when there is none.
func (c Claims) GetNotBefore() (*lib.NumericDate, error) { return c.date("nbf") }

// GetIssuedAt is iat; nil when there is none.
func (c Claims) GetIssuedAt() (*lib.NumericDate, error) { return c.date("iat") }

// GetIssuer is iss.
func (c Claims) GetIssuer() (string, error) { return c.text("iss") }

// GetSubject is sub.
func (c Claims) GetSubject() (string, error) { return c.text("sub") }

func (c Claims) text(name string) (string, error) {
	value, ok := c[name]
	text, isText := value.(string)
	if ok && !isText {
		return "", fmt.Errorf("%s is no text: %w", name, lib.ErrInvalidType)
	}
	return text, nil
}

// GetAudience is aud, which is one text or a list.
func (c Claims) GetAudience() (lib.ClaimStrings, error) {
	list, ok := texts(c["aud"])
	if _, there := c["aud"]; there && !ok {
		return nil, fmt.Errorf("aud is neither a text nor a list of texts: %w", lib.ErrInvalidType)
	}
	return list, nil
}

// texts reads one text or a list of them.
func texts(value any) ([]string, bool) {
	switch v := value.(type) {
	case string:
		return []string{v}, true
	case []any:
		list := make([]string, len(v))
		for i, item := range v {
			var ok bool
			if list[i], ok = item.(string); !ok {
				return nil, false
			}
		}
		return list, true
	}
	return nil, false
}

// Scopes are what the token is for: scope, texts with spaces between them (RFC 8693, RFC 9068),
// or scp, which is the same or a list, at other providers.
func (c Claims) Scopes() []string {
	for _, name := range []string{"scope", "scp"} {
		if text, ok := c[name].(string); ok {
			return strings.Fields(text)
		}
		if list, ok := texts(c[name]); ok {
			return list
		}
	}
	return nil
}

// HasScope reports whether scope is one of [Claims.Scopes], and allocates nothing for it.
func (c Claims) HasScope(scope string) bool {
	for _, name := range []string{"scope", "scp"} {
		if text, ok := c[name].(string); ok {
			return hasField(text, scope)
		}
		if list, ok := texts(c[name]); ok {
			return slices.Contains(list, scope)
		}
	}
	return false
}

func hasField(text, wanted string) bool {
	for field := range strings.FieldsSeq(text) {
		if field == wanted {
			return true
		}
	}
	return false
}

// Texts is the text or the texts at a path such as "roles", "realm_access.roles" or
// "https://example.com/roles": a claim of that whole name comes first. Nothing else counts.
func (c Claims) Texts(path string) []string {
	if value, ok := c[path]; ok {
		list, _ := texts(value)
		return list
	}
	var value any = map[string]any(c)
	for name := range strings.SplitSeq(path, ".") {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	list, _ := texts(value)
	return list
}
