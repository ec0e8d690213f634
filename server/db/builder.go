package db

import "strings"

// A builder writes SQL with ? for values. After the first fault it does nothing more.
type builder struct {
	engine Engine
	text   strings.Builder
	args   []any
	err    error
}

func (b *builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// write adds text that this package, or the author of the program, wrote.
func (b *builder) write(text string) *builder {
	b.text.WriteString(text)
	return b
}

func (b *builder) comma(i int) *builder {
	if i > 0 {
		b.text.WriteString(", ")
	}
	return b
}

// name adds an identifier in quotes.
func (b *builder) name(name string) *builder {
	quoted, err := Quote(b.engine, name)
	if err != nil {
		b.fail(err)
	}
	return b.write(quoted)
}

// column adds an identifier, or *, or table.*.
func (b *builder) column(name string) *builder {
	quoted, err := column(b.engine, name)
	if err != nil {
		b.fail(err)
	}
	return b.write(quoted)
}

// value adds a parameter.
func (b *builder) value(v any) *builder {
	b.args = append(b.args, v)
	return b.write("?")
}

// raw adds a fragment with its values, which may be one Named.
func (b *builder) raw(fragment string, args []any) *builder {
	st, err := parseAs(b.engine, fragment, true)
	if err != nil {
		b.fail(err)
		return b
	}
	if st.style == styleDollar {
		b.fail(refuse("the fragment %q is a part of a statement: write ? or :name for its values", excerpt(fragment, 60)))
		return b
	}
	values, err := st.order(MySQL, args) // one value for each place
	if err != nil {
		b.fail(&Error{Code: CodeParameters, Statement: fragment, Err: err})
		return b
	}
	b.args = append(b.args, values...)
	for i, part := range st.parts {
		if i > 0 {
			b.write("?")
		}
		b.write(part)
	}
	return b
}
