---@meta

---A database. `app:db` opens it; SQLite, Postgres and MySQL or MariaDB are used in the same way.
---
---Values are never put into SQL: a statement has a `?` for each, or `:name` and one table of names and
---values. A value is text, a number, a boolean, nil or `rws.null`, a time of `rws.now()`, or a table, which is
---stored as JSON: a list as `[…]`, `{}` as an object, `rws.array {}` as `[]`. A list in `in (?)` is several values,
---of an empty one `not in (?)` is true. Where Postgres has an array, as `text[]` and `any(?)`, a list is one, wherever
---the list came from. A text for a JSON column is JSON already. A time within a table that is stored as JSON is what
---`tostring` makes of it, with milliseconds; alone, and in an array, it has microseconds.
---
---A row is a table with a field for each column. NULL is nil (or `rws.null`, see `rws.DbOptions`), an integer
---beyond 2^53 and a decimal are texts, a timestamp is an `rws.Time`, JSON is a table, a second column of the
---same name is `name_2`. Where an engine lacks a type:
---
--- * SQLite has none for times: a column that is declared `datetime` or `timestamp` gives times, one that is
---   declared `text` the text that was stored, `2030-01-31 08:00:00.000Z`.
--- * SQLite has no decimals: what is declared `decimal` or `numeric` is stored as a whole or a floating-point
---   number, `1.10` as 1.1, with 15 digits. A column that is declared `text` keeps a decimal as it is; whole cents
---   in an `integer` can be counted with, too. A text of more digits than 64 bits hold becomes a floating-point
---   number in a column that is declared `integer`, `decimal` or `numeric`, and nothing is raised.
--- * MySQL and MariaDB count with texts in floating point: `set balance = balance + ?` with `"9007199254740993"` or a
---   decimal loses digits, and nothing is raised. `cast(? as decimal(30,10))` keeps them. Storing such a text
---   by itself is exact.
--- * MySQL and MariaDB have no booleans: `boolean` is a small number, and true comes back as 1.
--- * Postgres says which type a parameter has. With `default_query_exec_mode=exec` or `simple_protocol` in the URL it
---   is not asked: then a list that `rws.array` made, or that came out of JSON or a row, is an array, and another one JSON.
---   A text for `bytea` is its bytes, whatever they are, but not with these two: the server takes `\` in it for the beginning
---   of an escape. Write `decode(?, 'base64')` there, and give `rws.crypto.base64_encode(bytes)`.
--- * A connection to Postgres keeps statements prepared, each with the types that its parameters had. It forgets them when
---   this process changes the schema (`create`, `alter`, `drop`, `do`), and after a minute. Until then what another process
---   changes, as `rws migrate` or `psql` beside a server that runs, may go unnoticed: after `alter … type text` of an `int`
---   the text `"01067"` is still stored as 1067. Where a value does not fit the old type the statement is prepared and run
---   again, but not in a `db:tx`, which raises `serialization` or `value`. So restart a server after a change of a type.
--- * In MariaDB `json` is text, and comes back as text: `rws.json.decode` reads it. In MySQL it is a table.
---
---A database has several connections, which requests share. A statement that changes its connection, such as
---`pragma foreign_keys = off`, `attach`, `set`, `use`, `listen`, `lock tables` or a temporary table, raises `refused`
---and says what to do instead: an option of the URL, `set local` in a `db:tx`, another `app:db`. Pragmas that only
---read may be used. Migrations have a connection to themselves, and may run all of it. The same goes for functions
---such as `set_config`, `pg_advisory_lock` and `get_lock`. What a `do` or `call` does can't be seen: its connection
---is closed afterwards. A function of your own that changes its connection, called in a `select`, is not noticed.
---
---What fails raises an error with a code, and with `statement`, `constraint`, `table`, `column` and `state`
---where they are known:
---
---| code | meaning |
---| --- | --- |
---| `unique` | there is a row with that value already |
---| `foreign_key` | it refers to a row that is not there, or is referred to |
---| `check`, `not_null` | a constraint does not hold, a column has no value |
---| `value` | a value does not fit its type |
---| `busy` | a lock or a free connection did not come in time |
---| `serialization` | two transactions collided; running this one again may succeed |
---| `timeout`, `canceled` | the deadline passed, the client left |
---| `syntax`, `no_table`, `no_column` | the statement is wrong |
---| `parameters` | the values do not fit the statement |
---| `connection` | the server can't be reached |
---| `denied`, `read_only` | a right is missing |
---| `aborted`, `closed` | the transaction or the database has ended |
---| `corrupt`, `full` | the file is damaged, the disk is full |
---| `refused` | rws does not do it, for safety |
---| `page`, `cursor` | a page or cursor that a visitor asked for is none |
---
---A request that ends with `connection` or `busy` is answered 503, with `page` or `cursor` 400, with `timeout` 504.
---
---```lua
---local db = app:db("sqlite::memory:")
---db:migrate { [[create table users (id integer primary key, email text unique not null)]] }
---
---local ann = db:insert("users", { email = "ann@example.com" })
---assert(db:one("select * from users where id = ?", ann.id).email == "ann@example.com")
---
---local ok, err = rws.try(db.insert, db, "users", { email = "ann@example.com" })
---assert(not ok and err.code == "unique" and err.column == "email")
---```
---@class rws.Db
---@field name string what commands call it: the option `name`, or the name of the file or database
---@field engine "sqlite"|"postgres"|"mysql"
local db = {}

---Options of `app:db`.
---@class rws.DbOptions
---@field name? string what `rws migrate --db` and `:db` call it; default is that of the file or database
---@field max_open? integer connections; default 10, for SQLite the readers: 2 for each core, at least 4
---@field max_idle? integer connections that are kept; default all
---@field lifetime? rws.Duration of a connection; default 1h, for SQLite without end
---@field idle_time? rws.Duration after which a connection is closed; default 5m, for SQLite never
---@field wait? rws.Duration for a free connection, then the error is `busy`; default 30s
---@field timeout? rws.Duration of a statement; default is that of the request
---@field null? "nil"|"rws.null" what NULL is in a row; default nil
---@field read_only? boolean refuses to write
---@field test? string URL of a database that `rws test` may use in the place of one on a server. Each test gets
---  a schema (Postgres) or database (MySQL) of its own there

---The first row of a statement, or nil.
---
---```lua
---local db = app:db("sqlite::memory:")
---assert(db:one("select 1 as n").n == 1)
---assert(db:one("select 1 as n where :a > :b", { a = 1, b = 2 }) == nil)
---```
---@async
---@param sql string
---@param ... any values of `?`, or one table of names and values
---@return table<string, any>? row
function db:one(sql, ...) end

---All rows of a statement. Without any it is an empty list, which encodes as `[]`.
---
---```lua
---local db = app:db("sqlite::memory:")
---db:exec("create table tags (name text)")
---db:insert("tags", { { name = "red" }, { name = "blue" }, { name = "green" } })
---assert(#db:all("select name from tags where name in (?)", { "red", "blue" }) == 2)
---```
---@async
---@param sql string
---@param ... any values of `?`, or one table of names and values
---@return table<string, any>[] rows
function db:all(sql, ...) end

---The first column of the first row, or nil without a row.
---
---```lua
---local db = app:db("sqlite::memory:")
---assert(db:value("select ? + 1", 41) == 42)
---```
---@async
---@param sql string
---@param ... any values of `?`, or one table of names and values
---@return any value
function db:value(sql, ...) end

---Goes through the rows of a statement, which are read a few at a time: a result may be larger than the
---memory. They are closed at their end, after an error, when nothing refers to the iterator any more, and when
---the request ends; the second result closes them before.
---
---What keeps a connection: a statement while it runs, a `db:tx` until it ends, and a loop over more than 256 rows
---or 256 KiB, in SQLite over rows that are only read. When no connection is free the rest of such a loop is read
---into memory, up to 1 MiB, and its connection is lent to others. A request keeps at most half of the connections
---with loops; beyond, the one that was not read for longest loses its own, and going on with it raises `busy`. So
---a loop may be left with `break`, and statements may run inside; a loop over very many rows together with
---statements belongs into one `db:tx`, where all use one connection. A statement that writes, as
---`insert … returning`, is done before its first row is given out, whether the others are read or not; its rows
---are in memory until then.
---
---```lua
---local db = app:db("sqlite::memory:")
---local sum = 0
---for row in db:each("select value from json_each('[1, 2, 3]')") do sum = sum + row.value end
---assert(sum == 6)
---
---local rows, close = db:each("select value from json_each('[1, 2, 3]')")
---assert(rows().value == 1)
---close()
---assert(rows() == nil)
---```
---@async
---@param sql string
---@param ... any values of `?`, or one table of names and values
---@return fun(): table<string, any>? iterator
---@return fun() close gives up the rows that are left
function db:each(sql, ...) end

---What `db:exec` returns.
---@class rws.DbResult
---@field affected integer|string rows that were changed
---@field id? integer|string of the row that was inserted last, in SQLite and MySQL

---Runs a statement without rows.
---
---```lua
---local db = app:db("sqlite::memory:")
---db:exec("create table notes (id integer primary key, at datetime)")
---db:insert("notes", { at = rws.now() - "100d" })
---assert(db:exec("delete from notes where at < ?", rws.now() - "90d").affected == 1)
---```
---@async
---@param sql string
---@param ... any values of `?`, or one table of names and values
---@return rws.DbResult result
function db:exec(sql, ...) end

---Adds a row and returns it as the database has it, with its key and defaults. A list of rows is added in one
---transaction; then the list is returned. In MySQL a row without a key of one column comes back as nil.
---
---```lua
---local db = app:db("sqlite::memory:")
---db:exec("create table notes (id integer primary key, title text, done boolean default false, tags json)")
---local note = db:insert("notes", { title = "Milk", tags = { "home" } })
---assert(note.id == 1 and note.done == false and note.tags[1] == "home")
---```
---@async
---@param table string
---@param row table<string, any>|table<string, any>[]
---@return table<string, any>? row
function db:insert(table, row) end

---Changes rows and returns how many there were. The condition is a table of columns and values, in which a
---list is several values; or SQL with its values; or `"all"`. Without one it raises, also with nothing but comments
---(`"-- x"`) and with `{ id = nil }`,
---which is `{}` in Lua: NULL is `rws.null`.
---
---```lua
---local db = app:db("sqlite::memory:")
---db:exec("create table notes (id integer primary key, title text, done boolean default false)")
---db:insert("notes", { { title = "Milk" }, { title = "Eggs" }, { title = "Salt" } })
---assert(db:update("notes", { done = true }, { id = { 1, 2 } }) == 2)
---assert(db:update("notes", { done = true }, "title like ?", "S%") == 1)
---assert(not rws.try(db.update, db, "notes", { done = false }))
---```
---@async
---@param table string
---@param set table<string, any> columns and their new values
---@param where table<string, any>|string
---@param ... any values of `?` in the condition, or one table of names and values
---@return integer|string affected
function db:update(table, set, where, ...) end

---Removes rows and returns how many there were. The condition is as in `db:update`.
---
---```lua
---local db = app:db("sqlite::memory:")
---db:exec("create table notes (id integer primary key, title text)")
---db:insert("notes", { title = "Milk" })
---assert(db:delete("notes", { title = "Milk" }) == 1)
---assert(db:delete("notes", "all") == 0)
---```
---@async
---@param table string
---@param where table<string, any>|string
---@param ... any values of `?` in the condition, or one table of names and values
---@return integer|string affected
function db:delete(table, where, ...) end

---Adds a row, or changes the one that has the same values in some columns, and returns it.
---
---```lua
---local db = app:db("sqlite::memory:")
---db:exec("create table rates (code text primary key, rate real)")
---db:upsert("rates", { code = "EUR", rate = 1.1 }, "code")
---assert(db:upsert("rates", { code = "EUR", rate = 1.2 }, "code").rate == 1.2)
---```
---@async
---@param table string
---@param row table<string, any>
---@param on string|string[] columns of a unique index. MySQL takes any unique index
---@param update? string|string[] columns to change; default all others. `{}` leaves the row as it is and returns
---  nil, but in MySQL the row
---@return table<string, any>? row
function db:upsert(table, row, on, update) end

---Options of `db:tx`.
---@class rws.TxOptions
---@field read_only? boolean sees one state of the data and can't write
---@field isolation? "read uncommitted"|"read committed"|"repeatable read"|"serializable" default is that of the
---  server. SQLite has only serializable, which satisfies all of them; Postgres reads committed rows at least

---Calls a function in a transaction and returns what it returns. It is committed when the function returns
---and rolled back when that raises, as `c:fail` does, or when the time of the request is over. Inside, call
---`tx`, not `db`. `tx:tx` is a savepoint. MySQL and MariaDB commit when a table is made, changed or dropped, so
---that raises `refused` there; in SQLite and Postgres it is rolled back as all else.
---
---```lua
---local db = app:db("sqlite::memory:")
---db:exec("create table accounts (id integer primary key, amount integer not null check (amount >= 0))")
---db:insert("accounts", { { amount = 100 }, { amount = 0 } })
---
---local function move(amount)
---  return db:tx(function(tx)
---    tx:exec("update accounts set amount = amount + ? where id = 2", amount)
---    tx:exec("update accounts set amount = amount - ? where id = 1", amount)
---    return tx:value("select amount from accounts where id = 1")
---  end)
---end
---assert(move(70) == 30)
---local ok, err = rws.try(move, 70)
---assert(not ok and err.code == "check")
---assert(db:value("select amount from accounts where id = 2") == 70)
---```
---@async
---@param ... rws.TxOptions|fun(tx: rws.Tx): any options, which may be left out, and the function
---@return any ... what the function returned
function db:tx(...) end

---Options of `db:page` and `query:page`: a page by its number, or with `order` by a cursor.
---@class rws.PageOptions
---@field page? integer|string from 1, the default; a text, as it comes in a query, is read as a number. What is
---  none is answered 400, as are `size` and cursors
---@field size? integer|string rows on a page, at most 1000; default 20
---@field total? boolean count all rows too
---@field order? string columns that the rows are sorted by, as `"created_at desc, id"`; the last makes each row
---  unique. A page is then found by a cursor: as fast however far it is, and no row is missed or seen twice
---@field after? string cursor: `next` of the page before
---@field before? string cursor: `previous` of the page after

---A part of the rows of a select.
---@class rws.Page
---@field items table<string, any>[] the rows
---@field page? integer its number; nil with cursors
---@field size integer that was asked for
---@field more boolean there are rows after it
---@field total? integer of all rows, if that was asked for
---@field next? string cursor of the next page
---@field previous? string cursor of the previous page

---A page of the rows of a select, which has no limit of its own. `c:page` answers with it.
---
---```lua
---local db = app:db("sqlite::memory:")
---local numbers = "select value as n from json_each('[1, 2, 3, 4, 5]') where value > ?"
---local page = db:page(numbers, { 0 }, { page = 2, size = 2, total = true })
---assert(page.items[1].n == 3 and page.more and page.total == 5)
---
---page = db:page(numbers, { 0 }, { order = "n desc", size = 2 })
---assert(page.items[1].n == 5)
---page = db:page(numbers, { 0 }, { order = "n desc", size = 2, after = page.next })
---assert(page.items[1].n == 3 and page.previous)
---```
---@async
---@param sql string
---@param args? any[]|table<string, any> values of `?`, or names and values
---@param options? rws.PageOptions
---@return rws.Page page
function db:page(sql, args, options) end

---Begins a query that is put together step by step.
---
---```lua
---local db = app:db("sqlite::memory:")
---db:exec("create table users (id integer primary key, name text, age integer)")
---db:insert("users", { { name = "ann", age = 31 }, { name = "bob", age = 17 } })
---local adults = db:from("users"):where("age >= ?", 18)
---assert(adults:count() == 1 and adults:order("name"):one().name == "ann")
---```
---@param table string or `"table as alias"`
---@return rws.Query query
---@nodiscard
function db:from(table) end

---A table or view.
---@class rws.TableInfo
---@field name string
---@field view boolean

---The tables and views, without those of the system.
---
---```lua
---local db = app:db("sqlite::memory:")
---db:exec("create table notes (id integer primary key)")
---assert(db:tables()[1].name == "notes")
---```
---@async
---@return rws.TableInfo[] tables
---@nodiscard
function db:tables() end

---A column.
---@class rws.ColumnInfo
---@field name string
---@field type string as the engine writes it, in lower case
---@field nullable boolean
---@field key integer its place in the primary key, 0 outside of it
---@field default? string its expression, nil without one

---The columns of a table, in order; none when there is no such table.
---
---```lua
---local db = app:db("sqlite::memory:")
---db:exec("create table notes (id integer primary key, title text)")
---assert(db:columns("notes")[2].type == "text")
---```
---@async
---@param table string
---@return rws.ColumnInfo[] columns
---@nodiscard
function db:columns(table) end

---A change of the tables and how to undo it.
---@class rws.Migration
---@field up string|fun(tx: rws.Tx) SQL, of one or more statements, or a function
---@field down? string|fun(tx: rws.Tx) undoes it
---@field name? string default is made of its first words
---@field no_transaction? boolean for statements that can't be in one, as `vacuum`

---Options of `db:migrate`.
---@class rws.MigrateOptions
---@field out_of_order? boolean run those, too, that come before one that has run
---@field wait? rws.Duration for another process that migrates; default 5m

---Declares the changes that make the tables: a list, in which new ones are added at the end, or the name of a
---folder with files such as `001_users.up.sql` and `001_users.down.sql`. Each runs once; what has run is in
---the table `rws_migrations` with a checksum, and its way up must not be changed any more. The way down may: it
---says nothing of what the tables are, and is mended when it turns out to be wrong. Of a function only the name
---is compared.
---
---In development those that have not run do so at once. In production `rws migrate up` runs them, and an app
---that is not migrated does not start; the setting `migrate` says otherwise. With `migrate = false` it starts all
---the same: the log warns of those that have not run or failed half way. `rws migrate` also shows, undoes
---and redoes them. `rws test` gives each test an empty database on which all have run.
---
---Commands that only look at a script, as `rws check`, `rws routes` and `rws migrate status`, load it on an empty
---database on which migrations in SQL have run, but no functions: those run on the database itself, once. A script
---that asks while it loads must not rely on what a function made.
---
---```lua
---local db = app:db("sqlite::memory:")
---db:migrate {
---  [[create table users (id integer primary key, email text unique not null)]],
---  { name = "notes",
---    up   = "create table notes (id integer primary key, title text not null)",
---    down = "drop table notes" },
---  { name = "first note", up = function(tx) tx:insert("notes", { title = "Hello" }) end },
---}
---assert(db:value("select title from notes") == "Hello")
---```
---@async
---@param migrations string|(string|rws.Migration|fun(tx: rws.Tx))[] a folder or a list
---@param options? rws.MigrateOptions
function db:migrate(migrations, options) end

---Raises unless the database answers.
---
---```lua
---local db = app:db("sqlite::memory:")
---app:get("/health", function() db:ping() return "fine" end)
---```
---@async
function db:ping() end

---Reads all of a SQLite database and raises with the code `corrupt` when it is damaged, or rows refer to ones
---that are not there.
---
---```lua
---app:db("sqlite::memory:"):check()
---```
---@async
function db:check() end

---Writes a copy of a SQLite database to a file. Writers are not held up. The copy is made beside the file, read
---through for damage, and takes its place at once, so that there is an old backup or a new one and never half of
---one. It replaces a SQLite database that nobody has open, and nothing else. What a killed backup has left,
---a folder `.rws-backup-…`, is removed by one that comes a day later.
---
---Into a storage it goes by way of a temporary file, in pieces, and appears under its key when it is complete;
---what is there under the key is replaced, whatever it is.
---
---```lua
---local db = app:db("sqlite:shop.db")
---db:backup("shop-backup.db")
---
---local files = app:storage("memory:")
---db:backup(files, "backups/" .. rws.now():format("%Y-%m-%d") .. ".db")
---```
---@async
---@param to string|rws.Storage a file in the app's folder, or in one of `fs.allow`; or a storage
---@param key? string in the storage
function db:backup(to, key) end

---Closes the connections, of all isolates, after what is under way. `app:db` opens it anew. It is not needed
---at the end.
---
---```lua
---app:db("sqlite::memory:"):close()
---```
---@async
function db:close() end

---A pool of connections.
---@class rws.PoolStats
---@field role "all"|"readers"|"writer" SQLite has many readers and one writer
---@field max integer connections at most
---@field open integer connections
---@field in_use integer of them with a statement or transaction
---@field idle integer of them
---@field waiting integer callers that wait for one now
---@field waits integer callers that had to wait so far
---@field wait_ms integer that they waited in all

---The pools of connections.
---
---```lua
---assert(app:db("sqlite::memory:"):stats()[1].in_use == 0)
---```
---@return rws.PoolStats[] pools
---@nodiscard
function db:stats() end

---A transaction: what `db:tx` and functions of `db:migrate` get. It is used as a database; once its function
---has returned, it raises.
---@class rws.Tx
---@field name string of the database
---@field engine "sqlite"|"postgres"|"mysql"
local tx = {}

---As `db:one`.
---@async
---@param sql string
---@param ... any values of `?`, or one table of names and values
---@return table<string, any>? row
---@see db:one
function tx:one(sql, ...) end

---As `db:all`.
---@async
---@param sql string
---@param ... any values of `?`, or one table of names and values
---@return table<string, any>[] rows
---@see db:all
function tx:all(sql, ...) end

---As `db:value`.
---@async
---@param sql string
---@param ... any values of `?`, or one table of names and values
---@return any value
---@see db:value
function tx:value(sql, ...) end

---As `db:each`. While the rows are gone through other statements may run, and the loop may be left. Postgres
---keeps the rows for it (a cursor). MariaDB and MySQL can't: there a statement inside has the rows that are left
---read into memory, up to 32 MiB of them; with more, going on raises `busy`, and a `limit` helps.
---After the end of the transaction, what was not read raises `closed`.
---@async
---@param sql string
---@param ... any values of `?`, or one table of names and values
---@return fun(): table<string, any>? iterator
---@return fun() close gives up the rows that are left
---@see db:each
function tx:each(sql, ...) end

---As `db:exec`.
---@async
---@param sql string
---@param ... any values of `?`, or one table of names and values
---@return rws.DbResult result
---@see db:exec
function tx:exec(sql, ...) end

---As `db:insert`.
---@async
---@param table string
---@param row table<string, any>|table<string, any>[]
---@return table<string, any>? row
---@see db:insert
function tx:insert(table, row) end

---As `db:update`.
---@async
---@param table string
---@param set table<string, any> columns and their new values
---@param where table<string, any>|string
---@param ... any values of `?` in the condition, or one table of names and values
---@return integer|string affected
---@see db:update
function tx:update(table, set, where, ...) end

---As `db:delete`.
---@async
---@param table string
---@param where table<string, any>|string
---@param ... any values of `?` in the condition, or one table of names and values
---@return integer|string affected
---@see db:delete
function tx:delete(table, where, ...) end

---As `db:upsert`.
---@async
---@param table string
---@param row table<string, any>
---@param on string|string[] columns of a unique index
---@param update? string|string[] columns to change; default all others
---@return table<string, any>? row
---@see db:upsert
function tx:upsert(table, row, on, update) end

---Calls a function in a savepoint: when it raises, what it did is undone, and the transaction goes on for
---whoever catches the error.
---
---```lua
---local db = app:db("sqlite::memory:")
---db:exec("create table notes (title text unique)")
---db:tx(function(tx)
---  tx:insert("notes", { title = "Milk" })
---  rws.try(tx.tx, tx, function(inner)
---    inner:insert("notes", { title = "Eggs" })
---    inner:insert("notes", { title = "Milk" })
---  end)
---end)
---assert(db:value("select count(*) from notes") == 1)
---```
---@async
---@param ... rws.TxOptions|fun(tx: rws.Tx): any options, which have no meaning here, and the function
---@return any ... what the function returned
---@see db:tx
function tx:tx(...) end

---As `db:page`.
---@async
---@param sql string
---@param args? any[]|table<string, any> values of `?`, or names and values
---@param options? rws.PageOptions
---@return rws.Page page
---@see db:page
function tx:page(sql, args, options) end

---As `db:from`.
---@param table string or `"table as alias"`
---@return rws.Query query
---@see db:from
---@nodiscard
function tx:from(table) end

---As `db:tables`.
---@async
---@return rws.TableInfo[] tables
---@see db:tables
---@nodiscard
function tx:tables() end

---As `db:columns`.
---@async
---@param table string
---@return rws.ColumnInfo[] columns
---@see db:columns
---@nodiscard
function tx:columns(table) end

---A query that `db:from` begins. It never changes: each step returns another one, so that one can be the
---beginning of several. Names of tables and columns are checked and put in quotes, and values are parameters;
---what is called SQL is taken as it is written, so it must not come from outside. `tostring(query)` is its SQL.
---
---```lua
---local db = app:db("sqlite::memory:")
---db:exec("create table users (id integer primary key, name text)")
---db:exec("create table posts (id integer primary key, user_id integer, title text)")
---db:insert("users", { { name = "ann" }, { name = "bob" } })
---db:insert("posts", { { user_id = 1, title = "One" }, { user_id = 1, title = "Two" } })
---
---local busy = db:from("users as u"):select("u.name"):select_sql("count(*) as posts")
---  :join("posts as p", "p.user_id = u.id"):group("u.id"):order("u.name"):all()
---assert(busy[1].name == "ann" and busy[1].posts == 2)
---```
---@class rws.Query
local query = {}

---Chooses columns; default all. It may be called again for more.
---
---```lua
---local db = app:db("sqlite::memory:")
---assert(tostring(db:from("notes"):select("id", "title as name")) == 'select "id", "title" as "name" from "notes"')
---```
---@param ... string|string[] as `"title"`, `"notes.*"` or `"title as name"`
---@return rws.Query query
---@nodiscard
function query:select(...) end

---Adds a column that is an expression.
---@param sql string as `"count(*) as n"`
---@param ... any values of `?`, or one table of names and values
---@return rws.Query query
---@nodiscard
function query:select_sql(sql, ...) end

---Leaves out rows that are there already.
---@return rws.Query query
---@nodiscard
function query:distinct() end

---Adds the rows of another table; those without a match are left out.
---@param table string or `"table as alias"`
---@param on string SQL, as `"posts.user_id = users.id"`
---@param ... any values of `?`, or one table of names and values
---@return rws.Query query
---@nodiscard
function query:join(table, on, ...) end

---Adds the rows of another table; those without a match stay.
---@param table string or `"table as alias"`
---@param on string SQL, as `"posts.user_id = users.id"`
---@param ... any values of `?`, or one table of names and values
---@return rws.Query query
---@nodiscard
function query:left_join(table, on, ...) end

---Adds a condition, which must hold beside those that are there. It is a table of columns and values, where a
---list is several values and `rws.null` is NULL; SQL with its values; a column and a value; or a column, an
---operator (`= <> < <= > >= like in`, `not like`, `not in`) and a value. `"all"` is every row. A table without a
---column raises, as `{ name = nil }` does, which Lua makes `{}`. `where("name", nil)` is NULL, as with `rws.null`: a
---value that may be missing is checked before.
---
---```lua
---local db = app:db("sqlite::memory:")
---db:exec("create table users (id integer primary key, name text, age integer)")
---db:insert("users", { { name = "ann", age = 31 }, { name = "bob", age = 17 }, { name = "cyd" } })
---local users = db:from("users")
---assert(users:where { name = { "ann", "bob" } }:count() == 2)
---assert(users:where("age > ? and name like ?", 18, "a%"):count() == 1)
---assert(users:where("age", "<", 18):one().name == "bob")
---assert(users:where { age = rws.null }:one().name == "cyd")
---```
---@param ... any
---@return rws.Query query
---@nodiscard
function query:where(...) end

---Begins another group of conditions: the rows are those for which all of one group hold, as `or` and `and` in
---SQL.
---
---```lua
---local db = app:db("sqlite::memory:")
---db:exec("create table users (name text, age integer)")
---db:insert("users", { { name = "ann", age = 31 }, { name = "bob", age = 17 }, { name = "cyd", age = 20 } })
---assert(db:from("users"):where("age < ?", 18):or_where { name = "ann" }:where("age > ?", 30):count() == 2)
---```
---@param ... any as in `query:where`
---@return rws.Query query
---@nodiscard
function query:or_where(...) end

---Makes one row of those that have the same values in some columns.
---@param ... string|string[] columns
---@return rws.Query query
---@nodiscard
function query:group(...) end

---Adds a condition on groups.
---@param sql string as `"count(*) > ?"`
---@param ... any values of `?`, or one table of names and values
---@return rws.Query query
---@nodiscard
function query:having(sql, ...) end

---Sorts the rows. It may be called again for more.
---@param ... string|string[] columns, as `"name"` or `"created_at desc, id"`
---@return rws.Query query
---@nodiscard
function query:order(...) end

---Sorts the rows by an expression.
---@param sql string as `"lower(name)"` or `"random()"`
---@return rws.Query query
---@nodiscard
function query:order_sql(sql) end

---Takes that many rows at most.
---@param n integer from 1
---@return rws.Query query
---@nodiscard
function query:limit(n) end

---Leaves out the first rows.
---@param n integer from 0
---@return rws.Query query
---@nodiscard
function query:offset(n) end

---Locks the rows until the transaction ends. SQLite, which locks as a whole, needs and does nothing.
---@return rws.Query query
---@nodiscard
function query:for_update() end

---All rows.
---@async
---@return table<string, any>[] rows
---@see db:all
function query:all() end

---The first row, or nil.
---@async
---@return table<string, any>? row
---@see db:one
function query:one() end

---The first column of the first row, or nil.
---@async
---@return any value
---@see db:value
function query:value() end

---How many rows there are, without limit and offset.
---@async
---@return integer|string n
function query:count() end

---Whether there is a row.
---
---```lua
---local db = app:db("sqlite::memory:")
---db:exec("create table users (email text)")
---assert(not db:from("users"):where { email = "ann@example.com" }:exists())
---```
---@async
---@return boolean
function query:exists() end

---Goes through the rows.
---@async
---@return fun(): table<string, any>? iterator
---@return fun() close gives up the rows that are left
---@see db:each
function query:each() end

---A page of the rows. With the option `order` its own order is replaced by that.
---@async
---@param options? rws.PageOptions
---@return rws.Page page
---@see db:page
function query:page(options) end

---Changes the rows and returns how many there were. A query without a condition raises; `where("all")` means
---every row.
---
---```lua
---local db = app:db("sqlite::memory:")
---db:exec("create table notes (id integer primary key, done boolean)")
---db:insert("notes", { done = false })
---assert(db:from("notes"):where { done = false }:update { done = true } == 1)
---```
---@async
---@param set table<string, any> columns and their new values
---@return integer|string affected
function query:update(set) end

---Removes the rows and returns how many there were. A query without a condition raises; `where("all")` means
---every row.
---@async
---@return integer|string affected
function query:delete() end
