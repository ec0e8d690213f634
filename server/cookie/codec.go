package cookie

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"rws/server/secret"
)

// A Codec makes values that come back as they were or not at all: the name of the cookie and
// the time it ends are bound in. Safe for concurrent use; made by [NewCodec].
type Codec struct {
	signed, encrypted *secret.Purpose
	now               func() time.Time
}

// NewCodec returns a codec with the keys of an app. The first key is used, all are tried.
func NewCodec(keys *secret.Keys) *Codec {
	return &Codec{signed: keys.For("cookie.signed"), encrypted: keys.For("cookie.encrypted"), now: time.Now}
}

// WithClock returns a codec with the same keys and another clock, for tests.
func (c *Codec) WithClock(now func() time.Time) *Codec {
	return &Codec{signed: c.signed, encrypted: c.encrypted, now: now}
}

// Sign returns the text of a signed cookie: the value, readable by all, the Unix second at
// which it ends in base 36 ("0" for never), and an HMAC-SHA256 in base64, between dots. Give
// the cookie the same maxAge; zero never ends, as long as the key is kept. A value that needs
// encoding is encoded by [Set].
func (c *Codec) Sign(name, value string, maxAge time.Duration) string {
	body := value + "." + strconv.FormatInt(c.ends(maxAge), 36)
	return body + "." + base64.RawURLEncoding.EncodeToString(c.signed.Sign(name, []byte(body)))
}

// Verify returns the value that Sign was given for a cookie of this name. Whatever is missing,
// altered, expired, signed for another name or by others is not there: "", false.
func (c *Codec) Verify(name, text string) (string, bool) {
	end := strings.LastIndexByte(text, '.')
	if end < 0 || len(text) > MaxSize {
		return "", false
	}
	body := text[:end]
	mac, err := base64.RawURLEncoding.Strict().DecodeString(text[end+1:])
	if err != nil || !c.signed.Verify(name, []byte(body), mac) {
		return "", false
	}
	// From here on the text is our own.
	dot := strings.LastIndexByte(body, '.')
	if dot < 0 {
		return "", false
	}
	at, err := strconv.ParseInt(body[dot+1:], 36, 64)
	if err != nil || c.over(at) {
		return "", false
	}
	return body[:dot], true
}

// Encrypt returns the text of an encrypted cookie: AES-256-GCM in base64, with the end inside
// and the name authenticated. maxAge as for Sign.
func (c *Codec) Encrypt(name, value string, maxAge time.Duration) string {
	plain := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(value)), uint64(c.ends(maxAge)))
	return base64.RawURLEncoding.EncodeToString(c.encrypted.Seal(name, append(plain, value...)))
}

// Decrypt returns the value that Encrypt was given for a cookie of this name, as Verify does.
func (c *Codec) Decrypt(name, text string) (string, bool) {
	if len(text) > MaxSize {
		return "", false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return "", false
	}
	plain, ok := c.encrypted.Open(name, sealed)
	if !ok || len(plain) < 8 || c.over(int64(binary.BigEndian.Uint64(plain))) {
		return "", false
	}
	return string(plain[8:]), true
}

// ends returns the Unix second at which something of this age ends, 0 for never.
func (c *Codec) ends(maxAge time.Duration) int64 {
	if maxAge <= 0 {
		return 0
	}
	return c.now().Add(min(maxAge, century) + time.Second - 1).Unix()
}

func (c *Codec) over(end int64) bool { return end != 0 && c.now().Unix() >= end }
