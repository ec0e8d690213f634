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
			s.ended = false
			if s.depth == 0 {
				s.cut(t.start)
				continue
			}
		case kindWord:
			s.word(strings.ToLower(s.text(t)))
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
	words  int // of it so far
	create bool
	body   bool // it makes something that has a body
	depth  int  // of begin and case in it
	ended  bool // the word before was end
}

func (s *splitter) cut(end int) {
	if s.start >= 0 {
		text := strings.TrimSpace(s.src[s.start:end])
		s.pieces = append(s.pieces, Piece{Text: text, Line: lineOf(s.src, s.start)})
	}
	s.start, s.words, s.create, s.body, s.depth, s.ended = -1, 0, false, false, 0, false
}

// word counts begin and end in what has a body.
func (s *splitter) word(word string) {
	s.words++
	ended := s.ended
	s.ended = false
	switch word {
	case "create":
		s.create = s.create || s.words == 1
	case "trigger", "procedure", "function", "event":
		s.body = s.body || s.create && s.words <= 8
	case "begin", "case":
		if s.body && !ended {
			s.depth++
		}
	case "if", "loop", "while", "repeat", "for":
		if ended {
			s.depth++ // "end if" ended something that was not counted
		}
	case "end":
		if s.depth > 0 {
			s.depth--
			s.ended = true
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
