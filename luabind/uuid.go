package luabind

import (
	"crypto/rand"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"rws/luabind/bind"
)

// uuidFuncs are the functions of rws that make ids.
func uuidFuncs() []bind.Func {
	return []bind.Func{
		bind.Call1("uuid(version?)", newUUID),
		bind.Call0("ulid()", newULID),
	}
}

var uuidVersions = []string{"v4", "v7"}

// newUUID returns a UUID (RFC 9562): random ("v4", the default), or one that sorts by the
// time it was made ("v7").
func newUUID(version bind.Opt[string]) (string, error) {
	make := uuid.NewRandom
	switch v := version.Or("v4"); v {
	case "v4":
	case "v7":
		make = uuid.NewV7
	default:
		return "", bind.Errorf("argument", "argument 1: %q is no version%s; there are %s", v, didYouMean(v, uuidVersions), strings.Join(uuidVersions, ", "))
	}
	id, err := make()
	return id.String(), err
}

// ulidEntropy makes ULIDs of one millisecond ascend. The default of the library draws from
// math/rand, whose numbers can be guessed.
var ulidEntropy = sync.OnceValue(func() *ulid.LockedMonotonicReader {
	return &ulid.LockedMonotonicReader{MonotonicReader: ulid.Monotonic(rand.Reader, 0)}
})

func newULID() (string, error) {
	id, err := ulid.New(ulid.Timestamp(time.Now()), ulidEntropy())
	return id.String(), err
}
