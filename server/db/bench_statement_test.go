package db

import "testing"

const benchText = "select u.id, u.name::text from users u where u.email = :email and u.state in (:state) and u.note <> 'a ? b' -- :no\n order by u.id"

// BenchmarkStatement is what a statement costs before it reaches the engine: looking at it for
// the first time, and then each time.
func BenchmarkStatement(b *testing.B) {
	args := []any{Named{"email": "a@x", "state": "on"}}
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := parse(Postgres, benchText); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("cached", func(b *testing.B) {
		d := &DB{engine: Postgres}
		b.ReportAllocs()
		for b.Loop() {
			if _, _, _, err := d.bind(benchText, args); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("positional", func(b *testing.B) {
		d := &DB{engine: Postgres}
		args := []any{int64(1)}
		b.ReportAllocs()
		for b.Loop() {
			if _, _, _, err := d.bind("select * from t where id = ?", args); err != nil {
				b.Fatal(err)
			}
		}
	})
}
