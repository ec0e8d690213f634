package luabind_test

import "testing"

func TestCrypto(t *testing.T) {
	scripts(t, map[string]string{
		"known digests": `
			eq(rws.crypto.sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
			eq(rws.crypto.sha1("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d")
			eq(rws.crypto.md5("abc"), "900150983cd24fb0d6963f7d28e17f72")
			eq(#rws.crypto.sha384(""), 96)
			eq(#rws.crypto.sha512(""), 128)`,
		"a digest in other encodings": `
			eq(rws.crypto.sha256("abc", { encoding = "base64" }), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=")
			eq(rws.crypto.sha256("abc", { encoding = "base64url" }), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0")
			eq(#rws.crypto.sha256("abc", { encoding = "raw" }), 32)
			raises("option", 'did you mean "base64"?', rws.crypto.sha256, "abc", { encoding = "base65" })
			raises("option", 'unknown option "encodin" (did you mean "encoding"?)', rws.crypto.sha256, "abc", { encodin = "hex" })`,
		"hmac of RFC 4231": `
			eq(rws.crypto.hmac("sha256", "Jefe", "what do ya want for nothing?"), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
			raises("argument", 'argument 1: "sha257" is no algorithm (did you mean "sha256"?)', rws.crypto.hmac, "sha257", "k", "t")`,
		"unknown hashes are errors": `raises("field", 'did you mean "sha256"?', function() return rws.crypto.sha265("x") end)`,
		"random": `
			eq(#rws.crypto.random_bytes(16), 16)
			eq(#rws.crypto.random_hex(16), 32)
			eq(rws.crypto.random_string(2000):match("^%w+$") ~= nil, true)
			assert(rws.crypto.random_string(24) ~= rws.crypto.random_string(24))
			raises("argument", "from 1 to 1048576", rws.crypto.random_bytes, 0)
			raises("argument", "from 1 to 1048576", rws.crypto.random_string, 1e7)`,
		"equal": `
			eq(rws.crypto.equal("a", "a"), true)
			eq(rws.crypto.equal("a", "b"), false)
			eq(rws.crypto.equal("a", "ab"), false)`,
		"base64": `
			eq(rws.crypto.base64_encode("\255\254~?"), "//5+Pw==")
			eq(rws.crypto.base64_encode("\255\254~?", { url = true }), "__5-Pw")
			eq(rws.crypto.base64_decode("//5+Pw=="), "\255\254~?")
			eq(rws.crypto.base64_decode("//5+Pw"), "\255\254~?")
			eq(rws.crypto.base64_decode("__5-Pw", { url = true }), "\255\254~?")
			raises("encoding", "no base64 at character 3", rws.crypto.base64_decode, "ab!d")
			raises("encoding", "try { url = true }", rws.crypto.base64_decode, "__5-Pw")`,
		"hex": `
			eq(rws.crypto.hex_encode("\0\255"), "00ff")
			eq(rws.crypto.hex_decode("00fF"), "\0\255")
			raises("encoding", "invalid byte", rws.crypto.hex_decode, "0x")
			raises("encoding", "odd length", rws.crypto.hex_decode, "abc")`,
		"encrypted text comes back with its key only": `
			local key = rws.crypto.random_bytes(32)
			local sealed = rws.crypto.encrypt("secret", key)
			assert(sealed:match("^[%w_-]+$"), sealed)
			assert(sealed ~= rws.crypto.encrypt("secret", key))
			eq(rws.crypto.decrypt(sealed, key), "secret")
			eq(rws.crypto.decrypt(sealed, rws.crypto.random_bytes(32)), nil)
			eq(rws.crypto.decrypt(sealed:sub(1, -2) .. (sealed:sub(-1) == "A" and "Q" or "A"), key), nil)
			eq(rws.crypto.decrypt("", key), nil)
			eq(rws.crypto.decrypt("not base64!", key), nil)
			eq(rws.crypto.decrypt(rws.crypto.encrypt("", key), key), "")`,
		"a wrong key says how to make one": `
			raises("key", "the key must have 32 bytes, got 6; make one with rws.crypto.random_hex(32)", rws.crypto.encrypt, "x", "secret")
			raises("key", "pass rws.crypto.hex_decode(key)", rws.crypto.decrypt, "x", rws.crypto.random_hex(32))`,
		"ids": `
			eq(rws.uuid():match("^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$") ~= nil, true)
			eq(rws.uuid("v7"):sub(15, 15), "7")
			assert(rws.uuid("v7") < rws.uuid("v7"))
			eq(#rws.ulid(), 26)
			assert(rws.ulid() < rws.ulid())
			raises("argument", '"v5" is no version', rws.uuid, "v5")`,
	})
}
