package luabind

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
)

// cryptoModule is rws.crypto.
func cryptoModule() bind.Module {
	funcs := []bind.Func{
		bind.Raw("hmac(algorithm, key, text, options?)", cryptoHMAC),
		bind.Call1("random_bytes(n)", randomBytes),
		bind.Call1("random_hex(n)", func(n int) (string, error) { b, err := randomBytes(n); return hex.EncodeToString(b), err }),
		bind.Call1("random_string(n)", randomString),
		bind.Call2("equal(a, b)", func(a, b string) (bool, error) {
			return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1, nil
		}),
		bind.Raw("base64_encode(text, options?)", base64Encode),
		bind.Raw("base64_decode(text, options?)", base64Decode),
		bind.Call1("hex_encode(text)", func(text string) (string, error) { return hex.EncodeToString([]byte(text)), nil }),
		bind.Call1("hex_decode(text)", hexDecode),
		bind.Call2("encrypt(text, key)", encrypt),
		bind.Call2("decrypt(text, key)", decrypt),
	}
	for _, a := range algorithms() {
		funcs = append(funcs, bind.Raw(a.name+"(text, options?)", func(L *lua.LState) int { return cryptoHash(L, a) }))
	}
	return bind.Module{Name: "rws.crypto", Funcs: funcs}
}

// An algorithm is a hash function.
type algorithm struct {
	name string
	new  func() hash.Hash
}

// algorithms are those that scripts may use; MD5 and SHA-1 for what others have specified.
func algorithms() []algorithm {
	return []algorithm{{"sha256", sha256.New}, {"sha384", sha512.New384}, {"sha512", sha512.New}, {"sha1", sha1.New}, {"md5", md5.New}}
}

// hashOptions are the options of the hash functions.
type hashOptions struct {
	Encoding string `json:"encoding"`
}

// encodings of a hash, the default first.
var encodings = []string{"hex", "base64", "base64url", "raw"}

// encoded returns sum as the option "encoding" wants it.
func encoded(L *lua.LState, name string, o hashOptions, sum []byte) lua.LString {
	switch o.Encoding {
	case "", "hex":
		return lua.LString(hex.EncodeToString(sum))
	case "base64":
		return lua.LString(base64.StdEncoding.EncodeToString(sum))
	case "base64url":
		return lua.LString(base64.RawURLEncoding.EncodeToString(sum))
	case "raw":
		return lua.LString(sum)
	}
	fault.Raisef(L, "option", "%s: option \"encoding\": %q is none of %s%s", name, o.Encoding,
		strings.Join(encodings, ", "), didYouMean(o.Encoding, encodings))
	return ""
}

func cryptoHash(L *lua.LState, a algorithm) int {
	name := "rws.crypto." + a.name
	text := bind.Arg[[]byte](L, name, 1)
	o := bind.Options[hashOptions](L, name, 2)
	h := a.new()
	h.Write(text)
	L.Push(encoded(L, name, o, h.Sum(nil)))
	return 1
}

func cryptoHMAC(L *lua.LState) int {
	const name = "rws.crypto.hmac"
	wanted := bind.Arg[string](L, name, 1)
	key, text := bind.Arg[[]byte](L, name, 2), bind.Arg[[]byte](L, name, 3)
	o := bind.Options[hashOptions](L, name, 4)
	var names []string
	for _, a := range algorithms() {
		if a.name == wanted {
			h := hmac.New(a.new, key)
			h.Write(text)
			L.Push(encoded(L, name, o, h.Sum(nil)))
			return 1
		}
		names = append(names, a.name)
	}
	bind.ArgError(L, name, 1, "%q is no algorithm%s; there are %s", wanted, didYouMean(wanted, names), strings.Join(names, ", "))
	return 0
}

// maxRandom bounds what one call draws.
const maxRandom = 1 << 20

func randomBytes(n int) ([]byte, error) {
	if n < 1 || n > maxRandom {
		return nil, bind.Errorf("argument", "a number from 1 to %d expected, got %d", maxRandom, n)
	}
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return b, nil
}

// letters are what random_string draws from: 62, so that a character is worth 5.95 bits.
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func randomString(n int) (string, error) {
	b, err := randomBytes(n)
	if err != nil {
		return "", err
	}
	for i := range b {
		for int(b[i]) >= len(letters)*4 { // what is left of 256 would favour the first letters
			_, _ = rand.Read(b[i : i+1])
		}
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b), nil
}

// base64Options are the options of base64_encode and base64_decode.
type base64Options struct {
	URL bool `json:"url"`
}

func base64Encode(L *lua.LState) int {
	const name = "rws.crypto.base64_encode"
	text := bind.Arg[[]byte](L, name, 1)
	encoding := base64.StdEncoding
	if bind.Options[base64Options](L, name, 2).URL {
		encoding = base64.RawURLEncoding
	}
	L.Push(lua.LString(encoding.EncodeToString(text)))
	return 1
}

func base64Decode(L *lua.LState) int {
	const name = "rws.crypto.base64_decode"
	text := bind.Arg[string](L, name, 1)
	b, err := decodeBase64(text, bind.Options[base64Options](L, name, 2).URL)
	if err != nil {
		bind.Raise(L, name, err)
	}
	L.Push(lua.LString(b))
	return 1
}

// decodeBase64 takes text with or without its padding.
func decodeBase64(text string, url bool) ([]byte, error) {
	encoding, other := base64.RawStdEncoding, "-_"
	if url {
		encoding, other = base64.RawURLEncoding, "+/"
	}
	b, err := encoding.DecodeString(strings.TrimRight(text, "=\r\n"))
	if err == nil {
		return b, nil
	}
	hint := ""
	if strings.ContainsAny(text, other) {
		hint = fmt.Sprintf("; is it the other alphabet? try { url = %t }", !url)
	}
	if bad, ok := errors.AsType[base64.CorruptInputError](err); ok {
		return nil, bind.Errorf("encoding", "no base64 at character %d%s", int64(bad)+1, hint)
	}
	return nil, bind.Errorf("encoding", "%w%s", err, hint)
}

func hexDecode(text string) ([]byte, error) {
	b, err := hex.DecodeString(text)
	if err != nil {
		return nil, bind.Errorf("encoding", "%s", strings.TrimPrefix(err.Error(), "encoding/hex: "))
	}
	return b, nil
}

// keySize is what AES-256 takes, in bytes.
const keySize = 32

func sealer(key []byte) (cipher.AEAD, error) {
	if len(key) != keySize {
		return nil, bind.Errorf("key", "the key must have %d bytes, got %d%s", keySize, len(key), keyHint(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// keyHint says how to get a key.
func keyHint(key []byte) string {
	if _, err := hex.DecodeString(string(key)); err == nil && len(key) == 2*keySize {
		return "; this one is written in hex: pass rws.crypto.hex_decode(key)"
	}
	return "; make one with rws.crypto.random_hex(32), keep it in .env as KEY and pass rws.crypto.hex_decode(env.KEY)"
}

// encrypt seals text with AES-256-GCM under a random nonce (12 bytes, put before the
// ciphertext) and returns it in the URL alphabet of base64, fit for cookies, URLs and text
// columns. One key is good for 2^32 texts.
func encrypt(text, key []byte) (string, error) {
	gcm, err := sealer(key)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(gcm.Seal(nil, nil, text, nil)), nil
}

// decrypt returns nil for what encrypt did not make with this key.
func decrypt(text string, key []byte) (lua.LValue, error) {
	gcm, err := sealer(key)
	if err != nil {
		return nil, err
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return lua.LNil, nil
	}
	plain, err := gcm.Open(nil, nil, sealed, nil)
	if err != nil {
		return lua.LNil, nil
	}
	return lua.LString(plain), nil
}
