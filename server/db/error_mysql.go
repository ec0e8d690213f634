package db

import (
	"errors"
	"regexp"
	"strconv"

	"github.com/go-sql-driver/mysql"
)

// mysqlCodes are the error numbers of MySQL and MariaDB.
var mysqlCodes = map[uint16]Code{
	1062: CodeUnique, 1169: CodeUnique, 1586: CodeUnique, 1859: CodeUnique,
	1216: CodeForeignKey, 1217: CodeForeignKey, 1451: CodeForeignKey, 1452: CodeForeignKey, 1557: CodeForeignKey, 1761: CodeForeignKey, 1762: CodeForeignKey,
	3819: CodeCheck, 4025: CodeCheck, 1048: CodeNotNull, 1364: CodeNotNull, 1263: CodeNotNull,
	1264: CodeValue, 1265: CodeValue, 1366: CodeValue, 1406: CodeValue, 1292: CodeValue, 1411: CodeValue, 1426: CodeValue, 1690: CodeValue, 3140: CodeValue,
	1205: CodeBusy, 3572: CodeBusy, 1040: CodeBusy, 1203: CodeBusy, 1226: CodeBusy, 1213: CodeSerialization, 1020: CodeSerialization,
	1969: CodeTimeout, 3024: CodeTimeout, 1317: CodeTimeout,
	1064: CodeSyntax, 1149: CodeSyntax, 1146: CodeNoTable, 1051: CodeNoTable, 1054: CodeNoColumn, 1072: CodeNoColumn,
	1044: CodeDenied, 1045: CodeDenied, 1142: CodeDenied, 1143: CodeDenied, 1227: CodeDenied, 1370: CodeDenied, 1698: CodeDenied,
	1290: CodeReadOnly, 1792: CodeReadOnly, 1836: CodeReadOnly, 1049: CodeConnection, 1053: CodeConnection, 1080: CodeConnection,
	1021: CodeFull, 1114: CodeFull, 1037: CodeFull, 1034: CodeCorrupt, 1712: CodeCorrupt, 1932: CodeNoTable,
}

var (
	mysqlKey        = regexp.MustCompile(`for key '([^']+)'`)
	mysqlConstraint = regexp.MustCompile("CONSTRAINT [`'\"]?([^`'\"]+)[`'\"]? (?:FOREIGN|failed)|[Cc]onstraint '([^']+)'")
	mysqlColumn     = regexp.MustCompile(`(?:Column|Field|column) '([^']+)'`)
	mysqlEntry      = regexp.MustCompile(`(?s)Duplicate entry '.*' for key`)
	mysqlValue      = regexp.MustCompile(`(?s)(value): '.*' (for column)`)
)

func (e *Error) fromMySQL(err error) bool {
	if errors.Is(err, mysql.ErrInvalidConn) {
		e.Code = CodeConnection
		return true
	}
	my, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return false
	}
	if code, ok := mysqlCodes[my.Number]; ok {
		e.Code = code
	}
	e.State = strconv.Itoa(int(my.Number))
	e.Constraint = firstGroup(mysqlKey, my.Message)
	if e.Constraint == "" {
		e.Constraint = firstGroup(mysqlConstraint, my.Message)
	}
	e.Column = firstGroup(mysqlColumn, my.Message)
	e.Err = &mysqlError{my}
	return true
}

// mysqlError says what the server said, without the values that it quotes.
type mysqlError struct{ *mysql.MySQLError }

func (e *mysqlError) Error() string {
	text := mysqlEntry.ReplaceAllString(e.Message, "duplicate entry for key")
	text = mysqlValue.ReplaceAllString(text, "$1 $2")
	return text + " (error " + strconv.Itoa(int(e.Number)) + ")"
}

func (e *mysqlError) Unwrap() error { return e.MySQLError }

func firstGroup(re *regexp.Regexp, text string) string {
	for i, group := range re.FindStringSubmatch(text) {
		if i > 0 && group != "" {
			return group
		}
	}
	return ""
}
