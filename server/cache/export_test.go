package cache

// Encode is how an entry is kept in Redis.
func Encode(e Entry) []byte { return encode(e) }

// Decode undoes it.
func Decode(b []byte) (Entry, error) {
	e, _, err := decode(b)
	return e, err
}
