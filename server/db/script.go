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
	s := splitter{lexer: lexer{src: script, engine: engine}, start: -1, body: body{engine: engine}}
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
		default:
			s.body.see(t.kind, s.text(t))
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
	s.start, s.body = -1, body{engine: s.engine}
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
