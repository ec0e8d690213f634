package db

import (
	"context"
	"fmt"
	"strings"
)

// Piece is one statement of a script.
type Piece struct {
	Text string // without the semicolon
	Line int    // where it begins, from 1
}

// Split cuts a script at the semicolons that end statements: not those in strings, comments,
// dollar quotes, nor those in the body of a trigger, function or procedure (begin … end). What
// is only white space and comments is left out. The error says in which line something begins
// that does not end.
func Split(engine Engine, script string) ([]Piece, error) {
	s := splitter{lexer: lexer{src: script, engine: engine}, start: -1}
	for {
		t := s.next()
		switch t.kind {
		case kindEnd:
			s.cut(t.start)
			return s.pieces, nil
		case kindBroken:
			return nil, &Error{Code: CodeSyntax, Line: lineOf(script, t.start), Err: fmt.Errorf("what begins with %q does not end", excerpt(s.text(t), 20))}
		case kindSpace:
			continue
		case kindStop:
			if !s.body.takes() {
				s.cut(t.start)
				continue
			}
		case kindWord:
			s.body.word(strings.ToLower(s.text(t)))
		}
		if s.start < 0 {
			s.start = t.start
		}
	}
}

type splitter struct {
	lexer
	pieces []Piece
	start  int // of the statement, -1 between them
	body   body
}

func (s *splitter) cut(end int) {
	if s.start >= 0 {
		text := strings.TrimSpace(s.src[s.start:end])
		s.pieces = append(s.pieces, Piece{Text: text, Line: lineOf(s.src, s.start)})
	}
	s.start, s.body = -1, body{}
}

// A body follows the words of a statement to know the semicolons that do not end it: those between
// begin and end of a trigger, function or procedure.
type body struct {
	words  int // of the statement so far
	create bool
	has    bool // it makes something that has a body
	depth  int  // of begin and case in it
	ended  bool // the word before was end
}

// takes says whether a semicolon belongs to the body.
func (b *body) takes() bool {
	b.ended = false
	return b.depth > 0
}

// word counts begin and end in what has a body. Words come in lower case.
func (b *body) word(word string) {
	b.words++
	ended := b.ended
	b.ended = false
	switch word {
	case "create":
		b.create = b.create || b.words == 1
	case "trigger", "procedure", "function", "event":
		b.has = b.has || b.create && b.words <= 8
	case "begin", "case":
		if b.has && !ended {
			b.depth++
		}
	case "if", "loop", "while", "repeat", "for":
		if ended {
			b.depth++ // "end if" ended something that was not counted
		}
	case "end":
		if b.depth > 0 {
			b.depth--
			b.ended = true
		}
	}
}

func lineOf(text string, at int) int { return 1 + strings.Count(text[:at], "\n") }

// Script runs the statements of a script one after another. They have no parameters. It stops
// at the first that fails; what ran before stays, so give it a [Tx].
func Script(ctx context.Context, q Querier, script string) error {
	pieces, err := Split(q.Engine(), script)
	if err != nil {
		return err
	}
	for _, p := range pieces {
		if _, err := q.Exec(ctx, p.Text, Verbatim{}); err != nil {
			return fmt.Errorf("line %d: %w", p.Line, err)
		}
	}
	return nil
}
