package pattern

import "errors"

// DefaultSteps is the budget of a match whose caller gives none: some 0.1 s of work (11 ns a step).
const DefaultSteps = 10_000_000

// checkEvery is how many steps pass between two calls of a budget's check.
const checkEvery = 4096

// ErrSteps is returned when a budget is spent before the match is decided.
var ErrSteps = errors.New("pattern takes too many steps on this string: " +
	"anchor it with '^', replace '.' by a narrower class, or use fewer '*', '+' and '-'")

// Budget limits the work of one match or of several. A step is one pattern item tried at one place;
// runs over many bytes cost a fraction of that per byte. The zero value is spent. A Budget belongs
// to one goroutine at a time.
type Budget struct {
	left  int64
	next  int64 // check again when left falls below it
	check func() error
}

// NewBudget returns a budget of so many steps. A check that is not nil is called every 4096 steps;
// the error it returns (a deadline that has passed) ends the match.
func NewBudget(steps int64, check func() error) *Budget {
	b := &Budget{}
	b.Reset(steps, check)
	return b
}

// Reset makes b a fresh budget, as [NewBudget] does, without allocating.
func (b *Budget) Reset(steps int64, check func() error) {
	*b = Budget{left: steps, check: check}
	if check != nil {
		b.next = max(steps-checkEvery, 0)
	}
}

// Left returns how many steps are left, 0 when the budget is spent.
func (b *Budget) Left() int64 { return max(b.left, 0) }

// Spend charges n steps. It returns [ErrSteps] if there were fewer left, or the error of the check.
func (b *Budget) Spend(n int) error {
	b.left -= int64(n)
	if b.left >= b.next {
		return nil
	}
	return b.look()
}

func (b *Budget) look() error {
	if b.left < 0 {
		return ErrSteps
	}
	if err := b.check(); err != nil {
		return err
	}
	b.next = max(b.left-checkEvery, 0)
	return nil
}
